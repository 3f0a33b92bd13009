//! Steps by which peers send each other signals.

use super::world::{World, name};
use super::*;
use crate::proto::Presence;

impl World {
    pub(super) fn some_session(&mut self, from: &Caller, to: &PeerId) -> Option<SessionId> {
        let house = self.oracle.rooms.get(&from.room)?;
        let open: Vec<_> = house
            .sessions
            .iter()
            .filter(|session| session.has(&from.peer))
            .map(|session| (session.id.clone(), session.has(to)))
            .collect();
        let with: Vec<_> = open.iter().filter(|(_, with)| *with).cloned().collect();
        match self.rng.u8(..10) {
            0..5 => self.choose(&with).map(|(id, _)| id),
            5 => self.choose(&open).map(|(id, _)| id),
            6..8 => SessionId::parse(&format!("s{}", self.rng.u8(..8))).ok(),
            8 => SessionId::parse(&format!("n{}", self.fresh())).ok(),
            _ => None,
        }
    }

    fn some_data(&mut self) -> Option<Json> {
        let padding = match self.rng.u8(..100) {
            0..88 => self.rng.usize(..8),
            88..97 => self.rng.usize(..400),
            _ => self.rng.usize(..1_500),
        };
        let number = self.fresh();
        let data = Json::compact(&format!(r#"[{number},"{}"]"#, "d".repeat(padding)));
        (!self.chance(3)).then_some(data)
    }

    pub(super) fn some_signal(&mut self, from: &Caller) -> Signal {
        let house = self.oracle.rooms.get(&from.room);
        let here: Vec<_> =
            house.map_or_else(Vec::new, |house| house.members.keys().cloned().collect());
        let self_too = self.chance(4);
        let others: Vec<_> = here
            .into_iter()
            .filter(|peer| self_too || *peer != from.peer)
            .collect();
        let (mut to, any) = (self.choose(&others), NAMES[self.rng.usize(..NAMES.len())]);
        if to.is_none() || self.chance(8) {
            to = PeerId::parse(any).ok();
        }
        let to = to.expect("a name");
        let kind = match self.rng.u8(..100) {
            0..22 => Kind::Offer,
            22..36 => Kind::Answer,
            36..52 => Kind::Candidate,
            52..66 => Kind::Bye,
            _ => Kind::parse("hello").expect("a type"),
        };
        let broadcast = !kind.needs_to() && self.chance(25);
        let mut session = self.some_session(from, &to);
        if kind == Kind::Offer && session.is_none() && self.rng.bool() {
            session = SessionId::parse(&format!("n{}", self.fresh())).ok();
        }
        let id = self.rng.bool().then(|| format!("m{}", self.fresh()));
        Signal {
            to: (!broadcast).then_some(to),
            kind,
            session,
            data: self.some_data(),
            id: id.and_then(|id| SignalId::parse(&id).ok()),
            spare: SessionId::parse(&format!("made{}", self.fresh())).ok(),
        }
    }

    pub(super) fn send(&mut self) {
        let Some(from) = self.present() else { return };
        let number = if self.chance(70) {
            1
        } else {
            self.rng.usize(2..6)
        };
        let signals: Vec<_> = (0..number).map(|_| self.some_signal(&from)).collect();
        self.send_all(&from, signals);
    }

    /// One peer sends until it is refused.
    pub(super) fn flood(&mut self) {
        let Some(from) = self.present() else { return };
        let to = self.some_signal(&from).to;
        for _ in 0..self.rng.usize(2..14) {
            let kind = Kind::parse("hello").expect("a type");
            let (to, data) = (to.clone(), self.some_data());
            let signal = Signal {
                to,
                kind,
                session: None,
                data,
                id: None,
                spare: None,
            };
            self.send_all(&from, vec![signal]);
        }
    }

    /// Sends something again whose answer may have been lost; or something else under its id.
    pub(super) fn repeat(&mut self) {
        let recent = self.repeats.len().saturating_sub(12);
        let recent: Vec<_> = self.repeats.iter().skip(recent).cloned().collect();
        let Some((caller, mut signal)) = self.choose(&recent) else {
            return;
        };
        if self.chance(10) {
            signal.data = Some(Json::compact("\"other\""));
        }
        signal.spare = SessionId::parse(&format!("made{}", self.fresh())).ok();
        self.send_all(&caller, vec![signal]);
    }

    /// Sends, and judges the answer.
    pub(super) fn send_all(&mut self, from: &Caller, signals: Vec<Signal>) {
        self.say(|| format!("{} sends {signals:?}", name(from)));
        let now = self.now();
        let answer = self.hub.send(from, signals.clone());
        let answer = answer.and_then(|sending| sending.now_or_never().expect("at once"));
        if let Err(over) = self.oracle.attend(from, now) {
            count("refused", "ended");
            return assert_eq!(answer, Err(over));
        }
        let house = self.oracle.house(&from.room);
        let before = house.sessions.len();
        let (sent, refused) = house.send(&from.peer, &signals, now);
        let ended = before.saturating_sub(house.sessions.len());
        count_many("session ended", "hangup", ended);
        if let Some((index, Refusal::MailboxFull)) = refused {
            let to = signals[index].to.as_ref().expect("a recipient");
            let waiting = house.members[to].mail.waiting();
            let full = ["mailbox-full-half", "mailbox-full-all"];
            count("refused", full[usize::from(waiting >= EVENTS)]);
        } else if let Some((_, refusal)) = refused {
            count("refused", tally::kind_of(refusal));
        }
        let restarted = self
            .oracle
            .member(from)
            .is_some_and(|member| member.restarts > 0);
        for (signal, sent) in signals.into_iter().zip(&sent) {
            for to in &sent.receipt.to {
                count(
                    "signal",
                    match to.state {
                        Presence::Live => "live",
                        Presence::Queued => "queued",
                        Presence::Away => "away",
                    },
                );
                count_many("signal", "refused-in-broadcast", usize::from(to.refused));
            }
            count_many("signal", "broadcast", usize::from(signal.to.is_none()));
            count_many("signal", "duplicate", usize::from(sent.duplicate));
            let over = sent.duplicate && restarted;
            count_many("signal", "duplicate-over-restart", usize::from(over));
            if signal.id.is_some() && !sent.duplicate {
                self.repeats.push_back((from.clone(), signal));
            }
        }
        if self.repeats.len() > 100 {
            self.repeats.drain(..50);
        }
        assert_eq!(answer, Ok((sent, refused)));
    }
}
