//! Where the hub's time comes from: the machine's monotonic clock, or a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::backplane::store::Store;
use crate::proto::Time;

/// A source of instants that never go back.
#[derive(Clone)]
pub enum Clock {
    /// The machine's: an instant, and what time it was then.
    Machine(Instant, Time),
    /// That of a store which several nodes share, in milliseconds since 1970.
    Store(Arc<dyn Store>),
    /// Moved by hand, in milliseconds.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock; now it is `now`.
    pub fn machine(now: Time) -> Self {
        Clock::Machine(Instant::now(), now)
    }

    /// The present time by the calendar, in milliseconds since 1970: that of the store, where there is
    /// one, so that nodes agree on it.
    pub fn calendar(&self) -> u64 {
        if let Clock::Store(store) = self {
            return store.now().0;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        match self {
            Clock::Machine(start, then) => *then + start.elapsed(),
            Clock::Store(store) => store.now(),
            Clock::Manual(millis) => Time(millis.load(Ordering::Relaxed)),
        }
    }
}
