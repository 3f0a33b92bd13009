//! What a node has room for.

use std::sync::atomic::Ordering;

use super::live::State;
use super::{Caller, Hub, Refused};
use crate::proto::{Door, Kind, Signal};

impl Hub {
    /// How many readers are open.
    pub fn open_readers(&self) -> usize {
        self.inner.readers.load(Ordering::Relaxed)
    }

    /// Whether a reader of the caller's is open at `door`.
    pub fn has_reader(&self, caller: &Caller, door: Door) -> bool {
        self.room(&caller.room).is_some_and(|live| {
            let mut state = live.lock();
            let seat = state.incarnation(&caller.peer, caller.epoch);
            seat.is_some_and(|(seat, _)| seat.slot(door).is_some())
        })
    }

    /// How many peers there are, in all rooms.
    pub fn peers_in_all(&self) -> usize {
        self.inner.shared.held.mailboxes()
    }

    /// The bytes that all mailboxes hold together.
    pub fn held_bytes(&self) -> usize {
        self.inner.shared.held.bytes()
    }

    /// Whether one more peer may join.
    pub(super) fn has_place(&self) -> Result<(), Refused> {
        let most = self.inner.limits.peers;
        if most > 0 && self.peers_in_all() >= most {
            return Err(Refused::TooManyPeers);
        }
        Ok(())
    }

    /// Whether these signals may be put into mailboxes. Once all together hold what they may, one
    /// still takes up to its equal share, so that those who hoard do not silence the rest: together
    /// they never hold more than twice the bound.
    pub(super) fn has_space(&self, state: &State, signals: &[Signal]) -> Result<(), Refused> {
        let (most, held) = (self.inner.limits.held, self.held_bytes());
        if most == 0 || held < most {
            return Ok(());
        }
        let share = most / self.peers_in_all().max(1);
        // Ends of sessions are told in any case.
        let mut sent = signals.iter().filter(|signal| signal.kind != Kind::Bye);
        let has_share = |signal: &Signal| match &signal.to {
            Some(to) => {
                let member = state.room.member(to);
                member.is_none_or(|member| member.mailbox.bytes() < share)
            }
            None => {
                let members = state.room.members();
                members
                    .iter()
                    .all(|(_, member)| member.mailbox.bytes() < share)
            }
        };
        if sent.all(has_share) {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }
}
