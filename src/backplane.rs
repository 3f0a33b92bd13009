//! Where the entries of a room go before they are applied: the little that the hub needs of a store.

pub mod memory;
pub mod model;
pub mod redis;
pub mod store;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use memory::Memory;

use crate::proto::{Entry, Outcome};

/// A room's log as the hub keeps it on this node.
pub trait Log: Send + Sync {
    /// Applies `entry` at the next position.
    ///
    /// # Errors
    /// [`Failed::Closed`] where the room ended meanwhile; a join has to begin another.
    fn apply_next(&self, entry: Entry) -> Result<Outcome, Failed>;
}

/// Why an entry was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The room ended: everyone had left, or it was closed.
    #[error("the room has ended")]
    Closed,
    /// The store of shared rooms does not answer. The entry may come to be applied or not.
    #[error("the store does not answer")]
    Unavailable,
}

/// Puts entries into an order that all nodes agree on, and has them applied in it.
pub trait Backplane: Send + Sync {
    /// Appends `entry` to the room's log; resolves when it was applied on this node.
    fn append(&self, log: &dyn Log, entry: Entry) -> Appending;
}

/// An entry on its way. In memory it is applied by the time this is returned.
pub enum Appending {
    /// It was applied.
    Done(Option<Result<Outcome, Failed>>),
    /// It is under way.
    Later(Pin<Box<dyn Future<Output = Result<Outcome, Failed>> + Send>>),
}

impl Appending {
    /// An entry that was applied at once.
    pub fn done(outcome: Result<Outcome, Failed>) -> Self {
        Appending::Done(Some(outcome))
    }
}

impl Future for Appending {
    type Output = Result<Outcome, Failed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Polled again after it was ready: there is nothing left to tell.
            Appending::Done(outcome) => Poll::Ready(outcome.take().unwrap_or(Err(Failed::Closed))),
            Appending::Later(future) => future.as_mut().poll(cx),
        }
    }
}
