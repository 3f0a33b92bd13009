//! Why a reader goes on no more.

use crate::client::answer::Refusal;
use crate::client::{Failure, plain};

/// What ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The membership is over.
    Ended {
        reason: String,
        detail: Option<String>,
    },
    /// The server refuses, for good or for too long.
    Refused(Refusal),
    /// No answer came for too long.
    Unreached(String),
}

impl From<Ending> for Failure {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Ended { reason, detail } => {
                let detail = detail.map(|detail| format!(": {}", plain(&detail)));
                Self::Over(format!(
                    "the membership has ended, reason {}{}",
                    plain(&reason),
                    detail.unwrap_or_default()
                ))
            }
            Ending::Refused(refusal) => Self::refused(refusal),
            Ending::Unreached(why) => Self::Unreachable(why),
        }
    }
}
