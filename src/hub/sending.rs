//! Signals on their way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Caller, Hub, Refused};
use crate::backplane::{Appending, Failed};
use crate::proto::{Entry, Epoch, Outcome, Refusal, Sent, Signal};

/// What was accepted, and the first refusal with its index.
pub type Told = (Vec<Sent>, Option<(usize, Refusal)>);

/// Signals that are being sent. Without another node that has to agree, they are by the time there is
/// this.
pub struct Sending {
    hub: Hub,
    epoch: Epoch,
    appending: Appending,
}

impl Hub {
    /// Sends signals, in order, until the first that is refused.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where the caller's incarnation is over; the same in the end.
    pub fn send(&self, caller: &Caller, signals: Vec<Signal>) -> Result<Sending, Refused> {
        let live = self.room_of(caller)?;
        let crowded = self.crowded(&live, caller, &signals);
        let (from, epoch) = (caller.peer.clone(), caller.epoch);
        let entry = Entry::Send {
            from,
            epoch,
            signals,
            crowded,
        };
        Ok(Sending {
            hub: self.clone(),
            epoch,
            appending: self.append(&live, entry),
        })
    }
}

impl Future for Sending {
    type Output = Result<Told, Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.appending).poll(cx));
        Poll::Ready(match outcome {
            Ok(Outcome::Sent(sent, refused)) => Ok((sent, refused)),
            Err(Failed::Unavailable) => Err(Refused::Unavailable),
            _ => Err(self.hub.end_of(self.epoch)),
        })
    }
}
