//! What the oracle expects of a send: the protocol's section 4, signal by signal.

use smallvec::SmallVec;

use super::house::{House, Session};
use super::mail::{self, Class};
use super::*;
use crate::proto::{Presence, Receipt, ToWhom};

/// What is expected of a send: what is accepted, and the first refusal.
pub(super) type Expected = (Vec<Sent>, Option<(usize, Refusal)>);

impl House {
    /// Takes signals until the first that is refused; `ends` counts the sessions that end.
    pub(super) fn send(&mut self, from: &PeerId, signals: &[Signal], now: Time) -> Expected {
        let mut sent = Vec::new();
        let mut refused = None;
        for (index, signal) in signals.iter().enumerate() {
            match self.send_one(from, signal, now) {
                Ok(one) => sent.push(one),
                Err(refusal) => {
                    refused = Some((index, refusal));
                    break;
                }
            }
        }
        self.settle();
        (sent, refused)
    }

    fn send_one(&mut self, from: &PeerId, signal: &Signal, now: Time) -> Result<Sent, Refusal> {
        let before = signal
            .id
            .as_ref()
            .and_then(|id| self.members[from].kept(id, now));
        if let Some(kept) = before {
            let parts = |s: &Signal| {
                (
                    s.to.clone(),
                    s.kind.clone(),
                    s.session.clone(),
                    s.data.clone(),
                )
            };
            if parts(&kept.signal) != parts(signal) {
                return Err(Refusal::IdempotencyConflict);
            }
            let mut again = kept.sent.clone();
            again.duplicate = true;
            return Ok(again);
        }
        let receipt = match &signal.to {
            None => self.broadcast(from, signal, now)?,
            Some(to) => {
                self.addressee(from, to, now)?;
                match signal.kind {
                    Kind::Bye => self.hang_up(from, to, signal, now)?,
                    Kind::Offer | Kind::Answer | Kind::Candidate | Kind::Other(_) => {
                        self.relay(from, to, signal, now)?
                    }
                }
            }
        };
        let sent = Sent {
            id: signal.id.clone(),
            receipt,
            duplicate: false,
        };
        if signal.id.is_some() {
            self.here(from).keep(signal, sent.clone(), now);
        }
        Ok(sent)
    }

    fn addressee(&self, from: &PeerId, to: &PeerId, now: Time) -> Result<(), Refusal> {
        if from == to {
            return Err(Refusal::ToSelf);
        }
        if self.members.contains_key(to) {
            return Ok(());
        }
        let mut left = self
            .left
            .iter()
            .filter(|(peer, _, at)| peer == to && now.since(*at) < ends::TOMBSTONE);
        Err(left.next().map_or(Refusal::UnknownPeer, |(_, reason, _)| {
            Refusal::PeerLeft(*reason)
        }))
    }

    fn open(&self, peer: &PeerId, id: &SessionId) -> Option<usize> {
        let is = |session: &Session| session.id == *id && session.has(peer);
        self.sessions.iter().position(is)
    }

    fn put(
        &mut self,
        from: &PeerId,
        to: &PeerId,
        signal: &Signal,
        session: Option<&SessionId>,
    ) -> bool {
        let epoch = self.members[from].epoch;
        let mut data = format!(r#"{{"from":"{from}","type":"{}""#, signal.kind.as_str());
        if let Some(session) = session {
            data += &format!(r#","session":"{session}""#);
        }
        data += r#","data":"#;
        data += signal.data.as_ref().map_or("null", Json::as_str);
        if let Some(id) = &signal.id {
            data += &format!(r#","id":"{id}""#);
        }
        data.push('}');
        let mail = &mut self.here(to).mail;
        let fits = mail.fits(epoch, mail::cost("signal", &data));
        if fits {
            mail.push("signal", data, Class::Signal(epoch));
        }
        fits
    }

    fn broadcast(&mut self, from: &PeerId, signal: &Signal, now: Time) -> Result<Receipt, Refusal> {
        if let Some(session) = &signal.session
            && self.open(from, session).is_none()
            && let Some(over) = self.members[from].over(session, now)
        {
            return Err(Refusal::SessionOver(over.reason));
        }
        let others: Vec<_> = self
            .members
            .keys()
            .filter(|p| *p != from)
            .cloned()
            .collect();
        let mut to = SmallVec::new();
        for peer in others {
            let fits = self.put(from, &peer, signal, signal.session.as_ref());
            let state = self.members[&peer].presence();
            to.push(ToWhom {
                peer,
                state,
                refused: !fits,
            });
        }
        Ok(Receipt {
            session: signal.session.clone(),
            to,
        })
    }

    fn relay(
        &mut self,
        from: &PeerId,
        to: &PeerId,
        signal: &Signal,
        now: Time,
    ) -> Result<Receipt, Refusal> {
        let offer = signal.kind == Kind::Offer;
        let made = signal.spare.clone().filter(|_| offer);
        let session = signal.session.clone().or(made);
        let open = match &session {
            Some(session) => self.between(session, from, to, offer, now)?,
            None => None,
        };
        let opens = offer && open.is_none();
        let count = |peer: &PeerId| self.sessions.iter().filter(|s| s.has(peer)).count();
        if opens && count(from).max(count(to)) >= LIMITS.room.sessions {
            return Err(Refusal::TooManySessions);
        }
        if !self.put(from, to, signal, session.as_ref()) {
            return Err(Refusal::MailboxFull);
        }
        if let Some(at) = open {
            self.sessions[at].answered |= signal.kind == Kind::Answer;
        } else if opens {
            let party = |peer: &PeerId| (peer.clone(), self.members[peer].epoch);
            let parties = [party(from), party(to)];
            let id = session.clone().expect("an offer has one");
            self.sessions.push(Session {
                id,
                parties,
                answered: false,
            });
        }
        Ok(one(session, to, self.members[to].presence()))
    }

    fn hang_up(
        &mut self,
        from: &PeerId,
        to: &PeerId,
        signal: &Signal,
        now: Time,
    ) -> Result<Receipt, Refusal> {
        let ending: Vec<SessionId> = match &signal.session {
            Some(session) => {
                let open = self.between(session, from, to, false, now)?;
                open.iter().map(|_| session.clone()).collect()
            }
            None => {
                let with = |view: SessionView| (view.peer == *to).then_some(view.session);
                self.open_sessions(from)
                    .into_iter()
                    .filter_map(with)
                    .collect()
            }
        };
        if ending.is_empty() {
            return Err(Refusal::UnknownSession);
        }
        for id in ending {
            let at = self.open(from, &id).expect("open");
            let session = self.sessions.remove(at);
            self.tell_end(&session, from, Reason::Hangup, signal.data.as_ref(), now);
        }
        Ok(one(signal.session.clone(), to, self.members[to].presence()))
    }

    /// Where the open session of the two stands, if there is one.
    ///
    /// One that is over between these two incarnations is over for good; over between former ones
    /// it may be opened anew, by an offer only.
    fn between(
        &self,
        id: &SessionId,
        from: &PeerId,
        to: &PeerId,
        offer: bool,
        now: Time,
    ) -> Result<Option<usize>, Refusal> {
        let (here, there) = (self.open(from, id), self.open(to, id));
        if here.is_some() && here == there {
            return Ok(here);
        }
        if here.is_some() {
            return Err(Refusal::SessionTaken);
        }
        let over = |of: &PeerId, with: &PeerId| {
            let over = self.members[of].over(id, now)?;
            let present = self.members[with].epoch == over.epoch;
            (over.peer == *with && (present || !offer)).then_some(over.reason)
        };
        let (own, others) = (over(from, to), over(to, from));
        match (there, own, others) {
            (_, Some(reason), _) | (None, None, Some(reason)) => Err(Refusal::SessionOver(reason)),
            (Some(_), None, _) => Err(Refusal::SessionTaken),
            (None, None, None) => Ok(None),
        }
    }
}

fn one(session: Option<SessionId>, to: &PeerId, state: Presence) -> Receipt {
    let to = ToWhom {
        peer: to.clone(),
        state,
        refused: false,
    };
    Receipt {
        session,
        to: SmallVec::from_buf([to]),
    }
}
