//! Who looks on: told of what happens in the rooms of this node, as it happens. The hub knows nothing
//! of what is made of it.

use std::sync::Arc;
use std::time::Duration;

use super::live::Live;
use super::seat::Seat;
use super::{Caller, Hub, Refused};
use crate::proto::{
    Applied, Entry, Fact, Outcome, PeerId, Reason, Refusal, Report, RoomId, Sent, Signal, Time,
    Transport,
};

/// Who is told of what happens. It is called while the room is locked: it must neither wait nor come
/// back to the hub.
pub trait Witness: Send + Sync {
    /// Something happened in `room`, by the doing of this node or of another, at that time in
    /// milliseconds since 1970.
    fn saw(&self, room: &RoomId, happening: &Happening<'_>, whose: Whose, at: u64);

    /// An event was handed to a reader's connection, so long after it was put into the mailbox.
    fn delivered(&self, transport: Transport, after: Duration);
}

/// By which node something was done. Where nodes share rooms, all see it, and one has done it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// By this one.
    Own,
    /// By another.
    Theirs,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// Something changed.
    Fact(&'a Fact),
    /// A signal was accepted.
    Sent {
        /// From whom.
        from: &'a PeerId,
        /// The signal.
        signal: &'a Signal,
        /// To whom it went.
        sent: &'a Sent,
    },
    /// A signal was refused.
    Refused {
        /// From whom.
        from: &'a PeerId,
        /// The signal.
        signal: &'a Signal,
        /// Why.
        refusal: Refusal,
    },
    /// An incarnation ended.
    Left {
        /// Whose.
        peer: &'a PeerId,
        /// Why.
        reason: Reason,
    },
}

impl Hub {
    /// Has `witness` told of what happens from now on; once only.
    pub fn tell(&self, witness: Arc<dyn Witness>) {
        // A second one is told of nothing.
        let _ = self.inner.shared.witness.set(witness);
    }

    /// The caller tells of one of its connections, for who looks on.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where the caller's incarnation is over.
    pub async fn report(&self, caller: &Caller, report: Report) -> Result<(), Refused> {
        let live = self.room_of(caller)?;
        let (peer, epoch) = (caller.peer.clone(), caller.epoch);
        let entry = Entry::Report {
            peer,
            epoch,
            report,
        };
        match self.append(&live, entry).await {
            Ok(Outcome::Done) => Ok(()),
            other => Err(self.failed(caller, other.err())),
        }
    }
}

impl Live {
    /// Tells who looks on, if anybody does, what an entry did.
    pub(super) fn witnessed(&self, applied: &Applied<Seat>, is_own: bool, now: Time) {
        let Some(witness) = self.shared.witness.get() else {
            return;
        };
        let whose = if is_own { Whose::Own } else { Whose::Theirs };
        // The log of a shared room says when: it may be long ago.
        let at = match self.shared.common {
            Some(_) => now.0,
            None => self.shared.clock.calendar(),
        };
        let tell = |happening| witness.saw(&self.id, &happening, whose, at);
        if let (Some((from, signals)), Outcome::Sent(sent, refused)) =
            (&applied.sent, &applied.outcome)
        {
            for (signal, sent) in signals.iter().zip(sent) {
                tell(Happening::Sent { from, signal, sent });
            }
            if let Some((index, refusal)) = *refused
                && let Some(signal) = signals.get(index)
            {
                tell(Happening::Refused {
                    from,
                    signal,
                    refusal,
                });
            }
        }
        for fact in &applied.facts {
            tell(Happening::Fact(fact));
        }
        for gone in &applied.gone {
            let (peer, reason) = (&gone.peer, gone.reason);
            tell(Happening::Left { peer, reason });
        }
    }
}
