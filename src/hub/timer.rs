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

/// The deadlines of rooms, earliest first.
#[derive(Default)]
pub(super) struct Timer {
    queue: Mutex<BTreeMap<Time, Vec<Weak<Live>>>>,
    earlier: Notify,
}

impl Timer {
    /// Has `live` looked at once `at` is past.
    pub(super) fn arm(&self, at: Time, live: &Arc<Live>) {
        let at = Time(at.0.div_ceil(STEP_MS) * STEP_MS);
        let mut queue = self.queue.lock();
        let first = queue.first_key_value().is_none_or(|(first, _)| at < *first);
        queue.entry(at).or_default().push(Arc::downgrade(live));
        drop(queue);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Takes out the rooms whose deadlines are past.
    pub(super) fn due(&self, now: Time) -> Vec<Arc<Live>> {
        let mut queue = self.queue.lock();
        let mut due = Vec::new();
        while let Some(entry) = queue.first_entry().filter(|entry| *entry.key() <= now) {
            due.extend(entry.remove().iter().filter_map(Weak::upgrade));
        }
        due
    }

    /// Waits until something may be due.
    pub(super) async fn wait(&self, clock: &Clock) {
        let next = self.queue.lock().first_key_value().map(|(at, _)| *at);
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
