//! Where the hub's time comes from: the machine's monotonic clock, or a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::proto::Time;

/// A source of instants that never go back.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's, counted from the hub's start.
    Machine(Instant),
    /// Moved by hand, in milliseconds.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock, from now on.
    pub fn machine() -> Self {
        Clock::Machine(Instant::now())
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        match self {
            Clock::Machine(start) => {
                Time(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
            }
            Clock::Manual(millis) => Time(millis.load(Ordering::Relaxed)),
        }
    }
}
