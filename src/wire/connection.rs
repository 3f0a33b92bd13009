//! One connection: it asks, is answered, and may become a stream. Whoever wakes it writes it.

mod asking;
mod turn;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use actix_web::http::StatusCode;
use mio::net::TcpStream;
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};

use super::answer::Answer;
use super::frame::{Framing, Unwritten};
use super::together::{together, wake};
use super::watch::Shared;
use super::{Given, Handed, Kept, Later, Open, Source};
use asking::Asked;
use turn::{Step, Turn, Work};

/// How many requests of one connection are answered before others have their turn.
const IN_A_ROW: u32 = 64;
/// After how much silence a client whose answer is held is asked whether it is there.
const PROBED_AFTER: Duration = Duration::from_secs(8);
/// How long it has to say so, before it is asked again.
const PROBED_EVERY: Duration = Duration::from_secs(4);
/// A socket and what is done with it.
pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Its place among those that its thread watches.
    pub(super) place: usize,
    /// Where its client is.
    sender: (IpAddr, u16),
    /// The client is gone, or all are closed.
    gone: AtomicBool,
    /// There may be something to read.
    readable: AtomicBool,
    /// The client writes no more: behind what there is to read stands the end.
    ended: AtomicBool,
    /// Its time is up.
    expired: AtomicBool,
    turn: Turn,
    /// When its time is up, in the thread's milliseconds; 0: never.
    pub(super) deadline: AtomicU64,
    /// When the thread looks at that next; 0: not at all.
    pub(super) looked_at: AtomicU64,
    /// Locked by who has the turn, and so never waited for.
    inner: Mutex<Inner>,
}

struct Inner {
    socket: Option<TcpStream>,
    kept: Kept,
    doing: Doing,
    /// Of requests that are not whole yet, or have not had their turn.
    heard: Vec<u8>,
    unwritten: Unwritten,
    /// The head of a stream goes out together with the first piece.
    fresh: bool,
    /// What is unwritten is all that the source had when it was last asked.
    all_given: bool,
    /// The thread looks for room in the socket.
    watched: bool,
    /// The socket has not taken all that was written.
    held_up: bool,
    /// Its client is asked early whether it is still there.
    probed: bool,
    /// A request has come.
    asked: bool,
    /// A part of a request has come, and its time runs.
    partial: bool,
    unasked: u32,
}

impl Inner {
    fn streams(&self) -> bool {
        matches!(self.doing, Doing::Streaming(..))
    }

    /// Has the kernel ask more than once before it gives up a client that is only waiting: unlike a
    /// stream, which is given pings, nothing else would find out.
    fn probe(&mut self) {
        if let Some(socket) = self.socket.as_ref().filter(|_| !self.probed) {
            let early = TcpKeepalive::new()
                .with_time(PROBED_AFTER)
                .with_interval(PROBED_EVERY);
            // Where it fails, one lost packet may end a poll, which is then asked again.
            let _ = SockRef::from(socket).set_tcp_keepalive(&early);
        }
        self.probed = true;
    }
}

enum Doing {
    /// The next request is awaited.
    Asking,
    /// A request is being answered; the last one, where it says so.
    Answering(Later, bool, #[expect(dead_code, reason = "it counts")] Open),
    Streaming(
        Box<dyn Source>,
        Framing,
        #[expect(dead_code, reason = "it counts")] Open,
    ),
    /// All but what is unwritten is written.
    Closing(#[expect(dead_code, reason = "it counts")] Open),
    /// All is.
    Closed,
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        place: usize,
        (socket, sender, kept): (TcpStream, SocketAddr, Kept),
    ) -> Self {
        let inner = Inner {
            socket: Some(socket),
            kept,
            doing: Doing::Asking,
            heard: Vec::new(),
            unwritten: Unwritten::default(),
            fresh: false,
            all_given: false,
            watched: false,
            held_up: false,
            probed: false,
            asked: false,
            partial: false,
            unasked: 0,
        };
        Self {
            shared,
            place,
            sender: (sender.ip(), sender.port()),
            gone: AtomicBool::new(false),
            readable: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            expired: AtomicBool::new(false),
            turn: Turn::default(),
            deadline: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            inner: Mutex::new(inner),
        }
    }

    /// A stream that the web server has begun: `head`, and then what `source` gives.
    pub(super) fn stream(
        shared: Arc<Shared>,
        place: usize,
        socket: (TcpStream, SocketAddr, Kept),
        head: &[u8],
        (source, framing): (Box<dyn Source>, Framing),
    ) -> Self {
        let open = shared.one_more();
        let mut connection = Self::new(shared, place, socket);
        let inner = connection.inner.get_mut();
        inner.doing = Doing::Streaming(source, framing, open);
        inner.unwritten = Unwritten::new(head);
        inner.fresh = true;
        connection
    }

    /// Has the thread watch the socket.
    pub(super) fn register(
        &self,
        work: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut inner = self.inner.lock();
        inner.socket.as_mut().map_or(Ok(()), work)
    }

    /// There is something to read, or it has `ended`. For the thread that watches.
    pub(super) fn heard(self: &Arc<Self>, ended: bool) {
        self.readable.store(true, Ordering::Release);
        if ended {
            self.ended.store(true, Ordering::Release);
        }
        self.run(true);
    }

    /// Its time is up. For the thread that watches.
    pub(super) fn expire(self: &Arc<Self>) {
        self.expired.store(true, Ordering::Release);
        self.run(true);
    }

    /// Ends it where it is.
    pub(super) fn leave(self: &Arc<Self>) {
        self.gone.store(true, Ordering::Release);
        self.run(false);
    }

    /// Takes the socket out, with all that belongs to it.
    fn take(&self, inner: &mut Inner) -> Option<Handed> {
        let mut socket = inner.socket.take()?;
        self.shared.forget(self, &mut socket);
        inner.doing = Doing::Closed;
        Some(Handed {
            socket,
            heard: std::mem::take(&mut inner.heard).into(),
            sender: self.sender.into(),
            kept: std::mem::take(&mut inner.kept),
            home: self.shared.clone(),
        })
    }

    fn step(
        self: &Arc<Self>,
        inner: &mut Inner,
        cx: &mut Context<'_>,
        work: Work,
    ) -> io::Result<Step> {
        if self.gone.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let (mut answered, mut prepared) = (0, false);
        loop {
            if !std::mem::take(&mut inner.fresh) {
                if prepared && work == Work::Prepares && inner.unwritten.len() > 0 {
                    return Ok(Step::Prepared);
                }
                let all_given = std::mem::take(&mut inner.all_given);
                if !self.flush(inner)? {
                    self.in_time()?;
                    return Ok(Step::Waits);
                }
                if all_given {
                    self.discard(inner)?;
                    return Ok(Step::Waits);
                }
            }
            match &mut inner.doing {
                Doing::Asking if work != Work::Reads || answered == IN_A_ROW => {
                    if !inner.heard.is_empty() || self.readable.load(Ordering::Acquire) {
                        self.shared.again(self);
                    }
                    return Ok(Step::Waits);
                }
                Doing::Asking => match self.ask(inner)? {
                    Asked::Something => answered += 1,
                    Asked::Else => return Ok(Step::HandOver),
                    Asked::Nothing => {
                        if let Some(step) = self.out_of_time(inner)? {
                            return Ok(step);
                        }
                    }
                },
                Doing::Answering(later, closes, _) => {
                    let closes = *closes;
                    let poll = || together(|| later.as_mut().poll(cx));
                    let polled = catch_unwind(AssertUnwindSafe(poll));
                    match polled {
                        Ok(Poll::Ready(answer)) => {
                            self.answer(inner, &answer, closes);
                            prepared = true;
                        }
                        Ok(Poll::Pending) => {
                            inner.probe();
                            self.hear(inner)?;
                            return Ok(Step::Waits);
                        }
                        Err(_) => {
                            let answer = self.shared.answers.failed();
                            self.answer(inner, &answer, true);
                        }
                    }
                }
                Doing::Streaming(source, framing, _) => {
                    let framing = *framing;
                    let piece = |out: &mut Vec<u8>| source.poll_next(cx, out);
                    match inner.unwritten.piece(framing, piece) {
                        Given::Last => {
                            inner.unwritten.end(framing);
                            inner.doing = Doing::Closing(self.shared.one_more());
                        }
                        Given::All => inner.all_given = true,
                        Given::More => {}
                    }
                    prepared = true;
                }
                Doing::Closing(_) => {
                    inner.doing = Doing::Closed;
                    return Ok(Step::Over);
                }
                Doing::Closed => {
                    self.discard(inner)?;
                    self.in_time()?;
                    return Ok(Step::Waits);
                }
            }
        }
    }

    fn answer(self: &Arc<Self>, inner: &mut Inner, answer: &Answer, closes: bool) {
        inner.unwritten.with(|out| answer.write(out, closes));
        inner.doing = if closes {
            Doing::Closing(self.shared.one_more())
        } else {
            Doing::Asking
        };
        self.shared.set_deadline(self, self.shared.keep_alive);
    }

    /// Whether a connection that waits for its client may wait on.
    fn in_time(&self) -> io::Result<()> {
        if self.expired.swap(false, Ordering::AcqRel) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// What becomes of a connection that has nothing to be answered; none where it goes on.
    fn out_of_time(self: &Arc<Self>, inner: &mut Inner) -> io::Result<Option<Step>> {
        if !self.expired.swap(false, Ordering::AcqRel) {
            return Ok(Some(Step::Waits));
        }
        if !inner.heard.is_empty() {
            return Ok(Some(Step::HandOver));
        }
        if inner.asked {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // Nothing ever came: it is told as the web server would tell it.
        self.answer(inner, &Answer::new(StatusCode::REQUEST_TIMEOUT), true);
        Ok(None)
    }

    /// Writes what waits; whether that was all. If not, the thread comes back when there is room.
    fn flush(&self, inner: &mut Inner) -> io::Result<bool> {
        let Some(socket) = &mut inner.socket else {
            return Ok(true);
        };
        let before = inner.unwritten.len();
        if inner.unwritten.flush(&*socket)? {
            inner.held_up = false;
            return Ok(true);
        }
        let fresh = !std::mem::replace(&mut inner.held_up, true);
        if let Doing::Streaming(source, ..) = &mut inner.doing
            && (fresh || inner.unwritten.len() < before)
        {
            source.held_up();
        }
        if !inner.watched {
            inner.watched = true;
            self.shared.watch_for_room(socket, self.place)?;
        }
        Ok(false)
    }
}

impl Wake for Connection {
    fn wake(self: Arc<Self>) {
        wake(self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        wake(self.clone());
    }
}
