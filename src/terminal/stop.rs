//! The wish to end: Ctrl-C, SIGTERM, or a pipe that nobody reads any more.

use std::io;
use std::os::fd::AsFd as _;

use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::client::Failure;

/// Listens for it.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// None where standard output is a file. It is only looked at: the pipe blocks writers as before.
    output: Option<pipe::Sender>,
}

impl Stop {
    /// From now on the process ends when it has done what is left to do.
    ///
    /// # Errors
    /// Where signals cannot be listened for.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let output = io::stdout().as_fd().try_clone_to_owned();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            output: output.and_then(pipe::Sender::from_owned_fd_unchecked).ok(),
        })
    }

    /// Resolves when it is time to end.
    ///
    /// # Errors
    /// [`Failure::Output`] where that is because nobody reads any more.
    pub(crate) async fn asked(&mut self) -> Result<(), Failure> {
        let Self {
            interrupt,
            terminate,
            output,
        } = self;
        let closed = async {
            match output {
                // Only an error is waited for: whoever read has closed its end.
                Some(output) if output.ready(Interest::ERROR).await.is_ok() => {}
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            () = closed => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
        }
    }

    /// Resolves at a signal alone.
    pub(crate) async fn signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
