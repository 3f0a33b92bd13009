//! Why something ended: one closed table of words, each with what a client should do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an incarnation, a session or a reader ended (section 6 of the protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The other party said `bye`.
    Hangup,
    /// The peer left, by DELETE or by beacon.
    Left,
    /// The grace ran out with no sign of life.
    Timeout,
    /// An operator removed the peer.
    Kicked,
    /// An operator closed the room.
    RoomClosed,
    /// The same peer id joined afresh.
    Rejoined,
    /// A newer reader took over.
    Replaced,
    /// The server knows nothing of this incarnation.
    Unknown,
    /// No proof of life came from a client that had given some.
    Silent,
    /// The server is going away.
    Drain,
    /// The reader fell behind its bounds.
    Slow,
    /// The reader reached its greatest age.
    MaxAge,
    /// Refused for now.
    Busy,
    /// The access token ran out.
    Expired,
}

/// What a client should do after `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Read again at once, at the same cursor.
    Now,
    /// Read again after a while.
    Later,
    /// This is over.
    Never,
}

impl Reason {
    /// Every reason, in the order of the protocol's table.
    pub const ALL: [Reason; 14] = [
        Reason::Hangup,
        Reason::Left,
        Reason::Timeout,
        Reason::Kicked,
        Reason::RoomClosed,
        Reason::Rejoined,
        Reason::Replaced,
        Reason::Unknown,
        Reason::Silent,
        Reason::Drain,
        Reason::Slow,
        Reason::MaxAge,
        Reason::Busy,
        Reason::Expired,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Hangup => "hangup",
            Reason::Left => "left",
            Reason::Timeout => "timeout",
            Reason::Kicked => "kicked",
            Reason::RoomClosed => "room-closed",
            Reason::Rejoined => "rejoined",
            Reason::Replaced => "replaced",
            Reason::Unknown => "unknown",
            Reason::Silent => "silent",
            Reason::Drain => "drain",
            Reason::Slow => "slow",
            Reason::MaxAge => "max-age",
            Reason::Busy => "busy",
            Reason::Expired => "expired",
        }
    }

    /// The `retry` of an `end` with this reason.
    pub fn retry(self) -> Retry {
        match self {
            Reason::Silent | Reason::Drain | Reason::Slow | Reason::MaxAge => Retry::Now,
            Reason::Busy | Reason::Expired => Retry::Later,
            Reason::Hangup
            | Reason::Left
            | Reason::Timeout
            | Reason::Kicked
            | Reason::RoomClosed
            | Reason::Rejoined
            | Reason::Replaced
            | Reason::Unknown => Retry::Never,
        }
    }
}

impl Retry {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Now => "now",
            Retry::Later => "later",
            Retry::Never => "never",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
