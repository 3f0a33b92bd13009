//! Connections: what the server keeps of each, and by whom its requests are answered.
//!
//! The web server keeps two buffers and a task for each connection, over 10 KiB, and takes a request
//! through many hands. Nearly all requests are of a few kinds, and nearly all connections wait. So a
//! connection begins here: as a socket, some 200 bytes, and a place in a list. A thread watches many
//! of them ([`Lot`]). What is a plain request of a usual kind is answered where it is read
//! (`Answers`), a stream is written by whoever wakes it (many by one request: `together`), and
//! everything else is handed over to the web server with what was read so far (`Web`).
//!
//! What the web server answers with a `Parking` body comes back: when that is first polled, the head
//! of the answer is in the web server's buffer, and the body leaves its source in a slot of the
//! connection. The buffer is then written to a `WebConnection`, which finds the source there and
//! gives its socket back.

mod answer;
mod connection;
mod frame;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod head;
mod lot;
mod parking;
mod socket;
mod times;
mod together;
mod watch;
mod web;

use std::any::Any;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use actix_web::web::Bytes;
use mio::net::TcpStream;
use watch::Shared;

pub(crate) use answer::{Answer, Block, Lines};
pub(crate) use head::{Line, Request};
pub use lot::Lot;
pub(crate) use parking::Parking;
pub(crate) use socket::Socket;
pub(crate) use together::together;
pub(crate) use web::{WebConnection, replay};

/// What a stream writes, piece by piece.
pub(crate) trait Source: Send {
    /// Adds the next piece to `out`.
    fn poll_next(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Given;

    /// The connection has not taken all of what was given, though some of it since this was last
    /// said. It asks for the next piece when it has taken all.
    fn held_up(&mut self);
}

/// What follows the piece that a source has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// There may be more at once.
    More,
    /// There is no more for now, if there was any: it wakes whoever asked when there is.
    All,
    /// Nothing.
    Last,
}

/// An answer that takes its time.
pub(crate) type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What becomes of a plain request.
pub(crate) enum Outcome {
    Done(Answer),
    Later(Later),
    /// A stream, which has more lines in its head.
    Stream(Lines, Block, Box<dyn Source>),
    /// It is not one of the usual.
    Else,
}

/// What a connection has taken up, if it is counted.
pub(crate) type Admitted = Option<Arc<dyn Any + Send + Sync>>;

/// Who answers plain requests.
pub(crate) trait Answers: Send + Sync {
    /// Takes in a connection, with what is to be kept until it is closed; none where it may not stay.
    fn admit(&self, sender: SocketAddr) -> Option<Admitted>;

    /// The answer to a request over which there was a panic.
    fn failed(&self) -> Answer;

    /// Answers a request. Never waits.
    fn answer(&self, request: &Request<'_>) -> Outcome;
}

/// The web server, which answers everything.
pub(crate) trait Web: Send + Sync {
    /// Takes over a connection.
    fn take(&self, handed: Handed);
}

/// A connection that changes hands.
pub(crate) struct Handed {
    pub(crate) socket: TcpStream,
    /// What was read of it, and not answered.
    pub(crate) heard: Bytes,
    pub(crate) sender: SocketAddr,
    pub(crate) kept: Kept,
    /// The thread that it comes from, and goes back to.
    home: Arc<Shared>,
}

/// What is held for as long as a connection is open.
#[derive(Default)]
pub(crate) struct Kept {
    _admitted: Admitted,
    _open: Option<Open>,
}

/// One of the connections that are open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How connections are kept.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What runs the timers of answers that take their time.
    pub(crate) runtime: tokio::runtime::Handle,
    /// How many threads watch them.
    pub(crate) threads: usize,
    /// Nothing of them is read here: they are for the web server at once.
    pub(crate) veiled: bool,
    /// How many may be open; 0 is no bound.
    pub(crate) most: usize,
    /// The first request must begin within this; zero is no bound.
    pub(crate) first_within: Duration,
    /// How long one may be asked nothing; zero is no bound.
    pub(crate) keep_alive: Duration,
}
