//! The ends of an incarnation's readers that are open on this node.

use std::task::Waker;
use std::time::Duration;

use super::place::{Counted, Place};
use crate::proto::{Door, Lease, Reason, Seating, Time, Timings};

/// The first `ping` of a stream follows its `ready` by this, as a write of its own (section 5).
pub(super) const FIRST_PING: Duration = Duration::from_millis(300);

/// An open reader, as its peer's seat sees it.
#[derive(Debug)]
pub(super) struct Slot {
    /// Wakes the reader, where it waits.
    pub(super) waker: Option<Waker>,
    /// The reader is to end, with this reason.
    pub(super) end: Option<Reason>,
    /// When the reader is to end for `drain`.
    pub(super) drain_at: Option<Time>,
    /// When the reader is to end for `expired`.
    pub(super) until: Option<Time>,
    /// When a stream that writes nothing else writes a `ping`; a poll has none.
    pub(super) ping_at: Option<Time>,
    /// Since when its connection takes nothing: it was woken and has not come, or has not taken all
    /// of what it came for.
    pub(super) stuck: Option<Time>,
    /// What it and the other nodes that share its room have to be told.
    pub(super) owes: Option<Box<Owes>>,
    /// Whether the first ping was written.
    pub(super) proved: bool,
    /// What it takes up. A reader that was replaced or cut takes up nothing, however long its
    /// connection is still held.
    pub(super) _places: (Counted, Option<Place>),
}

/// What a reader of a shared room, and the other nodes, have to be told.
#[derive(Debug, Default)]
pub(super) struct Owes {
    /// The reader of a stream: whether the store answers.
    pub(super) store: Option<bool>,
    /// The other nodes, from then on: up to where it was handed events.
    pub(super) at: Option<Time>,
    pub(super) written: u64,
    /// Up to where they are being told; and whether that has yet to be said.
    pub(super) told: u64,
    pub(super) now: bool,
}

impl Slot {
    /// There is something for the reader: its waker, where it waits.
    fn rouse(&mut self, now: Time) -> Option<Waker> {
        self.stuck.get_or_insert(now);
        self.waker.take()
    }

    fn is_stuck(&self, now: Time, timings: &Timings) -> bool {
        let slow = timings.slow_after;
        let late = |since| now.since(since) >= slow;
        !slow.is_zero() && self.stuck.is_some_and(late)
    }
}

/// One incarnation on this node.
#[derive(Debug, Default)]
pub(super) struct Seat {
    events: Option<Box<Slot>>,
    notices: Option<Box<Slot>>,
    /// Whether a `wake` is to be written to the notices reader.
    wake: bool,
    /// The incarnation is back by a request that came here: whether it is away again is judged here
    /// too, since whoever looks after it may take it to be away still.
    minded: bool,
    /// What the incarnation takes up.
    place: Option<Place>,
}

impl Seating for Seat {
    type Call = Waker;

    fn begin() -> Self {
        Self::default()
    }

    fn notify(&mut self, wake: bool, now: Time, calls: &mut impl Extend<Waker>) {
        self.wake |= wake;
        for slot in self.slots() {
            calls.extend(slot.rouse(now));
        }
    }

    fn replaced(&mut self, door: Door, wake: bool, calls: &mut impl Extend<Waker>) {
        self.unseated(door, calls);
        if door == Door::Notices {
            self.wake = wake;
        }
    }

    fn unseated(&mut self, door: Door, calls: &mut impl Extend<Waker>) {
        calls.extend(self.slot(door).take().and_then(|slot| slot.waker));
    }

    fn hurry(&mut self, at: Time) {
        for ping_at in self.slots().filter_map(|slot| slot.ping_at.as_mut()) {
            *ping_at = (*ping_at).min(at);
        }
    }
}

impl Seat {
    /// The incarnation takes up `place` for as long as it is present.
    pub(super) fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The incarnation is back by a request that came here.
    pub(super) fn mind(&mut self) {
        self.minded = true;
    }

    /// Whether it is judged here if it is away, though another node looks after it.
    pub(super) fn is_minded(&mut self, lease: &Lease) -> bool {
        self.minded &= !lease.is_away() && !lease.is_read();
        self.minded
    }

    /// Takes the place of a seat at which nobody sat while entries were applied.
    pub(super) fn go_on(&mut self, meanwhile: &Self) {
        self.wake |= meanwhile.wake;
        self.minded |= meanwhile.minded;
    }

    /// The reader at `door`, where it is open here.
    pub(super) fn slot(&mut self, door: Door) -> &mut Option<Box<Slot>> {
        match door {
            Door::Events => &mut self.events,
            Door::Notices => &mut self.notices,
        }
    }

    /// The same, and whether a `wake` is to be written to the notices reader.
    pub(super) fn slot_and_wake(&mut self, door: Door) -> (&mut Option<Box<Slot>>, &mut bool) {
        let slot = match door {
            Door::Events => &mut self.events,
            Door::Notices => &mut self.notices,
        };
        (slot, &mut self.wake)
    }

    /// Whether the connection of the reader at `door` has taken nothing for too long. It waits for
    /// that, not for a waker.
    pub(super) fn is_stuck(&mut self, door: Door, now: Time, timings: &Timings) -> bool {
        let slot = self.slot(door).as_ref();
        slot.is_some_and(|slot| slot.is_stuck(now, timings))
    }

    /// All readers that are open here.
    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        let both = self.events.iter_mut().chain(&mut self.notices);
        both.map(Box::as_mut)
    }

    /// The readers are told whether the store of shared rooms answers; where this node is fenced, they
    /// are to read elsewhere.
    pub(super) fn tell_store(
        &mut self,
        answers: bool,
        fenced: bool,
        now: Time,
        wakers: &mut Vec<Waker>,
    ) {
        for slot in self.slots() {
            if fenced {
                slot.end.get_or_insert(Reason::Drain);
            }
            if slot.ping_at.is_some() {
                slot.owes.get_or_insert_default().store = Some(answers);
            }
            wakers.extend(slot.rouse(now));
        }
    }

    /// Ends and wakes the readers for which something is due.
    pub(super) fn tick(&mut self, now: Time, wakers: &mut Vec<Waker>) {
        for slot in self.slots() {
            if slot.drain_at.is_some_and(|at| at <= now) {
                slot.end = Some(Reason::Drain);
                slot.drain_at = None;
            } else if slot.until.is_some_and(|at| at <= now) {
                slot.end.get_or_insert(Reason::Expired);
                slot.until = None;
            } else if slot.ping_at.is_none_or(|at| at > now) {
                continue;
            }
            wakers.extend(slot.rouse(now));
        }
    }

    /// When this incarnation next needs to be looked at, later than `now`.
    pub(super) fn deadline(&mut self, lease: &Lease, now: Time, timings: &Timings) -> Option<Time> {
        let heartbeat = lease.heartbeat(now, timings);
        let slots = self.slots().flat_map(|slot| {
            // A reader that was just woken for its ping comes back a heartbeat later.
            let ping = slot
                .ping_at
                .map(|at| if at <= now { now + heartbeat } else { at });
            let owes = slot.owes.as_ref().and_then(|owes| owes.at);
            let slow = timings.slow_after;
            let slow = slot.stuck.filter(|_| !slow.is_zero()).map(|at| at + slow);
            [ping, slot.drain_at, slot.until, slow, owes]
        });
        // What is past has its call under way, or waits while the node goes away.
        let all = slots.chain([lease.deadline(timings)]).flatten();
        all.filter(|at| *at > now).min()
    }
}
