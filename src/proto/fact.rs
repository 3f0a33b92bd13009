//! What an entry has changed, for who looks on from outside the room: figures, and those who look
//! after the server. From envelopes only: nothing here holds what peers say to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{PeerId, SessionId};
use super::mailbox::{Door, Gap};
use super::reason::Reason;
use super::report::Report;

/// How a reader is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A stream of `text/event-stream`.
    Sse,
    /// A stream of `application/x-ndjson`.
    Ndjson,
    /// One answer at a time.
    Poll,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 3] = [Transport::Sse, Transport::Ndjson, Transport::Poll];

    /// Whether it goes on, and has pings.
    pub fn is_stream(self) -> bool {
        self != Transport::Poll
    }

    /// Its name in figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Sse => "sse",
            Transport::Ndjson => "ndjson",
            Transport::Poll => "poll",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An incarnation began.
    Joined {
        /// Whose.
        peer: PeerId,
        /// Its place in the order of joins.
        order: u64,
    },
    /// A peer is away.
    Away(PeerId),
    /// A peer that was away is back.
    Back(PeerId),
    /// A reader opened.
    Reads {
        /// Whose.
        peer: PeerId,
        /// Where it reads.
        door: Door,
        /// How.
        transport: Transport,
        /// How its incarnation read there before, if it did.
        before: Option<Transport>,
        /// It goes on exactly where it stood.
        resumed: bool,
        /// What it is told has gone missing.
        gap: Option<Gap>,
    },
    /// A stream is over; of polls that is not told.
    Stopped {
        /// Whose.
        peer: PeerId,
        /// Where it read.
        door: Door,
        /// How.
        transport: Transport,
        /// Why; none where its connection went.
        reason: Option<Reason>,
        /// How long it was open.
        open: Duration,
    },
    /// A session began with an offer.
    Offered {
        /// Which.
        session: SessionId,
        /// Who offers.
        from: PeerId,
        /// To whom.
        to: PeerId,
    },
    /// A session's first offer was answered.
    Answered {
        /// Which.
        session: SessionId,
        /// Who answers.
        from: PeerId,
        /// To whom.
        to: PeerId,
        /// How long after the offer.
        after: Duration,
    },
    /// A session ended.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// By whose doing, or because of whose end.
        from: PeerId,
        /// The other party.
        to: PeerId,
        /// Why.
        reason: Reason,
        /// Whether it was answered before.
        answered: bool,
        /// How long after the offer.
        after: Duration,
    },
    /// A client told of one of its connections.
    Reported {
        /// Which.
        peer: PeerId,
        /// What it told.
        report: Report,
    },
}
