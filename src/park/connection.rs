//! A connection as the web server sees it, out of which the socket can be taken.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::Framing;
use super::{Lot, Source};

/// Where a handler leaves what its connection is to be parked with.
#[derive(Default)]
pub(crate) struct Slot(Cell<Option<(Box<dyn Source>, Framing)>>);

impl Slot {
    pub(super) fn leave(&self, source: Box<dyn Source>, framing: Framing) {
        self.0.set(Some((source, framing)));
    }
}

/// A socket, until it is parked. From then on every use of it fails, which ends the web server's task.
/// It keeps what belongs to it, a `K`, for as long as the web server has it.
pub(crate) struct Connection<K> {
    socket: Option<TcpStream>,
    slot: Rc<Slot>,
    lot: Lot,
    kept: K,
}

impl<K> Connection<K> {
    pub(crate) fn new(socket: TcpStream, lot: Lot, kept: K) -> Self {
        Self {
            socket: Some(socket),
            slot: Rc::default(),
            lot,
            kept,
        }
    }

    pub(crate) fn kept(&self) -> &K {
        &self.kept
    }

    pub(crate) fn slot(&self) -> &Rc<Slot> {
        &self.slot
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.socket {
            Some(socket) => work(Pin::new(socket)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }
}

impl<K: Unpin> AsyncRead for Connection<K> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|socket| socket.poll_read(cx, buffer))
    }
}

impl<K: Unpin> AsyncWrite for Connection<K> {
    /// `bytes` are all that the web server has still to write: with a source in the slot, up to the
    /// end of the head that the source follows.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.socket.is_some()
            && let Some(source) = self.slot.0.take()
            && let Some(socket) = self.socket.take()
        {
            // Out of the reactor of this thread; it stays non-blocking.
            self.lot.park(socket.into_std()?, bytes, source)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        self.with(|socket| socket.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|socket| socket.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|socket| socket.poll_shutdown(cx))
    }
}
