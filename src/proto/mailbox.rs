//! An incarnation's ordered, bounded log of events; its readers read it by cursor.
//!
//! An entry is *unwritten* until a reader of `/events` or `/poll` was handed it, *held* after that
//! until the client presents a cursor at or past it, the resume window runs out, or the bounds press.

mod item;
mod shared;
mod start;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::event::Frame;
use super::gauge::{Gauge, Part};
use super::id::{Epoch, SessionId};
use super::ring::push_back;
use super::time::Time;
pub(super) use item::What;
use item::{Item, Tally};
pub use start::{Gap, Start};

/// Where a mailbox is read; each door has an acknowledgement of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// `/events` and `/poll`: everything.
    Events,
    /// `/notices`: ends only.
    Notices,
}

impl Door {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Events, Self::Notices];
}

/// The bounds of a mailbox; 0 is no bound.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct MailboxLimits {
    /// Unwritten signals, and as many held events.
    pub events: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Unwritten control events: presence and ends.
    pub control_events: usize,
    /// Their bytes.
    pub control_bytes: usize,
}

/// What one door knows of its reader's progress.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Mark {
    /// The highest number that a client presented here.
    acked: u64,
    /// The highest number that this door can no longer give.
    floor: u64,
    /// The highest number that went although nobody had acknowledged it.
    lost: u64,
    /// The highest number of a control event that found no room.
    overflow: u64,
}

/// The log of one incarnation's events.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mailbox {
    epoch: Epoch,
    head: u64,
    items: VecDeque<Item>,
    /// The highest number handed to a reader at `/events` or `/poll`.
    written: u64,
    events: Mark,
    notices: Mark,
    /// Unwritten signals.
    signals: Tally,
    /// Unwritten control events.
    control: Tally,
    /// Written events still held.
    held: Tally,
    /// All of them, in what the node holds.
    #[serde(skip)]
    part: Part,
}

impl Mailbox {
    /// An empty mailbox of the incarnation `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            head: 0,
            items: VecDeque::new(),
            written: 0,
            events: Mark::default(),
            notices: Mark::default(),
            signals: Tally::default(),
            control: Tally::default(),
            held: Tally::default(),
            part: Part::default(),
        }
    }

    /// Has its bytes counted in `gauge` from now on.
    pub(super) fn count_in(&mut self, gauge: &Gauge) {
        self.part = Part::of(gauge);
        self.count();
    }

    fn count(&mut self) {
        let Self {
            signals,
            control,
            held,
            part,
            ..
        } = self;
        part.set(signals.bytes + control.bytes + held.bytes);
    }

    /// How many numbers were given after `from`, up to `to`.
    fn distance(from: u64, to: u64) -> u64 {
        to.saturating_sub(from) & COUNT
    }

    /// The number of the last event put in.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The cursor that names position `seq`.
    pub fn cursor(&self, seq: u64) -> Cursor {
        Cursor {
            epoch: self.epoch,
            seq,
        }
    }

    /// The highest cursor that a client presented at `/events` or `/poll`.
    pub fn acknowledged(&self) -> Cursor {
        self.cursor(self.events.acked)
    }

    /// How many signals wait unwritten.
    pub fn waiting(&self) -> usize {
        self.signals.events
    }

    /// How many events are held, written or not.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a signal of `cost` bytes from `sender` finds room. One sender may fill half.
    pub(super) fn accepts(&self, sender: Epoch, cost: usize, limits: &MailboxLimits) -> bool {
        let mut all = self.signals;
        all.events += 1;
        all.bytes += cost;
        if all.is_over(limits.events, limits.bytes) {
            return false;
        }
        let (events, bytes) = (half(limits.events), half(limits.bytes));
        if !all.is_over(events, bytes) {
            return true;
        }
        let mut own = Tally {
            events: 1,
            bytes: cost,
        };
        for item in self.unwritten() {
            if matches!(item.what, What::Signal(from) if from == sender) {
                own.add(item);
            }
        }
        !own.is_over(events, bytes)
    }

    /// Whether a control event of `cost` bytes leaves half of the reserve's bytes free.
    pub(super) fn takes_control(&self, cost: usize, limits: &MailboxLimits) -> bool {
        let half = half(limits.control_bytes);
        half == 0 || self.control.bytes + cost <= half
    }

    /// Puts in a signal that [`Mailbox::accepts`] had room for.
    pub(super) fn push_signal(&mut self, sender: Epoch, frame: Frame, limits: &MailboxLimits) {
        self.push(frame, What::Signal(sender), limits);
        self.count();
    }

    /// Puts in a control event. Past the reserve the oldest unwritten control event goes missing,
    /// and the next reader is told.
    pub(super) fn push_control(&mut self, frame: Frame, what: What, limits: &MailboxLimits) {
        self.push(frame, what, limits);
        self.keep_reserve(limits);
    }

    /// Past the reserve the oldest unwritten control event goes missing.
    fn keep_reserve(&mut self, limits: &MailboxLimits) {
        while self
            .control
            .is_over(limits.control_events, limits.control_bytes)
        {
            let from = self.position_after(self.written);
            let oldest = self.items.range(from..).position(|item| !item.is_signal());
            let Some(item) = oldest.and_then(|at| self.items.remove(from + at)) else {
                break;
            };
            self.control.sub(&item);
            self.events.overflow = self.events.overflow.max(item.seq);
            // Written is not delivered: only a presented cursor shows that it came.
            if item.is_notice() && item.seq > self.notices.acked {
                self.notices.overflow = self.notices.overflow.max(item.seq);
            }
        }
        self.count();
    }

    /// Puts in news of a peer's presence: unwritten news of the same sort is overwritten where it
    /// stands, so that a peer that flaps costs one event. A `peer-joined` keeps its name. Where it `lags`,
    /// readers may have been handed more than is known here to be written.
    pub(super) fn push_presence(
        &mut self,
        frame: Frame,
        what: What,
        lags: bool,
        limits: &MailboxLimits,
    ) {
        let from = self.position_after(self.written);
        let same = |item: &Item| match (&item.what, &what) {
            (What::Info(a), What::Info(b)) | (What::Absence(a), What::Absence(b)) => a == b,
            _ => false,
        };
        if lags {
            // What was handed out is not overwritten: the newer news comes behind all others.
            let older = |item: &Item| same(item) && item.frame.name() != b"peer-joined";
            let at = self.items.range(from..).position(older);
            if let Some(item) = at.and_then(|at| self.items.remove(from + at)) {
                self.control.sub(&item);
            }
            return self.push_control(frame, what, limits);
        }
        let Some(item) = self.items.range_mut(from..).find(|item| same(item)) else {
            return self.push_control(frame, what, limits);
        };
        self.control.sub(item);
        let first_news = item.frame.name() == b"peer-joined";
        item.frame = if first_news {
            frame.renamed("peer-joined")
        } else {
            frame
        };
        self.control.add(item);
        // The newer news may be longer.
        self.keep_reserve(limits);
    }

    fn push(&mut self, frame: Frame, what: What, limits: &MailboxLimits) {
        self.head += 1;
        let item = Item {
            seq: self.head,
            frame,
            what,
            written: None,
        };
        let tally = if item.is_signal() {
            &mut self.signals
        } else {
            &mut self.control
        };
        tally.add(&item);
        push_back(&mut self.items, limits.events, item);
    }

    /// The events after `seq` that `door` gives, narrowed to the end of the session `only`.
    pub fn after<'a>(
        &'a self,
        door: Door,
        only: Option<&'a SessionId>,
        seq: u64,
    ) -> impl Iterator<Item = (u64, &'a Frame)> {
        let items = self.items.range(self.position_after(seq)..);
        items
            .filter(move |item| item.is_for(door, only))
            .map(|item| (item.seq, &item.frame))
    }

    /// The highest number of a control event that `door` could not be given for want of room.
    pub fn overflow(&self, door: Door) -> u64 {
        self.mark(door).overflow
    }

    /// Whether a reader at `door` that stands at `seq` has missed something since it was told of
    /// the overflow `told`.
    pub fn has_missed(&self, door: Door, seq: u64, told: u64) -> bool {
        let mark = self.mark(door);
        mark.lost > seq || mark.overflow > seq.max(told)
    }

    /// Notes that a reader at `door` was handed everything up to `seq`.
    pub fn wrote(&mut self, door: Door, seq: u64, now: Time, limits: &MailboxLimits) {
        if door == Door::Notices {
            return;
        }
        self.mark_written(seq, now);
        self.keep_bounds(limits);
    }

    /// Past the bounds the oldest of what was written goes.
    pub fn keep_bounds(&mut self, limits: &MailboxLimits) {
        while self.held.is_over(limits.events, limits.bytes) && self.drop_front() {}
        self.count();
    }

    /// Drops the oldest of what was written until `cost` bytes more come to no more than `most`;
    /// whether that is enough.
    pub(super) fn press(&mut self, cost: usize, most: usize) -> bool {
        let waiting = self.signals.bytes + self.control.bytes;
        let fits = waiting + cost <= most;
        while fits && waiting + self.held.bytes + cost > most && self.drop_front() {}
        self.count();
        fits
    }

    /// Drops what was written a resume window ago, and gives the memory back where nothing is left.
    pub fn expire(&mut self, now: Time, window: Duration) {
        let old = |item: &Item| item.written.is_some_and(|at| now.since(at) >= window);
        while self.items.front().is_some_and(old) && self.drop_front() {}
        self.count();
        self.shrink();
    }

    /// When [`Mailbox::expire`] will next find something.
    pub fn deadline(&self, window: Duration) -> Option<Time> {
        self.items
            .front()
            .and_then(|item| item.written)
            .map(|at| at + window)
    }

    fn mark(&self, door: Door) -> &Mark {
        match door {
            Door::Events => &self.events,
            Door::Notices => &self.notices,
        }
    }

    fn mark_written(&mut self, seq: u64, now: Time) {
        let from = self.position_after(self.written);
        for item in self
            .items
            .range_mut(from..)
            .take_while(|item| item.seq <= seq)
        {
            item.written = Some(now);
            let tally = if item.is_signal() {
                &mut self.signals
            } else {
                &mut self.control
            };
            tally.sub(item);
            self.held.add(item);
        }
        self.written = self.written.max(seq);
    }

    fn acknowledge(&mut self, door: Door, seq: u64, now: Time) {
        if door == Door::Notices {
            self.notices.acked = self.notices.acked.max(seq);
        } else {
            self.events.acked = self.events.acked.max(seq);
            // What a client has seen was written, whoever wrote it.
            self.mark_written(seq, now);
            self.events.floor = self.events.floor.max(seq);
        }
        let (events, notices) = (self.events.acked, self.notices.acked);
        let upto = self.position_after(events);
        let kept = |item: &Item| item.is_notice() && item.seq > notices;
        if !self.items.iter().take(upto).all(kept) {
            let held = &mut self.held;
            self.items.retain(|item| {
                let keep = item.seq > events || kept(item);
                if !keep {
                    held.sub(item);
                }
                keep
            });
            // What went was acknowledged where notices count too, or was none.
            self.notices.floor = self.notices.floor.max(events.min(notices));
        }
        self.count();
        self.shrink();
    }

    /// Drops the oldest event if it was written; whether it did.
    fn drop_front(&mut self) -> bool {
        let is_written = |item: &mut Item| item.written.is_some();
        let Some(item) = self.items.pop_front_if(is_written) else {
            return false;
        };
        self.held.sub(&item);
        self.events.floor = self.events.floor.max(item.seq);
        if item.seq > self.events.acked {
            self.events.lost = self.events.lost.max(item.seq);
        }
        if item.is_notice() {
            self.notices.floor = self.notices.floor.max(item.seq);
            if item.seq > self.notices.acked {
                self.notices.lost = self.notices.lost.max(item.seq);
            }
        }
        true
    }

    fn unwritten(&self) -> impl Iterator<Item = &Item> {
        self.items.range(self.position_after(self.written)..)
    }

    fn position_after(&self, seq: u64) -> usize {
        // Readers stand near the end, and few numbers are missing there.
        let later = usize::try_from(Self::distance(seq, self.head)).unwrap_or(usize::MAX);
        let guess = self.items.len().saturating_sub(later);
        let is_later = |at: usize| self.items.get(at).is_none_or(|item| item.seq > seq);
        if is_later(guess) && (guess == 0 || !is_later(guess - 1)) {
            return guess;
        }
        self.items.partition_point(|item| item.seq <= seq)
    }

    fn shrink(&mut self) {
        if self.items.is_empty() && self.items.capacity() > 0 {
            self.items = VecDeque::new();
        }
    }
}

/// A number is the count of the events of its mailbox, in so many bits; above it stands how often it
/// has leaped. To JavaScript, too, it is an integer.
const COUNT_BITS: u32 = 32;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

/// One sender's share of a bound; no bound has no half.
fn half(bound: usize) -> usize {
    if bound == 0 { 0 } else { (bound / 2).max(1) }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod model;
