//! Deadlines of all rooms in one place: one sleeper for everything that falls due.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::clock::Clock;
use super::live::Live;
use crate::proto::Time;

/// Deadlines are rounded up to this, so that many fall due in one go.
const STEP_MS: u64 = 20;

/// A deadline that was set: its time, and a number that tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub(super) at: Time,
    serial: u64,
}

/// The deadlines of rooms, earliest first; each room has one at most.
#[derive(Default)]
pub(super) struct Timer {
    queue: Mutex<Queue>,
    earlier: Notify,
}

#[derive(Default)]
struct Queue {
    serial: u64,
    deadlines: BTreeMap<Deadline, Weak<Live>>,
}

impl Timer {
    /// Has `live` looked at once `at` is past, instead of at its deadline `old`.
    pub(super) fn set(&self, at: Time, live: Weak<Live>, old: Option<Deadline>) -> Deadline {
        let at = Time(at.0.div_ceil(STEP_MS) * STEP_MS);
        let mut queue = self.queue.lock();
        if let Some(old) = old {
            queue.deadlines.remove(&old);
        }
        queue.serial += 1;
        let deadline = Deadline {
            at,
            serial: queue.serial,
        };
        let first = queue
            .deadlines
            .first_key_value()
            .is_none_or(|(first, _)| deadline < *first);
        queue.deadlines.insert(deadline, live);
        drop(queue);
        if first {
            self.earlier.notify_one();
        }
        deadline
    }

    /// Forgets a deadline.
    pub(super) fn cancel(&self, deadline: Deadline) {
        self.queue.lock().deadlines.remove(&deadline);
    }

    /// Takes out the rooms whose deadlines are past.
    pub(super) fn due(&self, now: Time) -> Vec<Arc<Live>> {
        let mut queue = self.queue.lock();
        let mut due = Vec::new();
        while let Some(entry) = queue
            .deadlines
            .first_entry()
            .filter(|entry| entry.key().at <= now)
        {
            due.extend(entry.remove().upgrade());
        }
        due
    }

    /// How many deadlines are set.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.lock().deadlines.len()
    }

    /// The first deadline.
    #[cfg(test)]
    pub(super) fn next(&self) -> Option<Time> {
        let queue = self.queue.lock();
        queue.deadlines.first_key_value().map(|(first, _)| first.at)
    }

    /// Waits until something may be due.
    pub(super) async fn wait(&self, clock: &Clock) {
        let next = self
            .queue
            .lock()
            .deadlines
            .first_key_value()
            .map(|(deadline, _)| deadline.at);
        match next {
            Some(at) => {
                let span = at.since(clock.now()).max(Duration::from_millis(1));
                tokio::select! {
                    () = tokio::time::sleep(span) => {}
                    () = self.earlier.notified() => {}
                }
            }
            None => self.earlier.notified().await,
        }
    }
}
