//! What a hub leaves behind for its successor: rooms, seats, ends; everything but open readers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Hub;
use super::ends::Ends;
use super::live::Live;
use super::seat::Seat;
use crate::proto::{Room, Seating as _, Time};

/// A room, and all that is known of who is in it.
#[derive(Serialize, Deserialize)]
pub struct SavedRoom {
    room: Room,
}

/// What belongs to no room.
#[derive(Serialize, Deserialize)]
pub struct SavedHub {
    /// The time when it was written; its successor's clock goes on from there.
    pub now: Time,
    ends: Ends,
}

impl Hub {
    /// What belongs to no room.
    pub fn save(&self) -> SavedHub {
        SavedHub {
            now: self.now(),
            ends: self.inner.shared.ends.lock().clone(),
        }
    }

    /// Hands each room to `write`.
    ///
    /// # Errors
    /// The first that `write` gives.
    pub fn save_rooms<E>(
        &self,
        mut write: impl FnMut(&SavedRoom) -> Result<(), E>,
    ) -> Result<(), E> {
        let all: Vec<Arc<Live>> = self.inner.rooms.read().values().cloned().collect();
        for live in all {
            if let Some(saved) = live.save() {
                write(&saved)?;
            }
        }
        Ok(())
    }

    /// Takes over what belongs to no room.
    pub fn restore(&self, saved: SavedHub) {
        *self.inner.shared.ends.lock() = saved.ends;
    }

    /// Takes over a room. Its peers have the whole of their grace before them.
    pub fn restore_room(&self, saved: SavedRoom) {
        let now = self.now();
        let shared = &self.inner.shared;
        let mut room = saved.room.reseat(|()| Seat::begin());
        for (_, member) in room.seated() {
            member.attendance.resume(now);
        }
        room.govern(shared.bounds.clone());
        let live = Live::restored(shared, room, now);
        self.inner.rooms.write().insert(live.id.clone(), live);
    }
}

impl Live {
    /// Takes the room out, as it stands; nothing more can happen in it.
    fn save(&self) -> Option<SavedRoom> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.closed = true;
        let room = std::mem::replace(&mut state.room, self.empty());
        let room = room.reseat(|_: Seat| ());
        Some(SavedRoom { room })
    }
}
