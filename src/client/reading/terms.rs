//! The terms of a reading: how it may read, what it is to do, and what of the server's words matters
//! to it.

use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;

use super::Ending;

/// By what to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// By event stream; by long-poll where streams do not pass
    #[default]
    Auto,
    /// By event stream only
    Sse,
    /// By long-poll only
    Poll,
}

/// By what it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Stream,
    Poll,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Open a reader at the cursor.
    Open(Transport),
    /// Nothing until then.
    Wait(Duration),
    /// Read from the open reader, until then at the latest.
    Read(Duration),
    /// Join again, with the membership's token: its access has run out.
    Renew,
    /// Join again: the server knows nothing of the membership.
    Rejoin,
    /// Nothing more.
    Over(Ending),
}

/// What a reader is told before it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) cursor: Option<String>,
    pub(crate) heartbeat: Option<Duration>,
    /// How long to go on trying while nothing works.
    pub(crate) patience: Duration,
    /// Whether a membership that the server has forgotten may be joined again.
    pub(crate) rejoins: bool,
    /// Whether the access token may be another at the next look.
    pub(crate) renewable: bool,
}

/// What follows a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Read,
    Renew,
    Rejoin,
}

/// What it is about.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Waiting(Duration, Then),
    Joining(Then),
    Open {
        transport: Transport,
        /// When it was opened, and behind which cursor.
        from: (Duration, Option<String>),
        /// When anything came last.
        heard: Duration,
        /// By when a stream must be proved, while it is not.
        proof: Option<Duration>,
        /// Whether it has begun.
        ready: bool,
    },
    Over(Ending),
}

/// What matters here of `ready`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Ready {
    pub(super) cursor: Option<String>,
    pub(super) heartbeat_ms: Option<u64>,
    pub(super) gap: Option<Gap>,
}

/// What is missing.
#[derive(Deserialize)]
pub(crate) struct Gap {
    pub(super) reason: String,
}

/// What matters of `end`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct End {
    pub(super) reason: String,
    pub(super) retry: String,
    pub(super) detail: Option<String>,
}
