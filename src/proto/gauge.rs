//! How many bytes all mailboxes of a node hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A sum that mailboxes keep together. One that stands in several mailboxes counts in each.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    /// The bytes held now.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One mailbox's part of a [`Gauge`]; gone from it when dropped.
#[derive(Debug, Default)]
pub(super) struct Part {
    of: Gauge,
    bytes: usize,
}

impl Part {
    /// A part of `gauge` that is nothing yet.
    pub(super) fn of(gauge: &Gauge) -> Self {
        Self {
            of: gauge.clone(),
            bytes: 0,
        }
    }

    /// This part is `bytes` from now on.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.of.0.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.of.0.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_the_sum_of_the_parts_there_are() {
        let gauge = Gauge::default();
        let (mut a, mut b) = (Part::of(&gauge), Part::of(&gauge));
        a.set(10);
        b.set(5);
        assert_eq!(gauge.bytes(), 15);
        a.set(3);
        assert_eq!(gauge.bytes(), 8);
        drop(a);
        b.set(5);
        assert_eq!(gauge.bytes(), 5);
    }
}
