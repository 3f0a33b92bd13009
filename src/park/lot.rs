//! All parked streams, and the one thread that watches their sockets.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use parking_lot::Mutex;
use slab::Slab;

use super::Source;
use super::frame::Framing;
use super::parked::Parked;

/// How long a client has to close, once all is written to it.
const LINGER: Duration = Duration::from_secs(2);
/// The token of what wakes the thread itself.
const SELF: Token = Token(usize::MAX);

/// The parked streams of a server; they all end when [`Lot::close`] is called, or the last handle is
/// dropped.
#[derive(Clone)]
pub struct Lot(Arc<Watch>);

/// The thread, which ends with this.
struct Watch {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread shares with who parks, and with each that is parked.
pub(super) struct Shared {
    registry: Registry,
    thread: mio::Waker,
    parked: Mutex<Slab<Arc<Parked>>>,
    /// Those that are over and wait for their clients to close, and until when; the oldest first.
    lingering: Mutex<VecDeque<(Instant, Weak<Parked>)>>,
    closed: AtomicBool,
}

impl Lot {
    /// An empty lot.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait on many sockets with.
    pub fn open() -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared {
            registry: poll.registry().try_clone()?,
            thread: mio::Waker::new(poll.registry(), SELF)?,
            parked: Mutex::default(),
            lingering: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let watched = shared.clone();
        let thread = std::thread::Builder::new()
            .name("parked".to_owned())
            .spawn(move || watched.watch(poll))?;
        Ok(Self(Arc::new(Watch {
            shared,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// How many streams are parked.
    pub fn len(&self) -> usize {
        self.0.shared.parked.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends all that are parked, and takes no more.
    pub fn close(&self) {
        self.0.close();
    }

    /// Writes `head`, and then what `source` gives.
    pub(super) fn park(
        &self,
        socket: TcpStream,
        head: &[u8],
        (source, framing): (Box<dyn Source>, Framing),
    ) -> io::Result<()> {
        let shared = &self.0.shared;
        let mut all = shared.parked.lock();
        let place = all.vacant_key();
        let parked = Parked::new(shared.clone(), place, socket, head, (source, framing));
        let parked = Arc::new(parked);
        all.insert(parked.clone());
        drop(all);
        // The thread sees the end of what is read; room it looks for only where there was none.
        let socket = parked.socket.as_raw_fd();
        let interest = Interest::READABLE;
        let watched = shared
            .registry
            .register(&mut SourceFd(&socket), Token(place), interest);
        if watched.is_err() || shared.closed.load(Ordering::Acquire) {
            parked.leave();
        } else {
            parked.run();
        }
        watched
    }
}

impl Watch {
    fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let thread = self.thread.lock().take();
        if let (Some(thread), Ok(())) = (thread, self.shared.thread.wake()) {
            // It panics no more than what it runs, which is caught.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Has the thread come when the socket takes more.
    pub(super) fn watch_for_room(&self, parked: &Parked) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let socket = parked.socket.as_raw_fd();
        self.registry
            .reregister(&mut SourceFd(&socket), Token(parked.place), interest)
    }

    /// Closes a socket once its client has, or has had its time to.
    pub(super) fn linger(&self, parked: &Arc<Parked>) {
        parked.finish();
        let mut lingering = self.lingering.lock();
        lingering.push_back((Instant::now() + LINGER, Arc::downgrade(parked)));
        let first = lingering.len() == 1;
        drop(lingering);
        if first {
            // Without it the thread would still come, with the next socket that it sees.
            let _ = self.thread.wake();
        }
    }

    /// Takes it out, and so closes its socket.
    pub(super) fn forget(&self, parked: &Arc<Parked>) {
        let mut all = self.parked.lock();
        let own = |one: &Arc<Parked>| Arc::ptr_eq(one, parked);
        if all.get(parked.place).is_some_and(own) {
            all.remove(parked.place);
        }
    }

    fn watch(&self, mut poll: Poll) {
        let mut events = Events::with_capacity(1024);
        while !self.closed.load(Ordering::Acquire) {
            let next = self.lingering.lock().front().map(|(until, _)| *until);
            let wait = next.map(|until| until.saturating_duration_since(Instant::now()));
            match poll.poll(&mut events, wait) {
                Ok(()) => events.iter().for_each(|event| self.see(event)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(%error, "parked streams cannot be watched any more");
                    break;
                }
            }
            self.close_those_that_lingered(Instant::now());
        }
        self.closed.store(true, Ordering::Release);
        let all: Vec<_> = self.parked.lock().iter().map(|(_, p)| p.clone()).collect();
        all.iter().for_each(Parked::leave);
        self.lingering.lock().clear();
    }

    fn see(&self, event: &Event) {
        let found = self.parked.lock().get(event.token().0).cloned();
        let Some(parked) = found else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            parked.heard();
        }
        if event.is_writable() {
            parked.run();
        }
    }

    fn close_those_that_lingered(&self, now: Instant) {
        loop {
            let mut lingering = self.lingering.lock();
            let Some((_, parked)) = lingering.pop_front_if(|(until, _)| *until <= now) else {
                return;
            };
            drop(lingering);
            if let Some(parked) = parked.upgrade() {
                parked.leave();
            }
        }
    }
}
