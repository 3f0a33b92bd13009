//! How many mailboxes a node has, and how many bytes they hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Default)]
struct Sums {
    bytes: AtomicUsize,
    mailboxes: AtomicUsize,
}

/// What the mailboxes of a node are together. An event that stands in several counts in each.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Sums>);

impl Gauge {
    /// The bytes held now.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// How many mailboxes there are, which is how many peers.
    pub fn mailboxes(&self) -> usize {
        self.0.mailboxes.load(Ordering::Relaxed)
    }
}

/// One mailbox's part of a [`Gauge`]; gone from it when dropped.
#[derive(Debug)]
pub(super) struct Part {
    of: Gauge,
    bytes: usize,
}

impl Part {
    /// A part of `gauge` that holds nothing yet.
    pub(super) fn of(gauge: &Gauge) -> Self {
        gauge.0.mailboxes.fetch_add(1, Ordering::Relaxed);
        Self {
            of: gauge.clone(),
            bytes: 0,
        }
    }

    pub(super) fn set(&mut self, bytes: usize) {
        let sum = &self.of.0.bytes;
        if bytes > self.bytes {
            sum.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            sum.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::of(&Gauge::default())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
        self.of.0.mailboxes.fetch_sub(1, Ordering::Relaxed);
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
        assert_eq!((gauge.bytes(), gauge.mailboxes()), (15, 2));
        a.set(3);
        assert_eq!(gauge.bytes(), 8);
        drop(a);
        b.set(5);
        assert_eq!((gauge.bytes(), gauge.mailboxes()), (5, 1));
    }
}
