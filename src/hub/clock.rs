//! Where the hub's time comes from: the machine's monotonic clock, or a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::proto::Time;

/// A source of instants that never go back.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's: an instant, and what time it was then.
    Machine(Instant, Time),
    /// Moved by hand, in milliseconds.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock; now it is `now`.
    pub fn machine(now: Time) -> Self {
        Clock::Machine(Instant::now(), now)
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        match self {
            Clock::Machine(start, then) => *then + start.elapsed(),
            Clock::Manual(millis) => Time(millis.load(Ordering::Relaxed)),
        }
    }
}
