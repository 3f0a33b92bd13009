//! Why the hub refused, and by which bounds.

use crate::proto::{Refusal, RoomLimits, TicketRefused};

/// The bounds of a node; 0 is no bound.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// Of each room.
    pub room: RoomLimits,
    /// Rooms at a time.
    pub rooms: usize,
    /// Peers at a time, in all rooms.
    pub peers: usize,
    /// Open readers at a time.
    pub readers: usize,
    /// Bytes that all mailboxes hold together.
    pub held: usize,
    /// Ends that are remembered.
    pub ends: usize,
}

/// Why the hub refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The room's own refusal.
    #[error(transparent)]
    Room(#[from] Refusal),
    /// The node has as many rooms as it may.
    #[error("too many rooms")]
    TooManyRooms,
    /// The node has as many peers as it may.
    #[error("too many peers")]
    TooManyPeers,
    /// The node has as many readers as it may.
    #[error("too many readers")]
    TooManyReaders,
    /// The client's address has as many readers as it may.
    #[error("too many readers of this address")]
    TooManyReadersHere,
    /// The node is going away.
    #[error("the server is going away")]
    Draining,
    /// The access that the reader was opened under has run out.
    #[error("the access has run out")]
    Expired,
    /// The store of shared rooms does not answer.
    #[error("the store does not answer")]
    Unavailable,
    /// The ticket was not taken.
    #[error(transparent)]
    Ticket(#[from] TicketRefused),
}
