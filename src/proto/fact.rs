//! What an entry has changed, for who looks on from outside the room: figures, and those who look
//! after the server. From envelopes only: nothing here holds what peers say to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{PeerId, SessionId};
use super::mailbox::{Door, Gap};
use super::reason::Reason;

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

/// The state of ICE, as a client tells it (W3C WebRTC, RTCIceTransportState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IceState {
    /// Pairs of candidates are tried.
    Checking,
    /// One works.
    Connected,
    /// One works, and no more are tried.
    Completed,
    /// None works any more; one may again.
    Disconnected,
    /// None works.
    Failed,
    /// It is over.
    Closed,
}

impl IceState {
    /// All of them.
    pub const ALL: [IceState; 6] = [
        IceState::Checking,
        IceState::Connected,
        IceState::Completed,
        IceState::Disconnected,
        IceState::Failed,
        IceState::Closed,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            IceState::Checking => "checking",
            IceState::Connected => "connected",
            IceState::Completed => "completed",
            IceState::Disconnected => "disconnected",
            IceState::Failed => "failed",
            IceState::Closed => "closed",
        }
    }
}

/// How a connection runs, as a client tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From host to host.
    Direct,
    /// By an address that STUN has shown.
    Stun,
    /// Relayed, by UDP to the relay.
    RelayUdp,
    /// Relayed, by TCP to the relay.
    RelayTcp,
    /// Relayed, by TLS to the relay.
    RelayTls,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 5] = [
        Way::Direct,
        Way::Stun,
        Way::RelayUdp,
        Way::RelayTcp,
        Way::RelayTls,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::Stun => "stun",
            Way::RelayUdp => "relay-udp",
            Way::RelayTcp => "relay-tcp",
            Way::RelayTls => "relay-tls",
        }
    }
}

/// What a client tells of one of its connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The session that set it up.
    pub session: Option<SessionId>,
    /// How it stands with ICE.
    pub ice: IceState,
    /// How it runs, where it does.
    pub way: Option<Way>,
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
