//! Time since the relay was started.

use std::time::Instant;

/// When it was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uptime(Instant);

impl Uptime {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// In nanoseconds, for five hundred years.
    pub(super) fn nanos(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    /// In seconds.
    pub(super) fn seconds(self) -> u32 {
        self.0.elapsed().as_secs() as u32
    }
}
