//! The thread that watches sockets, and what it shares with them.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use parking_lot::Mutex;
use slab::Slab;

use super::connection::Connection;
use super::frame::Framing;
use super::lot::Lots;
use super::times::Times;
use super::{Answers, Kept, Open, Settings, Source, Web};

/// How long a client has to close, once all is written to it, in milliseconds.
const LINGER: u64 = 2000;
/// Deadlines are looked at this often at most, in milliseconds.
const STEP: u64 = 50;
/// How long it waits where the system has no more files for connections.
const NO_FILES: Duration = Duration::from_millis(250);
/// The token of what wakes the thread itself.
const SELF: Token = Token(usize::MAX);
/// The token of what new connections come from.
const LISTENER: Token = Token(usize::MAX - 1);

/// A thread, which ends with this.
pub(super) struct Watch {
    pub(super) shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a thread shares with its connections.
pub(super) struct Shared {
    pub(super) answers: Arc<dyn Answers>,
    pub(super) web: Arc<dyn Web>,
    /// How long a connection may be asked nothing, in milliseconds; 0 is no bound.
    pub(super) keep_alive: u64,
    runtime: tokio::runtime::Handle,
    registry: Registry,
    thread: Waker,
    begun: Instant,
    all: Mutex<Slab<Arc<Connection>>>,
    /// How many answers are under way.
    pub(super) under_way: Arc<AtomicUsize>,
    times: Mutex<Times>,
    /// Those that the thread is to look at, though nothing has come.
    todo: Mutex<VecDeque<Weak<Connection>>>,
    closed: AtomicBool,
}

impl Watch {
    pub(super) fn start(
        settings: &Settings,
        answers: Arc<dyn Answers>,
        web: Arc<dyn Web>,
    ) -> io::Result<(Self, Poll)> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared {
            answers,
            web,
            keep_alive: millis(settings.keep_alive),
            runtime: settings.runtime.clone(),
            registry: poll.registry().try_clone()?,
            thread: Waker::new(poll.registry(), SELF)?,
            begun: Instant::now(),
            all: Mutex::default(),
            under_way: Arc::default(),
            times: Mutex::default(),
            todo: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let thread = Mutex::default();
        Ok((Self { shared, thread }, poll))
    }

    /// Runs the thread, with a listener for one of them.
    pub(super) fn run(&self, poll: Poll, accepts: Option<(TcpListener, Lots)>) -> io::Result<()> {
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new()
            .name("connections".to_owned())
            .spawn(move || shared.watch(poll, accepts))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    pub(super) fn close(&self) {
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
    pub(super) fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// One more answer is under way, until this is dropped.
    pub(super) fn one_more(&self) -> Open {
        Open::new(&self.under_way)
    }

    /// Takes a stream from the web server: writes `head`, and then what `source` gives.
    pub(super) fn park(
        self: &Arc<Self>,
        socket: (TcpStream, SocketAddr, Kept),
        head: &[u8],
        source: (Box<dyn Source>, Framing),
    ) -> io::Result<()> {
        let stream = |shared, place| Connection::stream(shared, place, socket, head, source);
        self.add(stream)?.run(false);
        Ok(())
    }

    /// Adds a connection that `make` makes for its place, and watches it.
    pub(super) fn add(
        self: &Arc<Self>,
        make: impl FnOnce(Arc<Self>, usize) -> Connection,
    ) -> io::Result<Arc<Connection>> {
        let mut all = self.all.lock();
        let place = all.vacant_key();
        let connection = Arc::new(make(self.clone(), place));
        all.insert(connection.clone());
        drop(all);
        // What is read; room is looked for only where there was none.
        let watched = connection.register(|socket| {
            self.registry
                .register(socket, Token(place), Interest::READABLE)
        });
        if watched.is_err() || self.closed.load(Ordering::Acquire) {
            connection.leave();
        }
        watched.map(|()| connection)
    }

    /// Has the thread come when the socket takes more.
    pub(super) fn watch_for_room(&self, socket: &mut TcpStream, place: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.reregister(socket, Token(place), interest)
    }

    /// Takes it out.
    pub(super) fn forget(&self, connection: &Connection, socket: &mut TcpStream) {
        // What is not watched needs no more.
        let _ = self.registry.deregister(socket);
        let mut all = self.all.lock();
        let own = |one: &Arc<Connection>| std::ptr::eq(one.as_ref(), connection);
        if all.get(connection.place).is_some_and(own) {
            let gone = all.remove(connection.place);
            drop(all);
            drop(gone);
        }
    }

    /// Has the thread look at it.
    pub(super) fn again(&self, connection: &Arc<Connection>) {
        let mut todo = self.todo.lock();
        todo.push_back(Arc::downgrade(connection));
        let first = todo.len() == 1;
        drop(todo);
        if first {
            // Without it the thread would still come, with the next socket that it sees.
            let _ = self.thread.wake();
        }
    }

    /// Closes a socket once its client has, or has had its time to.
    pub(super) fn linger(&self, connection: &Arc<Connection>) {
        self.set_deadline(connection, LINGER);
    }

    /// The connection's time is up in so many milliseconds; never where that is 0.
    pub(super) fn set_deadline(&self, connection: &Arc<Connection>, millis: u64) {
        if millis == 0 {
            connection.deadline.store(0, Ordering::Release);
            return;
        }
        let at = self.now() + millis;
        // In this order, and the thread in the other: one of the two sees what the other has done.
        connection.deadline.store(at, Ordering::SeqCst);
        let looked_at = connection.looked_at.load(Ordering::SeqCst);
        if looked_at != 0 && looked_at <= at {
            return;
        }
        self.look_at(connection, at);
    }

    fn look_at(&self, connection: &Arc<Connection>, at: u64) {
        connection.looked_at.store(at, Ordering::SeqCst);
        let first = self.times.lock().add(at, connection);
        if first {
            let _ = self.thread.wake();
        }
    }

    fn now(&self) -> u64 {
        millis(self.begun.elapsed())
    }

    fn watch(&self, mut poll: Poll, mut accepts: Option<(TcpListener, Lots)>) {
        let _runtime = self.runtime.enter();
        let mut events = Events::with_capacity(1024);
        let mut accept_again = None;
        if let Some((listener, _)) = &mut accepts {
            let watched = poll
                .registry()
                .register(listener, LISTENER, Interest::READABLE);
            if let Err(error) = watched {
                tracing::error!(%error, "no connections can be taken");
            }
        }
        while !self.closed.load(Ordering::Acquire) {
            let wait = self.wait(accept_again);
            match poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "connections cannot be watched any more");
                    break;
                }
            }
            for event in &events {
                match event.token() {
                    LISTENER => accept_again = Some(Duration::ZERO),
                    SELF => {}
                    _ => self.see(event),
                }
            }
            if accept_again.take().is_some()
                && let Some((listener, lots)) = &accepts
            {
                accept_again = accept(listener, lots);
            }
            self.catch_up();
        }
        self.closed.store(true, Ordering::Release);
        let all: Vec<_> = self.all.lock().iter().map(|(_, c)| c.clone()).collect();
        all.iter().for_each(Connection::leave);
    }

    /// How long there is nothing to do but for what comes.
    fn wait(&self, accept_again: Option<Duration>) -> Option<Duration> {
        if !self.todo.lock().is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.times.lock().next();
        let next = next.map(|at| Duration::from_millis(at.saturating_sub(self.now()) + STEP));
        [next, accept_again].into_iter().flatten().min()
    }

    fn see(&self, event: &Event) {
        let found = self.all.lock().get(event.token().0).cloned();
        let Some(connection) = found else { return };
        let ended = event.is_read_closed() || event.is_error();
        if event.is_readable() || ended {
            connection.heard(ended);
        } else if event.is_writable() {
            connection.run(true);
        }
    }

    /// Does what needs no socket: what is due, and what was put off.
    fn catch_up(&self) {
        let put_off = std::mem::take(&mut *self.todo.lock());
        for connection in put_off.iter().filter_map(Weak::upgrade) {
            connection.run(true);
        }
        let now = self.now();
        loop {
            let Some(due) = self.times.lock().due(now) else {
                return;
            };
            let Some(connection) = due.upgrade() else {
                continue;
            };
            connection.looked_at.store(0, Ordering::SeqCst);
            let deadline = connection.deadline.load(Ordering::SeqCst);
            if deadline == 0 {
                continue;
            }
            if deadline <= now {
                connection.expire();
            } else {
                self.look_at(&connection, deadline);
            }
        }
    }
}

/// What accepting fails with for one connection alone.
const GONE: [io::ErrorKind; 3] = [
    io::ErrorKind::Interrupted,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionReset,
];

/// Takes what has connected; when to come again, where there may be more.
fn accept(listener: &TcpListener, lots: &Lots) -> Option<Duration> {
    loop {
        let full = lots.full();
        if full.is_some() {
            return full;
        }
        match listener.accept() {
            Ok((socket, sender)) => lots.take_in(socket, sender),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            // One that is gone already.
            Err(error) if GONE.contains(&error.kind()) => {}
            Err(error) => {
                tracing::warn!(%error, "connections wait");
                return Some(NO_FILES);
            }
        }
    }
}

/// A span in milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
