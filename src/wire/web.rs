//! A connection as the web server sees it, out of which the socket can be taken.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::rt::net::TcpStream;
use actix_web::web::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::Framing;
use super::watch::Shared;
use super::{Handed, Kept, Socket, Source};

/// Where a handler leaves what its connection is to be parked with.
#[derive(Default)]
pub(crate) struct Slot(Cell<Option<(Box<dyn Source>, Framing)>>);

impl Slot {
    pub(super) fn leave(&self, source: Box<dyn Source>, framing: Framing) {
        self.0.set(Some((source, framing)));
    }
}

/// A socket, until it is parked. From then on every use of it fails, which ends the web server's task.
pub(crate) struct WebConnection {
    socket: Option<TcpStream>,
    /// What was read before the web server had it.
    heard: Bytes,
    sender: SocketAddr,
    kept: Kept,
    slot: Rc<Slot>,
    home: Arc<Shared>,
}

impl WebConnection {
    /// Takes over what was handed, on a thread of the web server.
    ///
    /// # Errors
    /// Where the system can watch no more sockets.
    pub(crate) fn new(handed: Handed) -> io::Result<Self> {
        let Handed {
            socket,
            heard,
            sender,
            kept,
            home,
        } = handed;
        let socket = std::net::TcpStream::from(OwnedFd::from(socket));
        Ok(Self {
            socket: Some(TcpStream::from_std(socket)?),
            heard,
            sender,
            kept,
            slot: Rc::default(),
            home,
        })
    }

    /// Waits until the socket is known to take something: the web server takes a first write that has
    /// to wait for the loss of a connection on which it has read something wrong.
    pub(crate) async fn ready(&self) {
        if let Some(socket) = &self.socket {
            // Where that fails, so will the first use.
            let _ = socket.writable().await;
        }
    }

    /// What was read before the web server had it.
    pub(crate) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// The socket on its own, and what was read of it; none where it was parked.
    pub(crate) fn into_socket(self) -> Option<(Socket, Bytes)> {
        Some((Socket::new(self.socket?, self.kept), self.heard))
    }

    pub(crate) fn sender(&self) -> SocketAddr {
        self.sender
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

impl AsyncRead for WebConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.heard.is_empty() {
            let count = self.heard.len().min(buffer.remaining());
            buffer.put_slice(&self.heard[..count]);
            self.heard.advance(count);
            if self.heard.is_empty() {
                self.heard = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        self.with(|socket| socket.poll_read(cx, buffer))
    }
}

impl AsyncWrite for WebConnection {
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
            let socket = mio::net::TcpStream::from_std(socket.into_std()?);
            let kept = std::mem::take(&mut self.kept);
            self.home.park((socket, self.sender, kept), bytes, source)?;
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
