//! Connections that are woken by one piece of work: first some are prepared, then those are written.
//!
//! A system call leaves little of what the processor has at hand. One that follows another finds more
//! of its own still there than one that comes after a look at rooms, mailboxes and events.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use smallvec::SmallVec;

use super::connection::Connection;

/// How many are prepared before they are written.
const AT_ONCE: usize = 64;

/// What becomes of a connection that is woken on this thread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// It runs at once.
    Runs,
    /// It waits until the work is done, or enough others wait.
    Waits,
    /// It waits until those before it are written.
    Follows,
}

thread_local! {
    static WOKEN: Cell<Woken> = const { Cell::new(Woken::Runs) };
    /// Those who wait.
    static WAITING: RefCell<Vec<Arc<Connection>>> = const { RefCell::new(Vec::new()) };
}

/// Does `work`, and writes those that are woken by it on this thread.
pub(crate) fn together<T>(work: impl FnOnce() -> T) -> T {
    if WOKEN.get() != Woken::Runs {
        // Work within work: they wait for the whole.
        return work();
    }
    WOKEN.set(Woken::Waits);
    // Nobody is forgotten where the work panics.
    let _all = All;
    work()
}

/// All who wait are written when this is dropped.
struct All;

impl Drop for All {
    fn drop(&mut self) {
        write_all();
        WOKEN.set(Woken::Runs);
    }
}

/// A connection is woken. Never under a lock, since this may run it, and others.
pub(super) fn wake(connection: Arc<Connection>) {
    let woken = WOKEN.get();
    if woken == Woken::Runs {
        return connection.run(false);
    }
    let waiting = WAITING.with_borrow_mut(|waiting| {
        waiting.push(connection);
        waiting.len()
    });
    if woken == Woken::Waits && waiting >= AT_ONCE {
        write_all();
        WOKEN.set(Woken::Waits);
    }
}

fn write_all() {
    WOKEN.set(Woken::Follows);
    loop {
        let mut some = WAITING.take();
        some.chunks(AT_ONCE).for_each(write);
        let done = some.is_empty();
        some.clear();
        // Its memory serves the next who wait, unless there are some already.
        WAITING.with_borrow_mut(|waiting| {
            if waiting.is_empty() {
                *waiting = some;
            }
        });
        if done {
            break;
        }
    }
}

fn write(some: &[Arc<Connection>]) {
    if let [alone] = some {
        return alone.run(false);
    }
    let prepared: SmallVec<[_; AT_ONCE]> = some.iter().filter(|one| one.prepare()).collect();
    prepared.into_iter().for_each(Connection::finish);
}
