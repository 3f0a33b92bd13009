//! What a reader or a peer takes up for as long as it counts.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::proto::Transport;

/// A place that a door has counted; dropping it gives it back.
pub type Place = Arc<dyn Any + Send + Sync>;

/// The readers of a hub, in all and by how they are written to.
#[derive(Debug, Default)]
pub(super) struct Readers {
    all: AtomicUsize,
    by: [AtomicUsize; Transport::ALL.len()],
}

impl Readers {
    pub(super) fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    pub(super) fn by(&self, transport: Transport) -> usize {
        self.by[transport as usize].load(Ordering::Relaxed)
    }
}

/// One of those that a hub counts.
#[derive(Debug)]
pub(super) struct Counted(Arc<Readers>, Transport);

impl Counted {
    /// One more, unless there are `most` already; 0 is no bound.
    pub(super) fn new(readers: &Arc<Readers>, how: Transport, most: usize) -> Option<Self> {
        // Counted before it is looked at: of two at once one is too many, not both.
        let before = readers.all.fetch_add(1, Ordering::Relaxed);
        readers.by[how as usize].fetch_add(1, Ordering::Relaxed);
        let one = Self(readers.clone(), how);
        (most == 0 || before < most).then_some(one)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.all.fetch_sub(1, Ordering::Relaxed);
        self.0.by[self.1 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}
