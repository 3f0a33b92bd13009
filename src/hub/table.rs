//! The table of rooms: how one begins, is found, is appended to, and is forgotten.

use std::sync::Arc;

use super::live::Live;
use super::{Hub, Refused};
use crate::backplane::Appending;
use crate::proto::{Entry, RoomId};

impl Hub {
    pub(super) fn room(&self, room: &RoomId) -> Option<Arc<Live>> {
        self.inner.rooms.read().get(room).cloned()
    }

    /// The rooms of this node that are `concerned`, by name: what is done for many does not come in an
    /// order of chance.
    pub(super) fn all_live(&self, concerned: impl Fn(&Live) -> bool) -> Vec<Arc<Live>> {
        let rooms = self.inner.rooms.read();
        let mut all: Vec<_> = rooms
            .values()
            .filter(|live| concerned(live))
            .cloned()
            .collect();
        drop(rooms);
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The room, which may begin by that.
    pub(super) fn begin(&self, room: &RoomId) -> Result<Arc<Live>, Refused> {
        if let Some(live) = self.room(room) {
            return Ok(live);
        }
        let mut rooms = self.inner.rooms.write();
        let most = self.inner.limits.rooms;
        if most > 0 && rooms.len() >= most && !rooms.contains_key(room) {
            return Err(Refused::TooManyRooms);
        }
        let begin = || Live::new(&self.inner.shared, room);
        Ok(rooms.entry(room.clone()).or_insert_with(begin).clone())
    }

    /// A room that the store has: it has begun elsewhere, and its peers are served, however many rooms
    /// there are here.
    pub(super) fn enter(&self, room: &RoomId) -> Arc<Live> {
        let begin = || Live::new(&self.inner.shared, room);
        let mut rooms = self.inner.rooms.write();
        rooms.entry(room.clone()).or_insert_with(begin).clone()
    }

    pub(super) fn forget(&self, live: &Arc<Live>) {
        let mut rooms = self.inner.rooms.write();
        if rooms
            .get(&live.id)
            .is_some_and(|known| Arc::ptr_eq(known, live))
        {
            rooms.remove(&live.id);
        }
    }

    pub(super) fn forget_if_closed(&self, live: &Arc<Live>) {
        let closed = live.lock().closed;
        if closed {
            self.forget(live);
        }
    }

    pub(super) fn append(&self, live: &Arc<Live>, entry: Entry) -> Appending {
        match &self.inner.shared.common {
            None => self.inner.backplane.append(live.as_ref(), entry),
            Some(common) => self.append_to_log(common, live, entry),
        }
    }

    /// Appends an entry whose outcome nobody waits for.
    pub(super) fn append_aside(&self, live: &Arc<Live>, entry: Entry) {
        match self.append(live, entry) {
            Appending::Done(_) => self.forget_if_closed(live),
            // It comes to its end by itself; what fails is found when the room is looked at again.
            Appending::Later(_) => {}
        }
    }
}
