//! All connections of a server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Bytes;
use mio::net::{TcpListener, TcpStream};

use super::connection::Connection;
use super::watch::{Shared, Watch, millis};
use super::{Answers, Handed, Kept, Open, Settings, Web};

/// When to look again, where there are as many connections as there may be.
const FULL: Duration = Duration::from_millis(50);

/// The connections of a server; they all end when [`Lot::close`] is called, or the last handle is
/// dropped.
#[derive(Clone)]
pub struct Lot {
    watches: Arc<[Watch]>,
    lots: Lots,
}

/// Where connections can go.
#[derive(Clone)]
pub(super) struct Lots {
    threads: Arc<[Arc<Shared>]>,
    next: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most: usize,
    first_within: u64,
    veiled: bool,
}

impl Lot {
    /// Takes what connects to `listener`.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait on many sockets with.
    pub(crate) fn open(
        listener: std::net::TcpListener,
        settings: &Settings,
        answers: &Arc<dyn Answers>,
        web: &Arc<dyn Web>,
    ) -> io::Result<Self> {
        let started = (0..settings.threads.max(1))
            .map(|_| Watch::start(settings, answers.clone(), web.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        let (watches, polls): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let lots = Lots {
            threads: watches.iter().map(|watch| watch.shared.clone()).collect(),
            next: Arc::default(),
            open: Arc::default(),
            most: settings.most,
            first_within: millis(settings.first_within),
            veiled: settings.veiled,
        };
        listener.set_nonblocking(true)?;
        let mut accepts = Some((TcpListener::from_std(listener), lots.clone()));
        for (watch, poll) in watches.iter().zip(polls) {
            watch.run(poll, accepts.take())?;
        }
        let watches = watches.into();
        Ok(Self { watches, lots })
    }

    /// How many connections are here, and not with the web server.
    pub fn len(&self) -> usize {
        self.lots.threads.iter().map(|thread| thread.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many connections are open, wherever they are; counted on.
    pub(crate) fn count(&self) -> Arc<AtomicUsize> {
        self.lots.open.clone()
    }

    /// How many answers are under way: streams, polls that are held, and last words.
    pub fn under_way(&self) -> usize {
        let under_way = |thread: &Arc<Shared>| thread.under_way.load(Ordering::Relaxed);
        self.lots.threads.iter().map(under_way).sum()
    }

    /// Ends all, and takes no more.
    pub fn close(&self) {
        self.watches.iter().for_each(Watch::close);
    }
}

impl Lots {
    /// The thread whose turn it is.
    fn one(&self) -> &Arc<Shared> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.threads[turn % self.threads.len()]
    }

    /// When to look again, where there is no place for one more now.
    pub(super) fn full(&self) -> Option<Duration> {
        let full = self.most > 0 && self.open.load(Ordering::Relaxed) >= self.most;
        full.then_some(FULL)
    }

    /// Takes in what has connected.
    pub(super) fn take_in(&self, socket: TcpStream, sender: SocketAddr) {
        let thread = self.one();
        // Who may not stay is closed.
        let Some(admitted) = thread.answers.admit(sender) else {
            return;
        };
        let kept = Kept {
            _admitted: admitted,
            _open: Some(Open::new(&self.open)),
        };
        if self.veiled {
            let heard = Bytes::new();
            let home = thread.clone();
            return thread.web.take(Handed {
                socket,
                heard,
                sender,
                kept,
                home,
            });
        }
        let added =
            thread.add(|shared, place| Connection::new(shared, place, (socket, sender, kept)));
        match added {
            Ok(connection) => thread.set_deadline(&connection, self.first_within),
            Err(error) => tracing::warn!(%error, "a connection cannot be watched"),
        }
    }
}
