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
use super::{Handed, Socket, Source};

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
    socket: Socket,
    /// What was read before the web server had it.
    heard: Bytes,
    sender: SocketAddr,
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
            socket: Socket::new(TcpStream::from_std(socket)?, kept),
            heard,
            sender,
            slot: Rc::default(),
            home,
        })
    }

    /// Waits until the socket is known to take something: the web server takes a first write that has
    /// to wait for the loss of a connection on which it has read something wrong.
    pub(crate) async fn ready(&self) {
        self.socket.ready().await;
    }

    /// What was read before the web server had it.
    pub(crate) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// The socket on its own, and what was read of it.
    pub(crate) fn into_socket(self) -> (Socket, Bytes) {
        (self.socket, self.heard)
    }

    pub(crate) fn sender(&self) -> SocketAddr {
        self.sender
    }

    pub(crate) fn slot(&self) -> &Rc<Slot> {
        &self.slot
    }
}

impl AsyncRead for WebConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if replay(&mut self.heard, buffer) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_read(cx, buffer)
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
        if self.socket.is_here()
            && let Some(source) = self.slot.0.take()
            && let Some((socket, kept)) = self.socket.take()
        {
            // Out of the reactor of this thread; it stays non-blocking.
            let socket = mio::net::TcpStream::from_std(socket.into_std()?);
            self.home.park((socket, self.sender, kept), bytes, source)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Gives what was read before; whether there was something left of it.
pub(crate) fn replay(heard: &mut Bytes, buffer: &mut ReadBuf<'_>) -> bool {
    if heard.is_empty() {
        return false;
    }
    let count = heard.len().min(buffer.remaining());
    buffer.put_slice(&heard[..count]);
    heard.advance(count);
    if heard.is_empty() {
        *heard = Bytes::new();
    }
    true
}
