//! One room on this node: the pure room with the seats of its peers, and the lock around it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};

use super::clock::Clock;
use super::common::Common;
use super::duties::{Judge, deadline};
use super::ends::{End, Ends};
use super::replica::Replica;
use super::seat::Seat;
use super::timer::{Deadline, Timer};
use super::witness::Witness;
use crate::backplane::{Failed, Log};
use crate::proto::{
    Applied, Bounds, Calls, Entry, Gauge, Gone, Outcome, PeerId, Room, RoomId, Time,
};

/// What all rooms of a node share.
pub(super) struct Shared {
    pub(super) clock: Clock,
    /// What bounds rooms.
    pub(super) bounds: Arc<Bounds>,
    pub(super) timer: Timer,
    /// What all mailboxes hold.
    pub(super) held: Gauge,
    /// The node goes away: from then on leases and held events keep.
    pub(super) draining: AtomicBool,
    pub(super) ends: Mutex<Ends>,
    /// Where rooms are shared with other nodes.
    pub(super) common: Option<Common>,
    /// Who looks on.
    pub(super) witness: OnceLock<Arc<dyn Witness>>,
}

/// A room that somebody is in.
pub(super) struct Live {
    pub(super) shared: Arc<Shared>,
    pub(super) id: RoomId,
    state: Mutex<State>,
    /// For the timer: this room's own handle.
    own: std::sync::Weak<Live>,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) room: Room<Seat>,
    /// The last peer has left; nobody can join here any more.
    pub(super) closed: bool,
    deadline: Option<Deadline>,
    /// Where the room is shared with other nodes.
    pub(super) replica: Option<Box<Replica>>,
}

impl Live {
    pub(super) fn new(shared: &Arc<Shared>, id: &RoomId) -> Arc<Self> {
        let room = match shared.common {
            Some(_) => Room::shared(id.clone()),
            None => Room::new(id.clone(), shared.bounds.clone()),
        };
        Self::of(shared, room)
    }

    /// A room that was kept, with the seats of its peers.
    pub(super) fn restored(shared: &Arc<Shared>, mut room: Room<Seat>, now: Time) -> Arc<Self> {
        let members = room.seated().map(|(_, member)| member);
        let first = members
            .filter_map(|member| deadline(member, now, &shared.bounds.timings))
            .min();
        let live = Self::of(shared, room);
        let mut state = live.lock();
        live.arm(&mut state, first);
        drop(state);
        live
    }

    fn of(shared: &Arc<Shared>, mut room: Room<Seat>) -> Arc<Self> {
        room.count_in(&shared.held);
        let id = room.id().clone();
        let state = State {
            room,
            closed: false,
            deadline: None,
            replica: None,
        };
        Arc::new_cyclic(|own| Self {
            shared: shared.clone(),
            id,
            state: Mutex::new(state),
            own: own.clone(),
        })
    }

    /// A room of this name with nobody in it.
    pub(super) fn empty(&self) -> Room<Seat> {
        Room::new(self.id.clone(), self.shared.bounds.clone())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Has the room looked at again once `at` is past, if that is before its present deadline.
    pub(super) fn arm(&self, state: &mut State, at: Option<Time>) {
        let earlier = |at: &Time| state.deadline.is_none_or(|deadline| *at < deadline.at);
        let Some(at) = at.filter(earlier) else { return };
        state.deadline = Some(self.shared.timer.set(at, self.own.clone(), state.deadline));
    }

    /// Has the room looked at again once something is due for `peer`.
    pub(super) fn rearm(&self, state: &mut State, peer: &PeerId, now: Time) {
        let timings = &self.shared.bounds.timings;
        let shared = self.shared.common.is_some();
        let at = state.room.present(peer).and_then(|member| {
            // Who is looked after here since just now may be overdue.
            let overdue = shared && member.attendance.lease.due(now, timings).is_some();
            let due = deadline(member, now, timings);
            if overdue { Some(now) } else { due }
        });
        self.arm(state, at);
    }

    /// Does what is due. Returns entries to append, for peers that have gone away or are lost.
    pub(super) fn tick(&self, now: Time) -> Vec<Entry> {
        let mut state = self.lock();
        match state.deadline.take() {
            // It was put off between its falling due and this call.
            Some(later) if later.at > now => {
                state.deadline = Some(later);
                return Vec::new();
            }
            Some(past) => self.shared.timer.cancel(past),
            None => {}
        }
        let (mut entries, mut wakers) = (Vec::new(), Vec::new());
        let draining = self.shared.draining.load(Ordering::Relaxed);
        let mut judge = Judge::new(&self.shared, &self.id, now, draining);
        let mut next = None;
        if !draining {
            let window = self.shared.bounds.timings.resume_window;
            let oldest = state.room.expire(judge.surely(now), window);
            next = oldest.map(|at| judge.surely_past(at));
        }
        let mut replica = state.replica.take();
        judge.replica = replica.as_deref_mut();
        // By name: what falls due at once does not come in an order of chance.
        let mut seated: Vec<_> = state.room.seated().collect();
        seated.sort_by(|a, b| a.0.cmp(b.0));
        for (peer, member) in seated {
            if judge.duties(peer, member, &mut entries) {
                // It is looked at again only if the entry should not take effect.
                next = earlier(next, Some(now + judge.timings.heartbeat));
                continue;
            }
            member.seat.tick(now, &mut wakers);
            next = earlier(next, deadline(member, now, judge.timings));
        }
        next = earlier(next, judge.finish());
        state.replica = replica;
        self.arm(&mut state, next);
        drop(state);
        wake(wakers);
        entries
    }

    /// Does what follows from an applied entry, of this node's `own` or of another's. Whom to wake.
    pub(super) fn settle(
        &self,
        state: &mut State,
        applied: Applied<Seat>,
        now: Time,
        own: bool,
    ) -> (Outcome, Calls<Seat>) {
        self.witnessed(&applied, own, now);
        let Applied {
            outcome,
            mut calls,
            gone,
            stirred,
            ..
        } = applied;
        for gone in gone {
            let Gone {
                peer,
                epoch,
                reason,
                detail,
                mut seat,
            } = gone;
            let room = self.id.clone();
            let end = End {
                room,
                peer,
                reason,
                detail,
            };
            self.shared.ends.lock().insert(epoch, end, now);
            calls.extend(seat.slots().filter_map(|slot| slot.waker.take()));
        }
        for peer in stirred {
            self.rearm(state, &peer, now);
        }
        let over = state.room.is_empty() && state.room.applied() > 0;
        // A shared room can begin anew where its log goes on.
        state.closed |= over && self.shared.common.is_none();
        (outcome, calls)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(deadline) = self.state.get_mut().deadline.take() {
            self.shared.timer.cancel(deadline);
        }
    }
}

impl Log for Live {
    fn apply_next(&self, entry: Entry) -> Result<Outcome, Failed> {
        let now = self.shared.clock.now();
        let mut state = self.lock();
        if state.closed {
            return Err(Failed::Closed);
        }
        let position = state.room.applied() + 1;
        let applied = state.room.apply(position, now, entry);
        let (outcome, calls) = self.settle(&mut state, applied, now, true);
        drop(state);
        wake(calls);
        Ok(outcome)
    }
}

/// Wakes readers; never under a lock, since a waker may run what it wakes.
pub(super) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    [a, b].into_iter().flatten().min()
}
