//! What the hub shows of rooms and peers to those who ask.

use std::time::Duration;

use super::live::State;
use super::seat::Seat;
use crate::proto::{Cursor, Epoch, Json, Member, PeerId, Presence, RoomId, Time};

/// Who asks: an incarnation, as its token names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The room.
    pub room: RoomId,
    /// The peer.
    pub peer: PeerId,
    /// The incarnation.
    pub epoch: Epoch,
}

/// A peer as others see it.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Its id.
    pub peer: PeerId,
    /// What it says about itself.
    pub meta: Json,
    /// Whether it is reached at once.
    pub state: Presence,
    /// Its place in the order of joins.
    pub order: u64,
    /// How long it has been here.
    pub joined_ago: Duration,
}

/// The answer to a join.
#[derive(Clone, Debug)]
pub struct JoinedRoom {
    /// Who the joiner now is.
    pub caller: Caller,
    /// Whether this incarnation was made by this join.
    pub new: bool,
    /// Its place in the order of joins.
    pub order: u64,
    /// Where the replay would start.
    pub cursor: Cursor,
    /// The others.
    pub peers: Vec<PeerView>,
}

/// A room as an operator sees it.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// Its name.
    pub room: RoomId,
    /// How many peers are in it.
    pub peers: usize,
}

/// The peers of a room, by order; all but one.
pub(super) fn views(state: &State, but: Option<&PeerId>, now: Time) -> Vec<PeerView> {
    let view = |(peer, member): (&PeerId, &Member<Seat>)| PeerView {
        peer: peer.clone(),
        meta: member.meta.clone(),
        state: member.presence(),
        order: member.order,
        joined_ago: now.since(member.joined),
    };
    let all = state.room.members().into_iter();
    all.filter(|(peer, _)| Some(*peer) != but)
        .map(view)
        .collect()
}
