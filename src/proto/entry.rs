//! What is appended to a room's log, and what came of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::attendance::Shown;
use super::cursor::{BadCursor, Cursor};
use super::fact::Transport;
use super::id::{Epoch, NodeId, PeerId, ReaderId, SessionId, SignalId};
use super::lease::Timings;
use super::mailbox::{Door, Start};
use super::reason::Reason;
use super::report::Report;
use super::room::RoomLimits;
use super::signal::{Json, Signal};
use super::ticket::TicketRefused;

/// One step in a room's history. Everything random or timed in it was decided by who appended it,
/// so that every node that applies it comes to the same room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Entry {
    /// A peer joins.
    Join {
        /// How.
        wish: Join,
        /// By which node.
        node: NodeId,
        /// What bounds the room from then on, if it is empty; none: what has bounded it.
        bounds: Option<Arc<Bounds>>,
    },
    /// A peer replaces its meta.
    Meta {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// The new meta.
        meta: Json,
    },
    /// A peer sends; all signals until the first that is refused are accepted.
    Send {
        /// Who.
        from: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// What, in order.
        signals: Vec<Signal>,
        /// Whose mailboxes have no share left of what the node may hold.
        crowded: Vec<PeerId>,
    },
    /// A peer gives a sign of life.
    Seen {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// It proves to be alive, and will be expected to go on doing so.
        alive: bool,
    },
    /// A peer is lost; nothing where it was heard of meanwhile.
    Away {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
    },
    /// A peer is about to close.
    Closing {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
    },
    /// A reader opens.
    Attach(Attaching),
    /// A reader keeps its seat, though the store was told of another: that one never opened, or did so
    /// before. Nothing changes in the room.
    Keeps {
        /// Whose.
        peer: PeerId,
        /// Where it reads.
        door: Door,
        /// Which reader.
        reader: ReaderId,
    },
    /// A reader is gone, or is to count no more.
    Detach {
        /// Whose.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// Where it read.
        door: Door,
        /// Which reader.
        reader: ReaderId,
        /// Up to where it was handed events.
        written: u64,
        /// Why it is cut off, where its connection is held still.
        reason: Option<Reason>,
        /// What it was told at its end, if it was.
        told: Option<Reason>,
    },
    /// A peer tells of one of its connections. Nothing changes in the room.
    Report {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// What it tells.
        report: Report,
    },
    /// A reader of events was handed them up to there.
    Wrote {
        /// Whose.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// Which reader.
        reader: ReaderId,
        /// Up to where.
        written: u64,
    },
    /// Not the engine that took the last entry takes the next: the end of the log may be lost.
    OtherEngine,
    /// A node is no more; another looks after its peers.
    Lost {
        /// The one.
        node: NodeId,
        /// The other.
        heir: NodeId,
    },
    /// An incarnation ends.
    Leave {
        /// Who.
        peer: PeerId,
        /// Which incarnation; none: whichever there is.
        epoch: Option<Epoch>,
        /// Why.
        reason: Reason,
        /// What its own readers are told beside the reason.
        detail: Option<Arc<str>>,
    },
    /// A peer's lease is over; nothing where it was renewed meanwhile.
    Lapse {
        /// Who.
        peer: PeerId,
        /// Which incarnation.
        epoch: Epoch,
        /// Why.
        reason: Reason,
    },
    /// The room ends, with everyone in it.
    Close {
        /// What the readers are told beside the reason.
        detail: Option<Arc<str>>,
    },
}

/// A peer's wish to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attaching {
    /// Who.
    pub peer: PeerId,
    /// Which incarnation.
    pub epoch: Epoch,
    /// Where.
    pub door: Door,
    /// The reader that is opened.
    pub reader: ReaderId,
    /// The cursor that it presents.
    pub cursor: Option<Result<Cursor, BadCursor>>,
    /// The cursor came as `Last-Event-ID`, as the browser's own reconnect sends it.
    pub reconnect: bool,
    /// The client put its cursor into the URL.
    pub cursor_shown: bool,
    /// The ticket that it is opened with.
    pub ticket: Option<Shown>,
    /// How it is written to.
    pub transport: Transport,
}

impl Attaching {
    /// Whether it comes with a `Last-Event-ID` of its own incarnation.
    pub(super) fn resumes(&self) -> bool {
        let own = matches!(&self.cursor, Some(Ok(cursor)) if cursor.epoch == self.epoch);
        own && self.reconnect
    }
}

/// What bounds a room.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// Its limits.
    pub limits: RoomLimits,
    /// The spans that presence is judged by.
    pub timings: Timings,
}

/// A peer's wish to join.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Join {
    /// The peer's id.
    pub peer: PeerId,
    /// The epoch of the incarnation, if one is made.
    pub epoch: Epoch,
    /// Its meta, if it gave some.
    pub meta: Option<Json>,
    /// The client's own random word: who repeats it is the same client.
    pub key: Option<Arc<str>>,
    /// Whether the server chose the id.
    pub assigned: bool,
    /// The incarnation that a token shown with the wish names.
    pub holds: Option<Epoch>,
    /// End the incarnation that is held, and begin a new one.
    pub fresh: bool,
}

/// Who a join made, or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The peer's id.
    pub peer: PeerId,
    /// The incarnation.
    pub epoch: Epoch,
    /// Whether it was made by this join.
    pub new: bool,
}

/// What became of an entry.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A join succeeded.
    Joined(Joined),
    /// Where a reader starts, or why its ticket was not taken.
    Attached(Result<Start, TicketRefused>),
    /// What was accepted of a send, and the first refusal with its index.
    Sent(Vec<Sent>, Option<(usize, Refusal)>),
    /// It was done, or there was nothing to do.
    Done,
    /// It was refused and changed nothing.
    Refused(Refusal),
}

/// What a sender is told of one accepted signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The sender's idempotency key.
    pub id: Option<SignalId>,
    /// The first answer.
    pub receipt: Receipt,
    /// Whether this is a repeat, and nothing was delivered again.
    pub duplicate: bool,
}

/// Who was sent a signal, and in which session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The signal's session, also where the server made its id.
    pub session: Option<SessionId>,
    /// Each recipient.
    pub to: SmallVec<[ToWhom; 1]>,
}

/// One recipient's state when the signal was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToWhom {
    /// The recipient.
    pub peer: PeerId,
    /// `live`, `queued` or `away`.
    pub state: super::member::Presence,
    /// In a broadcast: whether its mailbox was full, and it was left out.
    pub refused: bool,
}

/// Why an entry was refused. Each is one `type` of problem on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sender's, reader's or leaver's own incarnation is over.
    #[error("this incarnation has ended: {0}")]
    Ended(Reason),
    /// A peer of that id is here, and the join did not prove to be it.
    #[error("a peer of that id is in the room")]
    PeerExists,
    /// The room holds as many peers as it may.
    #[error("the room is full")]
    RoomFull,
    /// No peer of that id was seen in the room.
    #[error("no such peer in the room")]
    UnknownPeer,
    /// The peer was here and has left.
    #[error("the peer has left: {0}")]
    PeerLeft(Reason),
    /// A signal to oneself.
    #[error("a signal to oneself")]
    ToSelf,
    /// The session id is in use with a third peer.
    #[error("the session id is in use with another peer")]
    SessionTaken,
    /// The session is over.
    #[error("the session is over: {0}")]
    SessionOver(Reason),
    /// A bye for a session that was never opened.
    #[error("no such session")]
    UnknownSession,
    /// One party has as many open sessions as it may.
    #[error("too many open sessions")]
    TooManySessions,
    /// The recipient's mailbox has no room.
    #[error("the mailbox is full")]
    MailboxFull,
    /// All mailboxes together hold as much as they may, and the recipient's more than its share.
    #[error("the mailboxes hold too much")]
    Crowded,
    /// The idempotency key was used for another signal.
    #[error("the id was used for another signal")]
    IdempotencyConflict,
}
