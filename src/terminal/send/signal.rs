//! A signal as it is sent, and what the server says became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A signal on its way up.
#[derive(Serialize)]
pub(super) struct Signal<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<&'a str>,
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a RawValue>,
    pub(super) id: &'a str,
}

/// A line of standard input.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) to: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) session: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
    pub(super) id: Option<String>,
}

/// What became of a signal.
#[derive(Default)]
pub(super) struct Receipt {
    pub(super) session: Option<String>,
    /// Each receiver, and how it is.
    to: Vec<(String, String)>,
    is_refused: bool,
    is_duplicate: bool,
}

impl Receipt {
    /// Reads one of the results.
    pub(super) fn of(result: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let to = result["to"].as_array().map(Vec::as_slice);
        let to = to.unwrap_or_default();
        Self {
            session: result["session"].as_str().map(str::to_owned),
            to: to
                .iter()
                .map(|one| {
                    let state = one["refused"]
                        .as_str()
                        .map_or_else(|| text(&one["state"]), str::to_owned);
                    (text(&one["peer"]), state)
                })
                .collect(),
            is_refused: to.iter().any(|one| one["refused"].is_string()),
            is_duplicate: result["duplicate"] == true,
        }
    }

    /// Whether some receiver does not get it.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// The same for people.
    pub(super) fn line(&self, kind: &str) -> String {
        let to: Vec<_> = self
            .to
            .iter()
            .map(|(peer, state)| format!("{peer} ({state})"))
            .collect();
        let to = if to.is_empty() {
            "nobody: the room is empty".to_owned()
        } else {
            to.join(", ")
        };
        let session = self.session.as_ref().map(|session| format!(" {session}"));
        let again = if self.is_duplicate {
            ", as it was before"
        } else {
            ""
        };
        format!("sent {kind}{} to {to}{again}", session.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_says_who_gets_it_and_who_does_not() {
        let result = json!({"session": "s1", "to": [
            {"peer": "bob", "state": "live"},
            {"peer": "kim", "state": "queued", "refused": "mailbox-full"},
        ]});
        let receipt = Receipt::of(&result);
        assert!(receipt.is_refused());
        assert_eq!(
            receipt.line("offer"),
            "sent offer s1 to bob (live), kim (mailbox-full)"
        );
        let receipt = Receipt::of(&json!({"to": [], "duplicate": true}));
        assert_eq!(
            receipt.line("chat"),
            "sent chat to nobody: the room is empty, as it was before"
        );
    }

    #[test]
    fn a_line_is_an_object_of_known_fields() {
        let line: Line =
            serde_json::from_str(r#"{"type":"chat","data":{"n":1.50}}"#).expect("a line");
        assert_eq!(line.data.expect("data").get(), r#"{"n":1.50}"#);
        for bad in [r#"{"text":"hello"}"#, "[]", "hello"] {
            assert!(serde_json::from_str::<Line>(bad).is_err(), "{bad}");
        }
    }
}
