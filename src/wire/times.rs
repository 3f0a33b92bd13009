//! When connections are to be looked at.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};

use super::connection::Connection;

/// The times, in milliseconds since the thread began, the earliest first. A connection may stand here
/// more than once, and after its end.
#[derive(Default)]
pub(super) struct Times {
    heap: BinaryHeap<Reverse<Due>>,
    serial: u64,
}

struct Due {
    at: u64,
    serial: u64,
    connection: Weak<Connection>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl Times {
    /// The connection is to be looked at then; whether that is the earliest of all.
    pub(super) fn add(&mut self, at: u64, connection: &Arc<Connection>) -> bool {
        let first = self.next().is_none_or(|next| at < next);
        self.serial += 1;
        self.heap.push(Reverse(Due {
            at,
            serial: self.serial,
            connection: Arc::downgrade(connection),
        }));
        first
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Takes out one whose time has come.
    pub(super) fn due(&mut self, now: u64) -> Option<Weak<Connection>> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| due.connection)
    }
}
