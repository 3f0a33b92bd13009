//! What a mailbox holds: events, what they are, and how much they come to.

use serde::{Deserialize, Serialize};

use super::Door;
use crate::proto::event::Frame;
use crate::proto::id::{Epoch, SessionId};
use crate::proto::time::Time;

/// What an entry is, as far as a mailbox must know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::proto) enum What {
    /// A signal of this incarnation's.
    Signal(Epoch),
    /// That this incarnation joined, or what its meta is.
    Info(Epoch),
    /// That this incarnation is away, or back.
    Absence(Epoch),
    /// An end: of a session, or of a peer.
    Notice(Option<SessionId>),
}

/// One event, and where it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) seq: u64,
    pub(super) frame: Frame,
    pub(super) what: What,
    pub(super) written: Option<Time>,
}

impl Item {
    pub(super) fn is_signal(&self) -> bool {
        matches!(self.what, What::Signal(_))
    }

    pub(super) fn is_notice(&self) -> bool {
        matches!(self.what, What::Notice(_))
    }

    pub(super) fn is_for(&self, door: Door, only: Option<&SessionId>) -> bool {
        match (door, only) {
            (Door::Events, _) => true,
            (Door::Notices, None) => self.is_notice(),
            (Door::Notices, Some(only)) => {
                matches!(&self.what, What::Notice(Some(session)) if session == only)
            }
        }
    }
}

/// How many of them, and their bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

impl Tally {
    pub(super) fn add(&mut self, item: &Item) {
        self.events += 1;
        self.bytes += item.frame.cost();
    }

    pub(super) fn sub(&mut self, item: &Item) {
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(item.frame.cost());
    }

    pub(super) fn is_over(self, events: usize, bytes: usize) -> bool {
        (events > 0 && self.events > events) || (bytes > 0 && self.bytes > bytes)
    }
}
