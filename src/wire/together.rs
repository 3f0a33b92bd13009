//! Streams that are woken by one piece of work: first all are prepared, then all are written.
//!
//! A system call leaves little of what the processor has at hand. One that follows another finds more
//! of its own still there than one that comes after a look at rooms, mailboxes and events.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use smallvec::SmallVec;

use super::connection::Connection;

/// How many are prepared before they are written.
const AT_ONCE: usize = 64;

thread_local! {
    /// Whether who is woken waits until the work is done.
    static GATHERS: Cell<bool> = const { Cell::new(false) };
    /// Who waits for that.
    static WOKEN: RefCell<Vec<Arc<Connection>>> = const { RefCell::new(Vec::new()) };
}

/// Does `work`, and then writes those that were woken by it on this thread.
pub(crate) fn together<T>(work: impl FnOnce() -> T) -> T {
    if GATHERS.replace(true) {
        // Work within work: they wait for the whole.
        return work();
    }
    // Nobody is forgotten where the work panics.
    let _all = All;
    work()
}

/// Has a connection run, at once or when the present work is done.
pub(super) fn wake(connection: Arc<Connection>) {
    if GATHERS.get() {
        WOKEN.with_borrow_mut(|woken| woken.push(connection));
    } else {
        connection.run(false);
    }
}

/// All who were woken, who are written when this is dropped.
struct All;

impl Drop for All {
    fn drop(&mut self) {
        loop {
            let mut woken = WOKEN.take();
            if woken.is_empty() {
                WOKEN.set(woken);
                break;
            }
            // Whom these wake in turn is written after them.
            woken.chunks(AT_ONCE).for_each(write);
            woken.clear();
            WOKEN.with_borrow_mut(|more| {
                if more.is_empty() {
                    *more = woken;
                }
            });
        }
        GATHERS.set(false);
    }
}

fn write(woken: &[Arc<Connection>]) {
    if let [alone] = woken {
        return alone.run(false);
    }
    let prepared: SmallVec<[_; AT_ONCE]> = woken.iter().filter(|one| one.prepare()).collect();
    prepared.into_iter().for_each(Connection::finish);
}
