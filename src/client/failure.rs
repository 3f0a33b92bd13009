//! Why a subcommand did not do what it was asked to, and the exit status of each.

use std::io;

use super::answer::Refusal;
use super::{certificate, names, plain};
use crate::exit::Exit;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, or a file that it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No answer of the server's came, or none that its certificate vouches for.
    #[error("{}", unreached(.0))]
    Unreachable(String),
    /// The other side ended it, or nothing came in time.
    #[error("{0}")]
    Over(String),
    /// Standard output takes nothing.
    #[error("the result cannot be written")]
    Output(#[from] io::Error),
}

/// Where it is the certificate, the server is reached, and that is not what to look for.
fn unreached(why: &str) -> String {
    match certificate::advice(why) {
        Some(advice) => format!("{}; {advice}", plain(why)),
        None => match names::advice(why) {
            Some(advice) => format!("the server is not reached: {}; {advice}", plain(why)),
            None => format!("the server is not reached: {why}"),
        },
    }
}

impl Failure {
    /// The server refused.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }

    /// The exit status that says so.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Refused(refusal) if refusal.slug == "ended" => Exit::Over,
            Self::Refused(_) | Self::Output(_) => Exit::Failed,
            Self::Unreachable(_) => Exit::Unreachable,
            Self::Over(_) => Exit::Over,
        }
    }

    /// Whether whoever read standard output has closed it, which is no fault.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
