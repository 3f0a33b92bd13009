//! An event as every reader brings it: an id, a name, and JSON that stays as it was sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a reader brings.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Event {
    /// The cursor behind it; control events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(rename = "event")]
    pub(crate) name: String,
    pub(crate) data: Box<RawValue>,
}

impl Event {
    /// An event whose data comes as text; none where that is no JSON.
    pub(crate) fn read(id: Option<String>, name: String, data: String) -> Option<Self> {
        let data = RawValue::from_string(data).ok()?;
        Some(Self { id, name, data })
    }

    /// What the data says, for a look into it.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.data.get()).unwrap_or_default()
    }
}
