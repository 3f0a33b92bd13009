//! A connection's socket on its own, which may move from one runtime to another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::Kept;

/// A socket, with what is held for as long as it is open.
pub(crate) struct Socket {
    /// None once it was taken, or got lost on its way to another runtime: every use of it fails.
    stream: Option<TcpStream>,
    kept: Kept,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, kept: Kept) -> Self {
        Self {
            stream: Some(stream),
            kept,
        }
    }

    /// Whether it was not taken.
    pub(super) fn is_here(&self) -> bool {
        self.stream.is_some()
    }

    /// Takes it, with what is held for it.
    pub(super) fn take(&mut self) -> Option<(TcpStream, Kept)> {
        let stream = self.stream.take()?;
        Some((stream, std::mem::take(&mut self.kept)))
    }

    /// Waits until it takes something.
    pub(super) async fn ready(&self) {
        if let Some(stream) = &self.stream {
            // Where that fails, so will the first use.
            let _ = stream.writable().await;
        }
    }

    /// Waits for the first byte, and leaves it to be read.
    ///
    /// # Errors
    /// Where the client has closed, or the connection is lost.
    pub(crate) async fn first(&self) -> io::Result<u8> {
        let stream = self
            .stream
            .as_ref()
            .ok_or(io::ErrorKind::ConnectionAborted)?;
        let mut first = [0];
        match stream.peek(&mut first).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(first[0]),
        }
    }

    /// Has the runtime watch it from now on, in place of the one that did.
    ///
    /// # Errors
    /// Where the system can watch no more sockets.
    pub(crate) fn move_to(&mut self, runtime: &Handle) -> io::Result<()> {
        if let Some(stream) = self.stream.take() {
            let stream = stream.into_std()?;
            let _entered = runtime.enter();
            self.stream = Some(TcpStream::from_std(stream)?);
        }
        Ok(())
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.stream {
            Some(stream) => work(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}
