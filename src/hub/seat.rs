//! What this node knows of one incarnation beside the room: its lease, readers and tickets.

use std::task::Waker;
use std::time::Duration;

use super::saved::SavedSeat;
use super::ticket::{TicketId, Tickets};
use crate::proto::{Door, Epoch, Lease, Mailbox, Reason, Time, Timings};

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
    /// When a stream that writes nothing else writes a `ping`; a poll has none.
    pub(super) ping_at: Option<Time>,
    /// Whether the first ping was written.
    pub(super) proved: bool,
    /// Whether a `wake` is to be written.
    pub(super) wake: bool,
    /// The ticket that it was opened with.
    pub(super) ticket: Option<TicketId>,
}

/// One incarnation on this node.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) epoch: Epoch,
    pub(super) lease: Lease,
    pub(super) tickets: Tickets,
    /// Whether the notices reader was told that signals wait, since they began to.
    pub(super) told: bool,
    events: Option<Slot>,
    notices: Option<Slot>,
    generation: u64,
    /// Readers up to this generation were ended for want of a proof of life.
    silent: u64,
}

impl Seat {
    pub(super) fn new(epoch: Epoch, now: Time) -> Self {
        Self {
            epoch,
            lease: Lease::new(now),
            tickets: Tickets::default(),
            told: false,
            events: None,
            notices: None,
            generation: 0,
            silent: 0,
        }
    }

    /// A seat that was kept; its lease begins afresh.
    pub(super) fn restored(saved: SavedSeat, now: Time) -> Self {
        let mut seat = Self::new(saved.epoch, now);
        seat.lease = saved.lease;
        seat.lease.renew(now);
        seat.tickets = saved.tickets;
        seat
    }

    pub(super) fn into_saved(self) -> SavedSeat {
        SavedSeat {
            epoch: self.epoch,
            lease: self.lease,
            tickets: self.tickets,
        }
    }

    /// The open reader at `door`.
    pub(super) fn slot(&mut self, door: Door) -> &mut Option<Slot> {
        match door {
            Door::Events => &mut self.events,
            Door::Notices => &mut self.notices,
        }
    }

    /// The reader of that generation at `door`, or why it is not the one any more.
    pub(super) fn own_slot(&mut self, door: Door, generation: u64) -> Result<&mut Slot, Reason> {
        let silent = self.silent;
        match self.slot(door) {
            Some(slot) if slot.generation == generation => Ok(slot),
            _ if generation <= silent => Err(Reason::Silent),
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
        let old = self.slot(door).replace(slot);
        let mut wakers = Vec::new();
        if let Some(old) = old {
            // An EventSource that reconnects while its lost connection is still held is the same.
            let same = self.slot(door).as_ref().and_then(|slot| slot.ticket);
            if let Some(ticket) = old.ticket.filter(|ticket| same != Some(*ticket)) {
                self.tickets.kill(ticket);
            }
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

    /// Ends all readers for want of a proof of life. Whom to wake.
    pub(super) fn silence(&mut self, now: Time) -> Vec<Waker> {
        self.silent = self.generation;
        let mut wakers = Vec::new();
        for door in [Door::Events, Door::Notices] {
            if let Some(slot) = self.slot(door).take() {
                wakers.extend(slot.waker);
                self.lease.detached(now);
            }
        }
        wakers
    }

    /// Something was put into the mailbox. Whom to wake.
    pub(super) fn notify(&mut self, mailbox: &Mailbox, wakers: &mut Vec<Waker>) {
        if let Some(slot) = &mut self.events {
            wakers.extend(slot.waker.take());
        } else if let Some(slot) = &mut self.notices
            && mailbox.waiting() > 0
            && !self.told
        {
            self.told = true;
            slot.wake = true;
        }
        if let Some(slot) = &mut self.notices {
            wakers.extend(slot.waker.take());
        }
    }

    /// All open readers.
    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.events.iter_mut().chain(self.notices.iter_mut())
    }

    /// Ends and wakes the readers for which something is due.
    pub(super) fn tick(&mut self, now: Time, wakers: &mut Vec<Waker>) {
        for slot in self.slots() {
            if slot.drain_at.is_some_and(|at| at <= now) {
                slot.end = Some(Reason::Drain);
                slot.drain_at = None;
            } else if slot.ping_at.is_none_or(|at| at > now) {
                continue;
            }
            wakers.extend(slot.waker.take());
        }
    }

    /// When this seat next needs to be looked at, later than `now`.
    pub(super) fn deadline(&mut self, now: Time, timings: &Timings) -> Option<Time> {
        let heartbeat = timings.heartbeat;
        let lease = self.lease.deadline(timings);
        let slots = self.slots().flat_map(|slot| {
            // A reader that was just woken for its ping comes back a heartbeat later.
            let ping = slot
                .ping_at
                .map(|at| if at <= now { now + heartbeat } else { at });
            [ping, slot.drain_at]
        });
        // What is past has its call under way, or waits while the node goes away.
        slots.chain([lease]).flatten().filter(|at| *at > now).min()
    }
}
