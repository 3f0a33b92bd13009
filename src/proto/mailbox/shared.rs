//! A mailbox of a room that several nodes share: what they know of its readers comes late, and the end of
//! the log may be lost.

use super::{COUNT, COUNT_BITS, Mailbox, MailboxLimits, Tally};
use crate::proto::time::Time;

impl Mailbox {
    /// What was put in last may be lost to all but those who were handed it: no number of such an event
    /// is given to another.
    pub(in crate::proto) fn leap(&mut self) {
        let count = self.head & COUNT;
        self.head = ((self.head >> COUNT_BITS) + 1) << COUNT_BITS | count;
    }

    /// Notes that readers at `/events` or `/poll` were handed everything up to `seq`, as far as anyone
    /// knows.
    pub(in crate::proto) fn was_written(&mut self, seq: u64, now: Time, limits: &MailboxLimits) {
        self.mark_written(seq.min(self.head), now);
        self.keep_bounds(limits);
    }

    /// The signals and control events, and their bytes, that a reader which stands at `seq` was handed
    /// although they count as unwritten: whether they are a quarter of what may wait.
    pub fn is_far_behind(&self, seq: u64, limits: &MailboxLimits) -> bool {
        let (mut signals, mut control) = (Tally::default(), Tally::default());
        for item in self.unwritten().take_while(|item| item.seq <= seq) {
            let tally = if item.is_signal() {
                &mut signals
            } else {
                &mut control
            };
            tally.add(item);
        }
        let much = |tally: Tally, events: usize, bytes: usize| {
            (events > 0 && tally.events * 4 >= events) || (bytes > 0 && tally.bytes * 4 >= bytes)
        };
        much(signals, limits.events, limits.bytes)
            || much(control, limits.control_events, limits.control_bytes)
    }

    /// The highest number that is known to be written.
    pub fn written(&self) -> u64 {
        self.written
    }
}
