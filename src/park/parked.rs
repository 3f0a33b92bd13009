//! One parked stream: whoever wakes it writes it.

use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::Source;
use super::frame::{Framing, Unwritten};
use super::lot::Shared;

/// What a client may send behind its request, in bytes: it is read to see the end behind it, and
/// thrown away. Who sends more is cut off.
const UNASKED: usize = 64 * 1024;

/// Nobody is at it.
const FREE: u8 = 0;
/// Somebody writes.
const TAKEN: u8 = 1;
/// Somebody writes, and there is more to look at than that writer has seen.
const AGAIN: u8 = 2;

/// A socket and what is written to it.
pub(super) struct Parked {
    lot: Arc<Shared>,
    /// Its place in the lot.
    pub(super) place: usize,
    pub(super) socket: TcpStream,
    /// The client is gone, or the lot closes.
    gone: AtomicBool,
    unasked: AtomicUsize,
    turn: AtomicU8,
    /// Locked by who has the turn, and so never waited for.
    writing: Mutex<Writing>,
}

struct Writing {
    source: Option<Box<dyn Source>>,
    unwritten: Unwritten,
    framing: Framing,
    /// Nothing was written yet: the head goes out together with the first piece.
    fresh: bool,
    /// The lot looks for room in the socket.
    watched: bool,
    /// All is written.
    over: bool,
}

/// What a turn came to.
enum Step {
    /// The source has nothing, or the socket takes nothing, for now.
    Waits,
    /// Everything was written, with its end.
    Over,
}

impl Parked {
    pub(super) fn new(
        lot: Arc<Shared>,
        place: usize,
        socket: TcpStream,
        head: &[u8],
        (source, framing): (Box<dyn Source>, Framing),
    ) -> Self {
        let writing = Writing {
            source: Some(source),
            unwritten: Unwritten::new(head),
            framing,
            fresh: true,
            watched: false,
            over: false,
        };
        Self {
            lot,
            place,
            socket,
            gone: AtomicBool::new(false),
            unasked: AtomicUsize::new(0),
            turn: AtomicU8::new(FREE),
            writing: Mutex::new(writing),
        }
    }

    /// Writes what there is. Of several at once one does, and the others do not wait for it; so it
    /// may be called from within a source too.
    pub(super) fn run(self: &Arc<Self>) {
        if self.turn.swap(AGAIN, Ordering::AcqRel) != FREE {
            return;
        }
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            self.turn.store(TAKEN, Ordering::Release);
            let mut writing = self.writing.lock();
            // A panic is the end of this stream, and not of who happened to wake it.
            let step = catch_unwind(AssertUnwindSafe(|| self.step(&mut writing, &mut cx)));
            match step {
                Ok(Ok(Step::Waits)) => {}
                Ok(Ok(Step::Over)) => self.lot.linger(self),
                Ok(Err(_)) | Err(_) => {
                    let source = writing.source.take();
                    drop(catch_unwind(AssertUnwindSafe(|| drop(source))));
                    self.lot.forget(self);
                }
            }
            drop(writing);
            let free = self
                .turn
                .compare_exchange(TAKEN, FREE, Ordering::AcqRel, Ordering::Acquire);
            if free.is_ok() {
                return;
            }
        }
    }

    /// What came from the client is read, for the end that may stand behind it.
    pub(super) fn heard(self: &Arc<Self>) {
        let mut buffer = [0; 4096];
        let over = loop {
            match (&self.socket).read(&mut buffer) {
                Ok(0) => break true,
                Ok(read) if self.unasked.fetch_add(read, Ordering::Relaxed) > UNASKED => {
                    break true;
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
            }
        };
        if over {
            self.leave();
        }
    }

    /// Ends it where it is.
    pub(super) fn leave(self: &Arc<Self>) {
        self.gone.store(true, Ordering::Release);
        self.run();
    }

    fn step(&self, writing: &mut Writing, cx: &mut Context<'_>) -> io::Result<Step> {
        if self.gone.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        loop {
            if !std::mem::take(&mut writing.fresh) && !self.flush(writing)? {
                return Ok(Step::Waits);
            }
            let Some(source) = &mut writing.source else {
                let now = !std::mem::replace(&mut writing.over, true);
                return Ok(if now { Step::Over } else { Step::Waits });
            };
            match source.poll_next(cx) {
                Poll::Ready(Some(piece)) if writing.unwritten.is_empty() => {
                    let framing = writing.framing;
                    writing.unwritten.write(framing, &piece, &self.socket)?;
                }
                Poll::Ready(Some(piece)) => writing.unwritten.push(writing.framing, &piece),
                Poll::Ready(None) => {
                    writing.source = None;
                    writing.unwritten.end(writing.framing);
                }
                Poll::Pending => {
                    self.flush(writing)?;
                    return Ok(Step::Waits);
                }
            }
        }
    }

    /// Writes what waits; whether that was all. If not, the lot comes back when there is room.
    fn flush(&self, writing: &mut Writing) -> io::Result<bool> {
        if writing.unwritten.flush(&self.socket)? {
            return Ok(true);
        }
        if !writing.watched {
            writing.watched = true;
            self.lot.watch_for_room(self)?;
        }
        Ok(false)
    }

    /// No more is written: the client reads that, and closes too.
    pub(super) fn finish(&self) {
        // One that is closed already needs none.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.run();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run();
    }
}
