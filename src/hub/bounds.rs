//! What a node has room for.

use super::live::Live;
use super::{Caller, Hub, Place, Refused};
use crate::proto::{Door, Join, PeerId, RoomId, Signal, Transport};

/// What each mailbox may hold in any case, in bytes: an offer and its candidates.
const LEAST_SHARE: usize = 16 * 1024;

impl Hub {
    /// How many readers are open.
    pub fn open_readers(&self) -> usize {
        self.inner.readers.all()
    }

    /// The same, by how they are written to.
    pub fn readers_by(&self, transport: Transport) -> usize {
        self.inner.readers.by(transport)
    }

    /// How many rooms this node has.
    pub fn room_count(&self) -> usize {
        self.inner.rooms.read().len()
    }

    /// The bytes that all mailboxes hold together, and may hold; 0 is no bound.
    pub fn held(&self) -> (usize, usize) {
        (self.held_bytes(), self.inner.limits.held)
    }

    /// Whether a reader of the caller's is open at `door`.
    pub fn has_reader(&self, caller: &Caller, door: Door) -> bool {
        self.room(&caller.room).is_some_and(|live| {
            let mut state = live.lock();
            let member = state.room.incarnation(&caller.peer, caller.epoch);
            member.is_some_and(|member| member.attendance.reader(door).is_some())
        })
    }

    /// How many peers there are, in all rooms.
    pub fn peers_in_all(&self) -> usize {
        self.inner.shared.held.mailboxes()
    }

    /// The bytes that all mailboxes hold together.
    pub fn held_bytes(&self) -> usize {
        self.inner.shared.held.bytes()
    }

    /// Whether the peer of a join is in the room already, so that the join adds none.
    pub fn is_present(&self, room: &RoomId, join: &Join) -> bool {
        let live = self.room(room);
        live.is_some_and(|live| live.lock().room.has(join))
    }

    /// The peer takes up `place` for as long as it is present.
    pub fn keep(&self, caller: &Caller, place: Place) {
        let live = self.room(&caller.room);
        let mut state = live.as_ref().map(|live| live.lock());
        let member = state
            .as_mut()
            .and_then(|state| state.room.incarnation(&caller.peer, caller.epoch));
        if let Some(member) = member {
            member.seat.keep(place);
        }
    }

    /// Whether one more peer may join.
    pub(super) fn has_place(&self) -> Result<(), Refused> {
        let most = self.inner.limits.peers;
        if most > 0 && self.peers_in_all() >= most {
            return Err(Refused::TooManyPeers);
        }
        Ok(())
    }

    /// Whose mailboxes have no share left for what is sent to them. Once all together hold what they
    /// may, one takes no more than its equal share, or [`LEAST_SHARE`]: those who hoard do not silence
    /// the rest. What was written to a reader and is only held for its return gives way.
    pub(super) fn crowded(&self, live: &Live, caller: &Caller, signals: &[Signal]) -> Vec<PeerId> {
        let (most, held) = (self.inner.limits.held, self.held_bytes());
        if most == 0 || held < most {
            return Vec::new();
        }
        let share = (most / self.peers_in_all().max(1)).max(LEAST_SHARE);
        let mut state = live.lock();
        state.room.press(&caller.peer, signals, share)
    }
}
