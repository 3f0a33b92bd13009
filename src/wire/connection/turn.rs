//! Who is at work on a connection: one at a time, and no other waits for that.

use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Waker};

use super::{Connection, Doing};

/// Nobody is at it.
const FREE: u8 = 0;
/// Somebody is.
const TAKEN: u8 = 1;
/// Somebody is, and there is more to look at than that one has seen.
const AGAIN: u8 = 2;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turn(AtomicU8);

impl Turn {
    /// Takes the turn, or has who has it look again; whether it was free.
    fn take(&self) -> bool {
        self.0.swap(AGAIN, Ordering::AcqRel) == FREE
    }

    /// Begins to look; whether that was asked for since the last time.
    fn begin(&self) -> bool {
        self.0.swap(TAKEN, Ordering::AcqRel) == AGAIN
    }

    /// Gives the turn back, unless there is more to look at.
    fn give_back(&self) -> bool {
        let (done, not) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.compare_exchange(TAKEN, FREE, done, not).is_ok()
    }
}

/// What is done in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Everything. For the thread that watches.
    Reads,
    /// No requests are read: who wakes a connection is at work for another.
    Writes,
    /// The same, but what is to be written waits for [`Connection::finish`].
    Prepares,
}

/// What a turn came to.
pub(super) enum Step {
    /// It waits: for its client, for who wakes it, or for room in its socket.
    Waits,
    /// It has something to write, and keeps its turn until that is done.
    Prepared,
    /// Everything was written.
    Over,
    /// What came is the web server's to answer.
    HandOver,
}

impl Connection {
    /// Does what there is to do. Of several at once one does, and the others do not wait for it; so
    /// it may be called from within a source too. Requests are read only where `reads`.
    pub(in crate::wire) fn run(self: &Arc<Self>, reads: bool) {
        let work = if reads { Work::Reads } else { Work::Writes };
        if self.turn.take() {
            self.go_on(work);
        } else if reads {
            // Whoever is at it may not read.
            self.shared.again(self);
        }
    }

    /// Does what there is to do but for writing; whether there is something to write, for which
    /// [`Connection::finish`] is to be called.
    pub(in crate::wire) fn prepare(self: &Arc<Self>) -> bool {
        self.turn.take() && self.go_on(Work::Prepares)
    }

    /// Writes what was prepared.
    pub(in crate::wire) fn finish(self: &Arc<Self>) {
        self.go_on(Work::Writes);
    }

    /// Goes on in the turn that it has; whether it keeps that.
    fn go_on(self: &Arc<Self>, work: Work) -> bool {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            let again = self.turn.begin();
            let mut inner = self.inner.lock();
            if again {
                inner.all_given = false;
            }
            // A panic is the end of this connection, and not of who happened to wake it.
            let step = catch_unwind(AssertUnwindSafe(|| self.step(&mut inner, &mut cx, work)));
            let handed = match step {
                Ok(Ok(Step::Waits)) => None,
                Ok(Ok(Step::Prepared)) => return true,
                Ok(Ok(Step::Over)) => {
                    if let Some(socket) = &inner.socket {
                        // One that is closed already needs none.
                        let _ = socket.shutdown(Shutdown::Write);
                    }
                    self.shared.linger(self);
                    None
                }
                Ok(Ok(Step::HandOver)) => self.take(&mut inner),
                Ok(Err(_)) | Err(_) => {
                    let doing = std::mem::replace(&mut inner.doing, Doing::Closed);
                    drop(catch_unwind(AssertUnwindSafe(|| drop(doing))));
                    self.take(&mut inner);
                    None
                }
            };
            drop(inner);
            if let Some(handed) = handed {
                self.shared.web.take(handed);
            }
            if self.turn.give_back() {
                return false;
            }
        }
    }
}
