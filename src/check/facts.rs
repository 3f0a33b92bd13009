//! What was measured. Times are whole milliseconds.

use std::time::Duration;

use serde::Serialize;

/// Whether something went as it should, how long it took, and else why not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// As it should.
    pub ok: bool,
    /// How long it took, or how long it went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Why not, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The status, where the server itself refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<u16>,
}

impl Outcome {
    pub(super) fn good(took: Duration) -> Self {
        Self {
            ok: true,
            ms: Some(millis(took)),
            ..Self::default()
        }
    }

    pub(super) fn bad(why: impl Into<String>) -> Self {
        Self {
            why: Some(why.into()),
            ..Self::default()
        }
    }

    /// Why not.
    pub fn why(&self) -> &str {
        self.why.as_deref().unwrap_or("not tried")
    }
}

/// All that a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// The server, without a slash at the end.
    pub server: String,
    /// Whether `--proxy` named one.
    pub proxied: bool,
    /// The way up.
    pub path: Path,
    /// A join.
    pub join: Outcome,
    /// The longest silence of a real stream; zero where it was not told.
    pub heartbeat_ms: u64,
    /// The real stream, up to the event that proves it.
    pub stream: Outcome,
    /// The server's ticks.
    pub ticks: Ticks,
    /// A poll of one second.
    pub poll: Outcome,
    /// A poll of 25 seconds, and how long it was held; good where that was all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_poll: Option<Outcome>,
    /// A WebSocket, for comparison.
    pub websocket: Outcome,
    /// Streams on which nothing was written.
    pub silences: Vec<Silence>,
    /// Whether any STUN or TURN server was named, by the server or on the command line.
    pub ice_named: bool,
    /// What they answered.
    pub ice: Vec<Ice>,
}

/// Which requests arrive, and what is left of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Path {
    /// GET.
    pub get: Outcome,
    /// The middle one of some round trips, where most were answered.
    pub post: Outcome,
    /// How many of them were answered, and how many were made.
    pub posts: (usize, usize),
    /// PATCH.
    pub patch: Outcome,
    /// DELETE.
    pub delete: Outcome,
    /// Each `kept`, `changed` or `missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<String>,
    /// The same of `Last-Event-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event_id: Option<String>,
    /// The HTTP version as the server sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_there: Option<String>,
    /// The same as it is seen here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_here: Option<String>,
    /// The proxies that name themselves.
    pub via: String,
    /// The headers by which proxies say that they were there.
    pub forwarded: Vec<String>,
    /// How far the server's clock is ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// By how much that may be wrong.
    pub skew_doubt_ms: u64,
}

/// Eight ticks, as they were sent and as they arrived.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ticks {
    /// They came one by one.
    pub passes: bool,
    /// Since the request, by the server's clock put right.
    pub sent_ms: Vec<i64>,
    /// Since the request.
    pub arrived_ms: Vec<i64>,
    /// How long the one that was held longest came after the quickest.
    pub held_ms: u64,
    /// The content type, where it is not the one that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How the stream was compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Why not all came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The server had no place for them, which says nothing of the path.
    pub busy: bool,
}

/// What became of a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It lived.
    Kept,
    /// It was closed.
    Cut,
    /// Nothing came any more, not even a close.
    Dark,
    /// The server has no place for it, or no connection came about: it says nothing.
    Unmeasured,
}

/// One silence.
#[derive(Clone, Debug, Serialize)]
pub struct Silence {
    /// How long it was to be.
    pub wanted_ms: u64,
    /// What became of it.
    pub fate: Fate,
    /// How long it was.
    pub for_ms: u64,
}

/// An answer of a STUN or TURN server.
#[derive(Clone, Debug, Serialize)]
pub struct Ice {
    /// Which server, and how it was asked.
    pub url: String,
    /// `STUN`, or `TURN over UDP`, `TCP`, `TLS`.
    pub what: &'static str,
    /// Whether that is the very port that the server speaks HTTP on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Whether it gave what was asked for.
    #[serde(flatten)]
    pub outcome: Outcome,
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
