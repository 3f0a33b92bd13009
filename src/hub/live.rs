//! One room on this node: the pure room, the seats of its peers, and the lock around both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};

use super::clock::Clock;
use super::ends::{End, Ends};
use super::seat::Seat;
use super::timer::{Deadline, Timer};
use crate::backplane::{Closed, Log};
use crate::proto::{
    Applied, Door, Due, Entry, Epoch, Gauge, Map, Member, Outcome, PeerId, Room, RoomId,
    RoomLimits, Time, Timings,
};

/// What all rooms of a node share.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) timings: Timings,
    pub(super) limits: RoomLimits,
    pub(super) timer: Timer,
    /// What all mailboxes hold.
    pub(super) held: Gauge,
    /// The node goes away: from then on leases and held events keep.
    pub(super) draining: AtomicBool,
    pub(super) ends: Mutex<Ends>,
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
    pub(super) room: Room,
    pub(super) seats: Map<PeerId, Box<Seat>>,
    /// The last peer has left; nobody can join here any more.
    pub(super) closed: bool,
    deadline: Option<Deadline>,
}

impl State {
    /// The seat and the member of an incarnation that is present.
    pub(super) fn incarnation(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
    ) -> Option<(&mut Seat, &mut Member)> {
        let seat = self
            .seats
            .get_mut(peer)
            .filter(|seat| seat.epoch == epoch)?;
        Some((seat, self.room.incarnation(peer, epoch)?))
    }

    /// An entry about a peer's absence or end that was overtaken by its return, or the other way round.
    fn is_stale(&self, entry: &Entry, now: Time, timings: &Timings) -> bool {
        let seat = |peer: &PeerId| self.seats.get(peer);
        match entry {
            Entry::Absence { peer, away, .. } => {
                seat(peer).is_none_or(|seat| seat.lease.is_away() != *away)
            }
            Entry::Lapse { peer, reason, .. } => {
                seat(peer).is_none_or(|seat| seat.lease.over(now, timings) != Some(*reason))
            }
            Entry::Leave { .. }
            | Entry::Join(_)
            | Entry::Meta { .. }
            | Entry::Send { .. }
            | Entry::Close { .. } => false,
        }
    }
}

impl Live {
    pub(super) fn new(shared: &Arc<Shared>, id: &RoomId) -> Arc<Self> {
        let room = Room::new(id.clone(), shared.limits, &shared.timings);
        Self::of(shared, room, Map::default())
    }

    /// A room that was kept, with the seats of its peers.
    pub(super) fn restored(
        shared: &Arc<Shared>,
        room: Room,
        mut seats: Map<PeerId, Box<Seat>>,
        now: Time,
    ) -> Arc<Self> {
        let deadlines = seats
            .values_mut()
            .filter_map(|seat| seat.deadline(now, &shared.timings));
        let first = deadlines.min();
        let live = Self::of(shared, room, seats);
        let mut state = live.lock();
        live.arm(&mut state, first);
        drop(state);
        live
    }

    fn of(shared: &Arc<Shared>, mut room: Room, seats: Map<PeerId, Box<Seat>>) -> Arc<Self> {
        room.count_in(&shared.held);
        let id = room.id().clone();
        let state = State {
            room,
            seats,
            closed: false,
            deadline: None,
        };
        Arc::new_cyclic(|own| Self {
            shared: shared.clone(),
            id,
            state: Mutex::new(state),
            own: own.clone(),
        })
    }

    /// A room of this name with nobody in it.
    pub(super) fn empty(&self) -> Room {
        Room::new(self.id.clone(), self.shared.limits, &self.shared.timings)
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
        let timings = &self.shared.timings;
        let (mut entries, mut wakers) = (Vec::new(), Vec::new());
        let draining = self.shared.draining.load(Ordering::Relaxed);
        let mut next = None;
        if !draining {
            next = state.room.expire(now, timings.resume_window);
        }
        let State { seats, room, .. } = &mut *state;
        // By name: what falls due at once does not come in an order of chance.
        let mut seats: Vec<_> = seats.iter_mut().collect();
        seats.sort_by(|a, b| a.0.cmp(b.0));
        for (peer, seat) in seats {
            let (peer, epoch) = (peer.clone(), seat.epoch);
            let due = if draining {
                None
            } else {
                seat.lease.due(now, timings)
            };
            match due {
                Some(Due::Away) => entries.push(Entry::Absence {
                    peer: peer.clone(),
                    epoch,
                    away: true,
                }),
                Some(Due::End(reason)) => {
                    entries.push(Entry::Lapse {
                        peer,
                        epoch,
                        reason,
                    });
                    // It is looked at again only if the entry should not take effect.
                    next = earlier(next, Some(now + timings.heartbeat));
                    continue;
                }
                Some(Due::Silent) => {
                    wakers.extend(seat.silence(now));
                    room.set_reading(&peer, epoch, false);
                }
                None => {}
            }
            if !draining {
                seat.cut_if_stuck(Door::Notices, now, timings);
                if seat.cut_if_stuck(Door::Events, now, timings) {
                    room.set_reading(&peer, epoch, false);
                    if let Some(member) = room.incarnation(&peer, epoch) {
                        seat.notify(&member.mailbox, now, &mut wakers);
                    }
                }
            }
            seat.tick(now, &mut wakers);
            next = earlier(next, seat.deadline(now, timings));
        }
        self.arm(&mut state, next);
        drop(state);
        wake(wakers);
        entries
    }

    /// Takes the news of an applied entry to the seats. Whom to wake.
    fn settle(&self, state: &mut State, applied: &Applied, now: Time) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if let Outcome::Joined(joined) = &applied.outcome
            && joined.new
        {
            let mut seat = Box::new(Seat::new(joined.epoch, now));
            let deadline = seat.deadline(now, &self.shared.timings);
            // The seat of an incarnation that this join replaced is among those gone, below.
            if let Some(mut old) = state.seats.insert(joined.peer.clone(), seat) {
                wakers.extend(old.slots().filter_map(|slot| slot.waker.take()));
            }
            self.arm(state, deadline);
        }
        for gone in &applied.gone {
            let end = End {
                room: self.id.clone(),
                peer: gone.peer.clone(),
                reason: gone.reason,
                detail: gone.detail.clone(),
            };
            self.shared.ends.lock().insert(gone.epoch, end, now);
            if state
                .seats
                .get(&gone.peer)
                .is_some_and(|seat| seat.epoch == gone.epoch)
                && let Some(mut seat) = state.seats.remove(&gone.peer)
            {
                wakers.extend(seat.slots().filter_map(|slot| slot.waker.take()));
            }
        }
        for peer in &applied.touched {
            if let (Some(seat), Some(member)) = (state.seats.get_mut(peer), state.room.member(peer))
            {
                seat.notify(&member.mailbox, now, &mut wakers);
            }
        }
        state.closed = state.closed || (state.room.is_empty() && state.room.applied() > 0);
        wakers
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
    fn apply_next(&self, entry: Entry) -> Result<Outcome, Closed> {
        let now = self.shared.clock.now();
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        if state.is_stale(&entry, now, &self.shared.timings) {
            return Ok(Outcome::Done);
        }
        let position = state.room.applied() + 1;
        let applied = state.room.apply(position, now, entry);
        let wakers = self.settle(&mut state, &applied, now);
        drop(state);
        wake(wakers);
        Ok(applied.outcome)
    }
}

/// Wakes readers; never under a lock, since a waker may run what it wakes.
pub(super) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    [a, b].into_iter().flatten().min()
}
