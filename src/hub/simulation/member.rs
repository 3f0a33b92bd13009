//! One incarnation as the oracle knows it: its lease, mailbox, memory, tickets and readers.

use super::mail::Mail;
use super::*;
use crate::proto::Presence;
use crate::proto::lease::{CLOSING, CLOSING_PING, PROOF_OF_LIFE};
use crate::proto::room::IDEMPOTENCY_WINDOW;
use crate::proto::ticket::{FRESH, LIFE};

const MOST_TICKETS: usize = 32;
const MOST_OVER: usize = 256;

/// A signal that was accepted under an id, and its first answer.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) signal: Signal,
    pub(super) sent: Sent,
    at: Time,
}

/// A session that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) session: SessionId,
    pub(super) peer: PeerId,
    pub(super) epoch: Epoch,
    pub(super) reason: Reason,
    pub(super) at: Time,
}

/// What is due for an incarnation, by the protocol's section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    Away,
    End(Reason),
    Silent,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) epoch: Epoch,
    pub(super) order: u64,
    pub(super) meta: Json,
    pub(super) joined: Time,
    pub(super) key: Option<Arc<str>>,
    pub(super) assigned: bool,
    pub(super) away: bool,
    pub(super) mail: Mail,
    kept: Vec<Kept>,
    pub(super) over: Vec<Over>,
    /// The last sign of life, or the loss of the last reader.
    pub(super) since: Time,
    pub(super) has_read: bool,
    pub(super) proof: Option<Time>,
    /// When it said that it is about to close, if nothing else since.
    pub(super) closing: Option<Time>,
    /// The open reader at each door.
    pub(super) seated: [Option<u64>; 2],
    /// The ticket of the reader at each door that was ended for its silence, until another comes.
    pub(super) silenced: [Option<TicketId>; 2],
    /// The notices reader knows that signals wait; and it is yet to be told.
    pub(super) told: bool,
    pub(super) wake: bool,
    tickets: Vec<(TicketId, bool)>,
    forgotten: u64,
    pub(super) cursor_shown: bool,
    pub(super) restarts: u32,
}

impl Member {
    pub(super) fn new(join: &Join, order: u64, now: Time) -> Self {
        Self {
            epoch: join.epoch,
            order,
            meta: join.meta.clone().unwrap_or_else(Json::object),
            joined: now,
            key: join.key.clone(),
            assigned: join.assigned,
            away: false,
            mail: Mail::default(),
            kept: Vec::new(),
            over: Vec::new(),
            since: now,
            has_read: false,
            proof: None,
            closing: None,
            seated: [None; 2],
            silenced: [None; 2],
            told: false,
            wake: false,
            tickets: Vec::new(),
            forgotten: 0,
            cursor_shown: false,
            restarts: 0,
        }
    }

    pub(super) fn presence(&self) -> Presence {
        match (self.away, self.seated[0]) {
            (true, _) => Presence::Away,
            (false, Some(_)) => Presence::Live,
            (false, None) => Presence::Queued,
        }
    }

    pub(super) fn is_read(&self) -> bool {
        self.seated.iter().any(Option::is_some)
    }

    /// It made a request.
    pub(super) fn request(&mut self, now: Time) {
        self.since = now;
        self.proof = self.proof.map(|_| now);
        self.closing = None;
    }

    /// The reader at a door is gone.
    pub(super) fn unseat(&mut self, door: Door, now: Time) {
        self.seated[door as usize] = None;
        if !self.is_read() {
            self.since = now;
        }
    }

    fn grace(&self) -> Duration {
        if self.has_read {
            TIMINGS.grace
        } else {
            TIMINGS.join_grace
        }
    }

    /// Whether it was lost as it had said.
    fn has_closed(&self) -> bool {
        let good = |at: Time| self.since < at + CLOSING;
        self.has_read && self.closing.is_some_and(good)
    }

    pub(super) fn heartbeat(&self, now: Time) -> Duration {
        let closing = self.closing.filter(|at| now < *at + CLOSING);
        closing.map_or(TIMINGS.heartbeat, |_| CLOSING_PING)
    }

    pub(super) fn duty(&self, now: Time) -> Option<Duty> {
        let idle = now.since(self.since);
        if self.is_read() {
            let silent = self.proof.is_some_and(|at| now.since(at) >= PROOF_OF_LIFE);
            silent.then_some(Duty::Silent)
        } else if self.has_closed() && idle >= TIMINGS.away_after {
            Some(Duty::End(Reason::Left))
        } else if idle >= self.grace() {
            Some(Duty::End(Reason::Timeout))
        } else {
            let away = self.has_read && !self.away && idle >= TIMINGS.away_after;
            away.then_some(Duty::Away)
        }
    }

    /// When something will next be due.
    pub(super) fn next_duty(&self) -> Option<Time> {
        if self.is_read() {
            return self.proof.map(|at| at + PROOF_OF_LIFE);
        }
        let away = self.has_read && (!self.away || self.has_closed());
        let away = away.then(|| self.since + TIMINGS.away_after);
        Some(away.unwrap_or(self.since + self.grace()))
    }

    /// Signals may wait where nobody reads; the notices reader is told once.
    pub(super) fn notify(&mut self) {
        let alone = self.seated[0].is_none() && self.seated[1].is_some();
        if alone && !self.told && self.mail.waiting() > 0 {
            (self.told, self.wake) = (true, true);
        }
    }

    pub(super) fn kept(&self, id: &SignalId, now: Time) -> Option<&Kept> {
        let young = |kept: &&Kept| now.since(kept.at) < IDEMPOTENCY_WINDOW;
        let same = |kept: &&Kept| kept.signal.id.as_ref() == Some(id);
        self.kept.iter().filter(young).find(same)
    }

    pub(super) fn keep(&mut self, signal: &Signal, sent: Sent, now: Time) {
        self.kept
            .retain(|kept| kept.sent.id != sent.id && now.since(kept.at) < IDEMPOTENCY_WINDOW);
        let signal = signal.clone();
        self.kept.push(Kept {
            signal,
            sent,
            at: now,
        });
        if self.kept.len() > LIMITS.room.remembered {
            self.kept.remove(0);
        }
    }

    /// A session of this one's ended.
    pub(super) fn session_is_over(&mut self, over: Over) {
        let young = |at: Time| over.at.since(at) < ends::TOMBSTONE;
        self.over
            .retain(|other| other.session != over.session && young(other.at));
        self.over.push(over);
        if self.over.len() > MOST_OVER {
            self.over.remove(0);
        }
    }

    pub(super) fn over(&self, session: &SessionId, now: Time) -> Option<&Over> {
        let young = |over: &&Over| now.since(over.at) < ends::TOMBSTONE;
        self.over
            .iter()
            .filter(young)
            .find(|over| over.session == *session)
    }

    pub(super) fn check_ticket(
        &self,
        id: TicketId,
        calendar: u64,
        reconnects: bool,
    ) -> Result<(), TicketRefused> {
        let age = Duration::from_millis(calendar - id.issued);
        let used = self.tickets.iter().find(|(other, _)| *other == id);
        let Some((_, replaced)) = used else {
            let known = id.issued > self.forgotten;
            return match age < FRESH {
                true if known => Ok(()),
                true => Err(TicketRefused::Spent),
                false => Err(TicketRefused::Late),
            };
        };
        if *replaced {
            Err(TicketRefused::Replaced)
        } else if !reconnects || self.cursor_shown {
            Err(TicketRefused::Spent)
        } else if age >= LIFE {
            Err(TicketRefused::Late)
        } else {
            Ok(())
        }
    }

    /// Those of `open` readers are never forgotten.
    pub(super) fn spend(&mut self, id: TicketId, replaced: bool, open: [Option<TicketId>; 2]) {
        if let Some(used) = self.tickets.iter_mut().find(|(other, _)| *other == id) {
            used.1 |= replaced;
            return;
        }
        if self.tickets.len() == MOST_TICKETS {
            let closed = |(id, _): &(TicketId, bool)| !open.contains(&Some(*id));
            let oldest = self.tickets.iter().position(closed).expect("a closed one");
            self.forgotten = self.forgotten.max(self.tickets.remove(oldest).0.issued);
        }
        self.tickets.push((id, replaced));
    }

    /// The server was restarted with its state: what is open is lost, spans begin afresh.
    pub(super) fn restarted(&mut self, now: Time) {
        self.seated = [None; 2];
        self.silenced = [None; 2];
        (self.told, self.wake) = (false, false);
        self.restarts += 1;
        self.request(now);
        self.mail.restored = now;
        self.mail.changed = true;
    }
}
