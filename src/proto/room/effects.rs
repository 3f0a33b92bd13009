//! What an entry did to a room, for who has it applied.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::proto::entry::Outcome;
use crate::proto::fact::{Fact, Transport};
use crate::proto::id::{Epoch, PeerId};
use crate::proto::mailbox::Door;
use crate::proto::member::{Member, Seating};
use crate::proto::reason::Reason;
use crate::proto::signal::Signal;
use crate::proto::time::Time;

/// An incarnation that an entry ended.
#[derive(Debug)]
pub struct Gone<S = ()> {
    /// Who.
    pub peer: PeerId,
    /// Which incarnation.
    pub epoch: Epoch,
    /// Why.
    pub reason: Reason,
    /// What its own readers are told beside the reason.
    pub detail: Option<Arc<str>>,
    /// Its seat.
    pub seat: S,
}

/// What an entry did.
#[derive(Debug)]
pub struct Applied<S: Seating = ()> {
    /// The answer to who appended it.
    pub outcome: Outcome,
    /// Whom to tell that mailboxes got something.
    pub calls: Calls<S>,
    /// Whose incarnations ended.
    pub gone: Vec<Gone<S>>,
    /// For whom something may fall due sooner than before.
    pub stirred: SmallVec<[PeerId; 1]>,
    /// Who is back by it.
    pub back: Option<(PeerId, Epoch)>,
    /// What it changed, for who looks on.
    pub facts: SmallVec<[Fact; 1]>,
    /// Who sent by it, and what: accepted are as many of the first as the outcome names.
    pub sent: Option<(PeerId, Vec<Signal>)>,
}

/// Whom to tell that mailboxes got something.
pub type Calls<S> = SmallVec<[<S as Seating>::Call; 2]>;

/// What an entry has done so far.
pub(super) struct Effects<S: Seating> {
    pub(super) now: Time,
    pub(super) calls: Calls<S>,
    pub(super) gone: Vec<Gone<S>>,
    pub(super) stirred: SmallVec<[PeerId; 1]>,
    pub(super) back: Option<(PeerId, Epoch)>,
    pub(super) facts: SmallVec<[Fact; 1]>,
    pub(super) sent: Option<(PeerId, Vec<Signal>)>,
}

impl<S: Seating> Effects<S> {
    pub(super) fn new(now: Time) -> Self {
        Self {
            now,
            calls: SmallVec::new(),
            gone: Vec::new(),
            stirred: SmallVec::new(),
            back: None,
            facts: SmallVec::new(),
            sent: None,
        }
    }

    /// The reader of `peer` at `door` is over, which is told of where it was a stream.
    pub(super) fn stopped(
        &mut self,
        peer: &PeerId,
        door: Door,
        read: Option<(Transport, Time)>,
        reason: Option<Reason>,
    ) {
        if let Some((transport, since)) = read.filter(|(how, _)| how.is_stream()) {
            self.facts.push(Fact::Stopped {
                peer: peer.clone(),
                door,
                transport,
                reason,
                open: self.now.since(since),
            });
        }
    }

    /// Something was put into this member's mailbox.
    pub(super) fn touch(&mut self, member: &mut Member<S>) {
        let wake = member.begins_to_wait();
        member.seat.notify(wake, self.now, &mut self.calls);
    }

    pub(super) fn into_applied(self, outcome: Outcome) -> Applied<S> {
        Applied {
            outcome,
            calls: self.calls,
            gone: self.gone,
            stirred: self.stirred,
            back: self.back,
            facts: self.facts,
            sent: self.sent,
        }
    }
}
