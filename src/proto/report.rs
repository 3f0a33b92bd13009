//! What a client tells of a connection, of which only it knows.

use serde::{Deserialize, Serialize};

use super::id::SessionId;

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

/// A kind of candidate that ICE finds by itself (RFC 8445, section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// An address of the host.
    Host,
    /// The address that a STUN server sees.
    Srflx,
    /// An address at a relay.
    Relay,
}

impl CandidateKind {
    /// All of them.
    pub const ALL: [CandidateKind; 3] = [
        CandidateKind::Host,
        CandidateKind::Srflx,
        CandidateKind::Relay,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            CandidateKind::Host => "host",
            CandidateKind::Srflx => "srflx",
            CandidateKind::Relay => "relay",
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
    /// Of which kinds it has found candidates, each once; none where it does not say.
    pub found: Option<Vec<CandidateKind>>,
}
