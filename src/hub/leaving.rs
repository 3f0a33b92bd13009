//! How peers and rooms go, and the node itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::live::State;
use super::{Caller, Hub, Refused};
use crate::backplane::Failed;
use crate::proto::{Entry, Epoch, PeerId, Reason, RoomId, Time};

impl Hub {
    /// Ends an incarnation; nothing happens where it has ended.
    ///
    /// # Errors
    /// The store of shared rooms does not answer.
    pub async fn leave(
        &self,
        caller: &Caller,
        reason: Reason,
        detail: Option<Arc<str>>,
    ) -> Result<(), Refused> {
        let Caller { room, peer, epoch } = caller;
        self.remove(room, peer, Some(*epoch), reason, detail).await
    }

    /// The caller is about to close: lost within [`CLOSING`](crate::proto::lease::CLOSING), it has left.
    /// Nothing happens where it has ended.
    ///
    /// # Errors
    /// The store of shared rooms does not answer.
    pub async fn announce_closing(&self, caller: &Caller) -> Result<(), Refused> {
        let Some(live) = self.room(&caller.room) else {
            return Ok(());
        };
        let (peer, epoch) = (caller.peer.clone(), caller.epoch);
        let closing = self.append(&live, Entry::Closing { peer, epoch }).await;
        if matches!(closing, Err(Failed::Unavailable)) {
            return Err(Refused::Unavailable);
        }
        if closing.is_err() || self.is_draining() {
            return Ok(());
        }
        // It may be gone already, and for long enough.
        let over = |state: &mut State, now| {
            let member = state.room.incarnation(&caller.peer, epoch)?;
            member.attendance.lease.over(now, self.timings())
        };
        if let Ok(reason) = self.look(caller, over) {
            let peer = caller.peer.clone();
            let lapse = Entry::Lapse {
                peer,
                epoch,
                reason,
            };
            self.append_aside(&live, lapse);
        }
        Ok(())
    }

    /// Ends a peer's incarnation, whichever it is where `epoch` is none.
    ///
    /// # Errors
    /// The store of shared rooms does not answer.
    pub async fn remove(
        &self,
        room: &RoomId,
        peer: &PeerId,
        epoch: Option<Epoch>,
        reason: Reason,
        detail: Option<Arc<str>>,
    ) -> Result<(), Refused> {
        let Some(live) = self.room(room) else {
            return Ok(());
        };
        let peer = peer.clone();
        let entry = Entry::Leave {
            peer,
            epoch,
            reason,
            detail,
        };
        let left = self.append(&live, entry).await;
        self.forget_if_closed(&live);
        match left {
            Err(Failed::Unavailable) => Err(Refused::Unavailable),
            // A room that has closed meanwhile has nobody left to remove.
            Ok(_) | Err(Failed::Closed) => Ok(()),
        }
    }

    /// Closes a room; whether it existed.
    ///
    /// # Errors
    /// The store of shared rooms does not answer.
    pub async fn close(&self, room: &RoomId, detail: Option<Arc<str>>) -> Result<bool, Refused> {
        let Some(live) = self.room(room) else {
            return Ok(false);
        };
        let existed = !live.lock().room.is_empty();
        let closed = self.append(&live, Entry::Close { detail }).await;
        self.forget_if_closed(&live);
        match closed {
            Err(Failed::Unavailable) => Err(Refused::Unavailable),
            closed => Ok(closed.is_ok() && existed),
        }
    }

    /// Whether the node is going away.
    pub fn is_draining(&self) -> bool {
        self.inner.shared.draining.load(Ordering::Relaxed)
    }

    /// Goes away: refuses what is new, and ends each reader at the moment that `spread` draws for
    /// it out of `0..window`.
    pub fn drain(&self, window: Duration, mut spread: impl FnMut(Duration) -> Duration) {
        self.inner.shared.draining.store(true, Ordering::Relaxed);
        let now = self.now();
        for live in self.all_live(|_| true) {
            let mut state = live.lock();
            let mut first = None;
            for (_, member) in state.room.seated() {
                for slot in member.seat.slots() {
                    let at = now + spread(window);
                    slot.drain_at = Some(at);
                    first = Some(first.map_or(at, |first: Time| first.min(at)));
                }
            }
            live.arm(&mut state, first);
        }
    }
}
