//! What a reader or a peer takes up for as long as it counts.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A place that a door has counted; dropping it gives it back.
pub type Place = Arc<dyn Any + Send + Sync>;

/// One of those that a hub counts.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// One more, unless there are `most` already; 0 is no bound.
    pub(super) fn new(all: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        // Counted before it is looked at: of two at once one is too many, not both.
        let before = all.fetch_add(1, Ordering::Relaxed);
        let one = Self(all.clone());
        (most == 0 || before < most).then_some(one)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
