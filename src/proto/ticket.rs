//! What an incarnation's stream tickets have been used for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A ticket must be used within this.
pub const FRESH: Duration = Duration::from_secs(60);
/// A ticket that was used serves the browser's own reconnects for so long.
pub const LIFE: Duration = Duration::from_secs(3600);
/// Used tickets that one incarnation is remembered by.
const MOST_USED: usize = 32;

/// A ticket's name and the time it was issued, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketId {
    /// 64 random bits.
    pub nonce: u64,
    /// When it was issued.
    pub issued: u64,
}

/// Why a ticket was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefused {
    /// It was not used in time, or is too old to reconnect with.
    #[error("the ticket is too old")]
    Late,
    /// It was used before, and this is not the browser's own reconnect.
    #[error("the ticket was used before")]
    Spent,
    /// Its reader was replaced by a newer one.
    #[error("the ticket's reader was replaced")]
    Replaced,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Used {
    id: TicketId,
    replaced: bool,
}

/// The tickets of one incarnation that were used.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tickets {
    used: Vec<Used>,
    /// Tickets issued up to then may have been used and forgotten.
    forgotten: u64,
    /// The client has shown its cursor in a URL, where others may have read it.
    cursor_shown: bool,
}

impl Tickets {
    /// The client put its cursor into a query.
    pub(super) fn cursor_was_shown(&mut self) {
        self.cursor_shown = true;
    }

    /// Whether a ticket is good at `now` (milliseconds since 1970); `resumes`: it came together with
    /// a `Last-Event-ID` of this incarnation.
    pub(super) fn check(&self, id: TicketId, now: u64, resumes: bool) -> Result<(), TicketRefused> {
        let age = Duration::from_millis(now.saturating_sub(id.issued));
        match self.used.iter().find(|used| used.id == id) {
            Some(used) if used.replaced => Err(TicketRefused::Replaced),
            Some(_) if !resumes || self.cursor_shown => Err(TicketRefused::Spent),
            Some(_) if age >= LIFE => Err(TicketRefused::Late),
            None if age >= FRESH => Err(TicketRefused::Late),
            None if id.issued <= self.forgotten => Err(TicketRefused::Spent),
            Some(_) | None => Ok(()),
        }
    }

    /// The ticket opens a reader.
    ///
    /// Those of `open` readers are not forgotten: their browsers reconnect by them.
    pub(super) fn spend(&mut self, id: TicketId, open: [Option<TicketId>; 2]) {
        if self.used.iter().any(|used| used.id == id) {
            return;
        }
        let closed = |used: &Used| !open.contains(&Some(used.id));
        if self.used.len() == MOST_USED
            && let Some(at) = self.used.iter().position(closed)
        {
            let oldest = self.used.remove(at);
            self.forgotten = self.forgotten.max(oldest.id.issued);
        }
        self.used.push(Used {
            id,
            replaced: false,
        });
    }

    /// The ticket's reader was replaced: it opens no other.
    pub(super) fn kill(&mut self, id: TicketId, open: [Option<TicketId>; 2]) {
        self.spend(id, open);
        for used in self.used.iter_mut().filter(|used| used.id == id) {
            used.replaced = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [Option<TicketId>; 2] = [None; 2];
    const A: TicketId = TicketId {
        nonce: 1,
        issued: 1_000_000,
    };

    #[test]
    fn a_ticket_is_good_once_and_within_a_minute() {
        let mut tickets = Tickets::default();
        assert_eq!(tickets.check(A, 1_059_999, false), Ok(()));
        assert_eq!(tickets.check(A, 1_060_000, false), Err(TicketRefused::Late));
        assert_eq!(tickets.check(A, 1_060_000, true), Err(TicketRefused::Late));
        tickets.spend(A, NONE);
        assert_eq!(
            tickets.check(A, 1_000_001, false),
            Err(TicketRefused::Spent)
        );
    }

    #[test]
    fn a_spent_ticket_is_taken_for_an_hour_with_a_last_event_id() {
        let mut tickets = Tickets::default();
        tickets.spend(A, NONE);
        assert_eq!(tickets.check(A, 4_599_999, true), Ok(()));
        assert_eq!(tickets.check(A, 4_600_000, true), Err(TicketRefused::Late));
        tickets.cursor_was_shown();
        assert_eq!(tickets.check(A, 1_000_001, true), Err(TicketRefused::Spent));
    }

    #[test]
    fn a_replaced_ticket_is_dead_whatever_comes_with_it() {
        let mut tickets = Tickets::default();
        tickets.kill(A, NONE);
        assert_eq!(
            tickets.check(A, 1_000_001, true),
            Err(TicketRefused::Replaced)
        );
        assert_eq!(
            tickets.check(A, 1_000_001, false),
            Err(TicketRefused::Replaced)
        );
    }

    #[test]
    fn forgetting_used_tickets_does_not_make_them_good_again() {
        let mut tickets = Tickets::default();
        for nonce in 0..100 {
            let id = TicketId {
                nonce,
                issued: 1_000_000 + nonce,
            };
            tickets.spend(id, NONE);
        }
        let first = TicketId {
            nonce: 0,
            issued: 1_000_000,
        };
        assert_eq!(
            tickets.check(first, 1_000_200, false),
            Err(TicketRefused::Spent)
        );
        let new = TicketId {
            nonce: 200,
            issued: 1_000_150,
        };
        assert_eq!(tickets.check(new, 1_000_200, false), Ok(()));
    }
    #[test]
    fn the_ticket_of_an_open_reader_is_remembered_whatever_others_are_used() {
        let mut tickets = Tickets::default();
        tickets.spend(A, NONE);
        for nonce in 2..100 {
            let issued = A.issued + nonce;
            tickets.spend(TicketId { nonce, issued }, [Some(A), None]);
        }
        assert_eq!(tickets.check(A, 1_000_200, true), Ok(()));
        assert_eq!(
            tickets.check(A, 1_000_200, false),
            Err(TicketRefused::Spent)
        );
        assert_eq!(tickets.used.len(), MOST_USED);
    }
}
