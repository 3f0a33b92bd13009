//! One room on this node: the pure room with the seats of its peers, and the lock around it.

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
    Applied, Calls, Door, Due, Entry, Gauge, Gone, Member, Outcome, PeerId, Room, RoomId,
    RoomLimits, Seating, Time, Timings,
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
    pub(super) room: Room<Seat>,
    /// The last peer has left; nobody can join here any more.
    pub(super) closed: bool,
    deadline: Option<Deadline>,
}

impl State {
    /// An entry about a peer's absence or end that was overtaken by its return, or the other way round.
    fn is_stale(&self, entry: &Entry, now: Time, timings: &Timings) -> bool {
        let seat = |peer: &PeerId| self.room.member(peer).map(|member| &member.seat);
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
        Self::of(shared, room)
    }

    /// A room that was kept, with the seats of its peers.
    pub(super) fn restored(shared: &Arc<Shared>, mut room: Room<Seat>, now: Time) -> Arc<Self> {
        let seats = room.seated().map(|(_, member)| &mut member.seat);
        let first = seats
            .filter_map(|seat| seat.deadline(now, &shared.timings))
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
        // By name: what falls due at once does not come in an order of chance.
        let mut seated: Vec<_> = state.room.seated().collect();
        seated.sort_by(|a, b| a.0.cmp(b.0));
        for (peer, member) in seated {
            let epoch = member.epoch;
            let Member { seat, mailbox, .. } = member;
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
                        peer: peer.clone(),
                        epoch,
                        reason,
                    });
                    // It is looked at again only if the entry should not take effect.
                    next = earlier(next, Some(now + timings.heartbeat));
                    continue;
                }
                Some(Due::Silent) => {
                    wakers.extend(seat.silence(now));
                    member.reading = false;
                }
                None => {}
            }
            if !draining {
                seat.cut_if_stuck(Door::Notices, now, timings);
                if seat.cut_if_stuck(Door::Events, now, timings) {
                    member.reading = false;
                    seat.notify(mailbox, now, &mut wakers);
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

    /// Does what follows from an applied entry. Whom to wake.
    fn settle(
        &self,
        state: &mut State,
        applied: Applied<Seat>,
        now: Time,
    ) -> (Outcome, Calls<Seat>) {
        let Applied {
            outcome,
            mut calls,
            gone,
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
        if let Outcome::Joined(joined) = &outcome
            && joined.new
            && let Some(member) = state.room.incarnation(&joined.peer, joined.epoch)
        {
            let deadline = member.seat.deadline(now, &self.shared.timings);
            self.arm(state, deadline);
        }
        state.closed = state.closed || (state.room.is_empty() && state.room.applied() > 0);
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
        let (outcome, calls) = self.settle(&mut state, applied, now);
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
