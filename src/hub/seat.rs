//! What this node knows of one incarnation beside the room: its lease, readers and tickets.

use std::task::Waker;
use std::time::Duration;

use super::place::{Counted, Place};
use super::saved::SavedSeat;
use super::ticket::{TicketId, Tickets};
use crate::proto::{Door, Epoch, Lease, Mailbox, Reason, Seating, Time, Timings};

/// The first `ping` of a stream follows its `ready` by this, as a write of its own (section 5).
pub(super) const FIRST_PING: Duration = Duration::from_millis(300);

/// An open reader, as its peer's seat sees it.
#[derive(Debug)]
pub(super) struct Slot {
    /// Tells this reader from older ones at the same door.
    pub(super) generation: u64,
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
    /// Whether the first ping was written.
    pub(super) proved: bool,
    /// Whether a `wake` is to be written.
    pub(super) wake: bool,
    /// The ticket that it was opened with.
    pub(super) ticket: Option<Box<TicketId>>,
    /// What it takes up. A reader that was replaced or cut takes up nothing, however long its
    /// connection is still held.
    pub(super) _places: (Counted, Option<Place>),
}

impl Slot {
    /// The ticket that it was opened with.
    pub(super) fn ticket(&self) -> Option<TicketId> {
        self.ticket.as_deref().copied()
    }

    /// There is something for the reader: its waker, where it waits.
    fn rouse(&mut self, now: Time) -> Option<Waker> {
        self.stuck.get_or_insert(now);
        self.waker.take()
    }
}

/// One incarnation on this node.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) lease: Lease,
    pub(super) tickets: Tickets,
    /// Whether the notices reader was told that signals wait, since they began to.
    pub(super) told: bool,
    events: Chair,
    notices: Chair,
    /// What the incarnation takes up.
    place: Option<Place>,
    generation: u64,
}

/// Where one door's reader sits.
#[derive(Debug, Default)]
struct Chair {
    slot: Option<Box<Slot>>,
    /// The reader that was ended while its connection could not be told; until another takes over.
    cut: Option<Box<Cut>>,
}

/// A reader that no longer counts, though its connection may be open still.
#[derive(Clone, Copy, Debug)]
struct Cut {
    generation: u64,
    reason: Reason,
    ticket: Option<TicketId>,
}

impl Seating for Seat {
    type Call = Waker;

    fn begin(now: Time) -> Self {
        Self {
            lease: Lease::new(now),
            tickets: Tickets::default(),
            told: false,
            events: Chair::default(),
            notices: Chair::default(),
            place: None,
            generation: 0,
        }
    }

    fn notify(&mut self, mailbox: &Mailbox, now: Time, calls: &mut impl Extend<Waker>) {
        if let Some(slot) = &mut self.events.slot {
            calls.extend(slot.rouse(now));
        } else if let Some(slot) = &mut self.notices.slot
            && mailbox.waiting() > 0
            && !self.told
        {
            self.told = true;
            slot.wake = true;
        }
        if let Some(slot) = &mut self.notices.slot {
            calls.extend(slot.rouse(now));
        }
    }
}

impl Seat {
    /// A seat that was kept; its lease begins afresh.
    pub(super) fn restored(saved: SavedSeat, now: Time) -> Self {
        let mut seat = Self::begin(now);
        seat.lease = saved.lease;
        seat.lease.renew(now);
        seat.tickets = saved.tickets;
        seat
    }

    pub(super) fn into_saved(self, epoch: Epoch) -> SavedSeat {
        SavedSeat {
            epoch,
            lease: self.lease,
            tickets: self.tickets,
        }
    }

    /// The incarnation takes up `place` for as long as it is present.
    pub(super) fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The tickets of the readers that are open.
    pub(super) fn open_tickets(&self) -> [Option<TicketId>; 2] {
        let of = |chair: &Chair| chair.slot.as_ref().and_then(|slot| slot.ticket());
        [of(&self.events), of(&self.notices)]
    }

    /// The open reader at `door`.
    pub(super) fn slot(&mut self, door: Door) -> &mut Option<Box<Slot>> {
        &mut self.chair(door).slot
    }

    fn chair(&mut self, door: Door) -> &mut Chair {
        match door {
            Door::Events => &mut self.events,
            Door::Notices => &mut self.notices,
        }
    }

    /// The reader of that generation at `door`, or why it is not the one any more.
    pub(super) fn own_slot(&mut self, door: Door, generation: u64) -> Result<&mut Slot, Reason> {
        let Chair { slot, cut } = self.chair(door);
        match (slot, cut) {
            (Some(slot), _) if slot.generation == generation => Ok(slot),
            (_, Some(cut)) if cut.generation == generation => Err(cut.reason),
            _ => Err(Reason::Replaced),
        }
    }

    /// Seats a new reader; the older one's waker, to be woken, and whether the peer is back by this.
    pub(super) fn take(
        &mut self,
        door: Door,
        mut slot: Slot,
        now: Time,
    ) -> (u64, Vec<Waker>, bool) {
        self.generation += 1;
        slot.generation = self.generation;
        let shown = slot.ticket();
        let chair = self.chair(door);
        let cut = chair.cut.take();
        let old = chair.slot.replace(Box::new(slot));
        let former = old.as_ref().and_then(|old| old.ticket());
        let former = former.or(cut.and_then(|cut| cut.ticket));
        // An EventSource that reconnects while its lost connection is still held is the same.
        if let Some(ticket) = former.filter(|ticket| shown != Some(*ticket)) {
            let open = self.open_tickets();
            self.tickets.kill(ticket, open);
        }
        let mut wakers = Vec::new();
        if let Some(old) = old {
            wakers.extend(old.waker);
            self.lease.detached(now);
        }
        if door == Door::Events {
            self.told = false;
        }
        (self.generation, wakers, self.lease.attached())
    }

    /// A reader is gone; whether it was still the one at its door.
    pub(super) fn release(&mut self, door: Door, generation: u64, now: Time) -> bool {
        if self.own_slot(door, generation).is_err() {
            return false;
        }
        *self.slot(door) = None;
        self.lease.detached(now);
        true
    }

    /// Ends the reader at `door`, whose connection may not hear of it; its lease runs from now. Its
    /// waker.
    fn cut(&mut self, door: Door, reason: Reason, now: Time) -> Option<Waker> {
        let chair = self.chair(door);
        let slot = chair.slot.take()?;
        chair.cut = Some(Box::new(Cut {
            generation: slot.generation,
            reason,
            ticket: slot.ticket(),
        }));
        self.lease.detached(now);
        slot.waker
    }

    /// Ends all readers for want of a proof of life. Whom to wake.
    pub(super) fn silence(&mut self, now: Time) -> impl Iterator<Item = Waker> {
        let both = [Door::Events, Door::Notices].map(|door| self.cut(door, Reason::Silent, now));
        both.into_iter().flatten()
    }

    /// Ends the reader at `door` if its connection has taken nothing for too long; whether it did.
    pub(super) fn cut_if_stuck(&mut self, door: Door, now: Time, timings: &Timings) -> bool {
        let slow = timings.slow_after;
        let stuck = self.slot(door).as_ref().and_then(|slot| slot.stuck);
        let late = !slow.is_zero() && stuck.is_some_and(|since| now.since(since) >= slow);
        if late {
            // It waits for its connection, not for a waker.
            self.cut(door, Reason::Slow, now);
        }
        late
    }

    /// All open readers.
    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        let both = self.events.slot.iter_mut().chain(&mut self.notices.slot);
        both.map(Box::as_mut)
    }

    /// The client is about to close.
    pub(super) fn announce_closing(&mut self, now: Time, timings: &Timings) {
        self.lease.announce_closing(now);
        let soon = now + self.lease.heartbeat(now, timings);
        for ping_at in self.slots().filter_map(|slot| slot.ping_at.as_mut()) {
            *ping_at = (*ping_at).min(soon);
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

    /// When this seat next needs to be looked at, later than `now`.
    pub(super) fn deadline(&mut self, now: Time, timings: &Timings) -> Option<Time> {
        let heartbeat = self.lease.heartbeat(now, timings);
        let lease = self.lease.deadline(timings);
        let slots = self.slots().flat_map(|slot| {
            // A reader that was just woken for its ping comes back a heartbeat later.
            let ping = slot
                .ping_at
                .map(|at| if at <= now { now + heartbeat } else { at });
            let slow = timings.slow_after;
            let slow = slot.stuck.filter(|_| !slow.is_zero()).map(|at| at + slow);
            [ping, slot.drain_at, slot.until, slow]
        });
        // What is past has its call under way, or waits while the node goes away.
        slots.chain([lease]).flatten().filter(|at| *at > now).min()
    }
}
