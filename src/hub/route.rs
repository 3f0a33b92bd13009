//! Whom the store is to ring for an entry of a shared room, and which readers come and go with it.

use super::seat::Seat;
use crate::backplane::store::{Ring, SeatChange};
use crate::proto::{Door, Entry, PeerId, ReaderId, Room};

/// Where an entry is to be heard of.
pub(super) struct Route {
    pub(super) ring: Ring,
    pub(super) seats: Vec<SeatChange>,
    /// The node looks after a peer of the room from then on.
    pub(super) keeps: bool,
    /// It is taken where the store is full, since it brings nothing that others would have to hold.
    pub(super) eases: bool,
}

impl Route {
    /// As far as it is known here, which may be less than all.
    pub(super) fn of(room: &Room<Seat>, entry: &Entry) -> Self {
        let mut route = Self {
            ring: Ring::Everyone,
            seats: Vec::new(),
            keeps: false,
            eases: !matches!(
                entry,
                Entry::Join { .. } | Entry::Meta { .. } | Entry::Send { .. }
            ),
        };
        match entry {
            Entry::Join { .. } | Entry::Lost { .. } => route.keeps = true,
            Entry::Leave { peer, .. } | Entry::Lapse { peer, .. } => {
                route.seats.extend(seats_of(room, peer));
            }
            Entry::Close { .. } => {
                let all = room.members().into_iter();
                route
                    .seats
                    .extend(all.flat_map(|(peer, _)| seats_of(room, peer)));
            }
            Entry::Meta { .. } | Entry::Away { .. } => {}
            Entry::Send { from, signals, .. } => {
                let to: Option<Vec<_>> = signals.iter().map(|signal| signal.to.clone()).collect();
                if let Some(to) = to
                    && !is_away(room, from)
                {
                    route.ring = Ring::Peers(to);
                }
            }
            Entry::Seen { peer, .. } | Entry::Closing { peer, .. } | Entry::Report { peer, .. } => {
                route.ring = of_its_own(room, peer);
            }
            Entry::Attach(wish) => {
                route.ring = of_its_own(room, &wish.peer);
                route.keeps = true;
                route.seats.push(take(&wish.peer, wish.door, wish.reader));
            }
            Entry::Keeps { peer, door, reader } => {
                route.ring = Ring::Peers(vec![peer.clone()]);
                route.seats.push(take(peer, *door, *reader));
            }
            Entry::Detach {
                peer, door, reader, ..
            } => {
                route.ring = Ring::Peers(vec![peer.clone()]);
                route.seats.push(leave(peer, *door, *reader));
            }
            Entry::Wrote { .. } | Entry::OtherEngine => {
                route.ring = Ring::Nobody;
            }
        }
        route
    }
}

/// What concerns only the peer's own readers, unless it is back by that.
fn of_its_own(room: &Room<Seat>, peer: &PeerId) -> Ring {
    if is_away(room, peer) {
        Ring::Everyone
    } else {
        Ring::Peers(vec![peer.clone()])
    }
}

fn is_away(room: &Room<Seat>, peer: &PeerId) -> bool {
    let member = room.member(peer);
    member.is_some_and(|member| member.attendance.lease.is_away())
}

/// The readers of a peer that goes.
fn seats_of(room: &Room<Seat>, peer: &PeerId) -> Vec<SeatChange> {
    let Some(member) = room.member(peer) else {
        return Vec::new();
    };
    let doors = Door::ALL.into_iter();
    let of = |door| {
        let reader = member.attendance.reader(door)?;
        Some(leave(peer, door, reader))
    };
    doors.filter_map(of).collect()
}

fn take(peer: &PeerId, door: Door, reader: ReaderId) -> SeatChange {
    SeatChange::Take {
        peer: peer.clone(),
        door,
        reader: reader.number(),
    }
}

fn leave(peer: &PeerId, door: Door, reader: ReaderId) -> SeatChange {
    SeatChange::Leave {
        peer: peer.clone(),
        door,
        reader: reader.number(),
    }
}
