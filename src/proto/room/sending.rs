//! What a `Send` entry does: to mailboxes, sessions, and the sender's memory of what it sent.

use smallvec::SmallVec;

use super::{Effects, Room, ended};
use crate::proto::entry::{Outcome, Receipt, Refusal, Sent, ToWhom};
use crate::proto::event::Frame;
use crate::proto::id::{Epoch, PeerId, SessionId};
use crate::proto::mailbox::What;
use crate::proto::member::{Presence, Seating};
use crate::proto::reason::Reason;
use crate::proto::signal::{Kind, Signal};
use crate::proto::time::Time;

/// A receipt that names so many more weighs one more in the memory of what was sent.
const ADDRESSEES_OF_ONE_WEIGHT: usize = 8;

/// One `Send` entry, but for its signals.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) from: &'a PeerId,
    pub(super) epoch: Epoch,
    /// Whose mailboxes have no share left of what the node may hold.
    pub(super) crowded: &'a [PeerId],
    pub(super) now: Time,
}

impl<S: Seating> Room<S> {
    /// Sends `signals` in order, until the first that is refused.
    pub(super) fn send(
        &mut self,
        by: Sending<'_>,
        signals: &[Signal],
        effects: &mut Effects<S>,
    ) -> Outcome {
        if self.incarnation(by.from, by.epoch).is_none() {
            return ended();
        }
        let mut sent = Vec::with_capacity(signals.len());
        for (index, signal) in signals.iter().enumerate() {
            match self.send_one(by, signal, effects) {
                Ok(one) => sent.push(one),
                Err(refusal) => return Outcome::Sent(sent, Some((index, refusal))),
            }
        }
        Outcome::Sent(sent, None)
    }

    /// Makes room for `signals` of `from` in the mailboxes that they go to, none of which is to hold
    /// more than `share` bytes: what is written and held gives way. Those for which that is not enough.
    pub fn press(&mut self, from: &PeerId, signals: &[Signal], share: usize) -> Vec<PeerId> {
        // Ends of sessions are told in any case.
        let sent = signals.iter().filter(|signal| signal.kind != Kind::Bye);
        let costs: Vec<_> = sent
            .map(|signal| {
                let frame = Frame::signal(from, signal, signal.session.as_ref());
                (signal.to.as_ref(), frame.cost())
            })
            .collect();
        let mut crowded = Vec::new();
        for (peer, member) in self.members.iter_mut().filter(|(peer, _)| *peer != from) {
            let to_it = costs
                .iter()
                .filter(|(to, _)| to.is_none_or(|to| to == peer));
            let cost: usize = to_it.map(|(_, cost)| cost).sum();
            if cost > 0 && !member.mailbox.press(cost, share) {
                crowded.push(peer.clone());
            }
        }
        crowded
    }

    fn send_one(
        &mut self,
        by: Sending<'_>,
        signal: &Signal,
        effects: &mut Effects<S>,
    ) -> Result<Sent, Refusal> {
        let Sending { from, now, .. } = by;
        let print = if signal.id.is_some() {
            signal.fingerprint()
        } else {
            0
        };
        if let (Some(id), Some(sender)) = (&signal.id, self.members.get(from))
            && let Some(((known, receipt), _)) = sender.outbox.get(id, now)
        {
            if *known != print {
                return Err(Refusal::IdempotencyConflict);
            }
            return Ok(Sent {
                id: Some(id.clone()),
                receipt: receipt.clone(),
                duplicate: true,
            });
        }
        let receipt = match (&signal.to, &signal.kind) {
            (None, _) => self.broadcast(by, signal, effects)?,
            (Some(to), Kind::Bye) => self.hang_up(by, to, signal, effects)?,
            (Some(to), _) => self.relay(by, to, signal, effects)?,
        };
        if let (Some(id), Some(sender)) = (&signal.id, self.members.get_mut(from)) {
            let weight = 1 + receipt.to.len() / ADDRESSEES_OF_ONE_WEIGHT;
            let value = (print, receipt.clone());
            sender
                .outbox
                .insert_weighing(weight, id.clone(), value, now);
        }
        Ok(Sent {
            id: signal.id.clone(),
            receipt,
            duplicate: false,
        })
    }

    fn broadcast(
        &mut self,
        by: Sending<'_>,
        signal: &Signal,
        effects: &mut Effects<S>,
    ) -> Result<Receipt, Refusal> {
        let Sending {
            from, epoch, now, ..
        } = by;
        if let (Some(session), Some(sender)) = (&signal.session, self.members.get(from))
            && sender.sessions.open(session).is_none()
            && let Some(reason) = sender.sessions.over(session, now)
        {
            return Err(Refusal::SessionOver(reason));
        }
        let frame = Frame::signal(from, signal, signal.session.as_ref());
        let mut to: SmallVec<[ToWhom; 1]> = SmallVec::new();
        for (peer, member) in self.members.iter_mut().filter(|(peer, _)| *peer != from) {
            let (cost, limits) = (frame.cost(), &self.limits.mailbox);
            let fits = !by.crowded.contains(peer) && member.mailbox.accepts(epoch, cost, limits);
            if fits {
                member.mailbox.push_signal(epoch, frame.clone(), limits);
                effects.touch(member);
            }
            let state = member.presence();
            to.push(ToWhom {
                peer: peer.clone(),
                state,
                refused: !fits,
            });
        }
        to.sort_by(|a, b| a.peer.cmp(&b.peer));
        Ok(Receipt {
            session: signal.session.clone(),
            to,
        })
    }

    fn relay(
        &mut self,
        by: Sending<'_>,
        to: &PeerId,
        signal: &Signal,
        effects: &mut Effects<S>,
    ) -> Result<Receipt, Refusal> {
        let Sending {
            from, epoch, now, ..
        } = by;
        self.addressee(from, to, now)?;
        let offer = signal.kind == Kind::Offer;
        let session = match (&signal.session, offer) {
            (Some(session), _) => Some(session),
            (None, true) => signal.spare.as_ref(),
            (None, false) => None,
        };
        let open = match session {
            Some(session) => self.is_open(session, from, to, offer, now)?,
            None => false,
        };
        let opens = offer && !open;
        if opens && (self.is_at_session_bound(from) || self.is_at_session_bound(to)) {
            return Err(Refusal::TooManySessions);
        }
        let frame = Frame::signal(from, signal, session);
        let Some(other) = self.members.get_mut(to) else {
            return Err(Refusal::UnknownPeer);
        };
        let limits = &self.limits.mailbox;
        if !other.mailbox.accepts(epoch, frame.cost(), limits) {
            return Err(Refusal::MailboxFull);
        }
        if by.crowded.contains(to) {
            return Err(Refusal::Crowded);
        }
        other.mailbox.push_signal(epoch, frame, limits);
        effects.touch(other);
        let (to_epoch, state) = (other.epoch, other.presence());
        if let Some(session) = session {
            if opens {
                other.sessions.start(session.clone(), from.clone(), epoch);
            } else if open && signal.kind == Kind::Answer {
                other.sessions.answer(session);
            }
            if let Some(sender) = self.members.get_mut(from) {
                if opens {
                    sender.sessions.start(session.clone(), to.clone(), to_epoch);
                } else if open && signal.kind == Kind::Answer {
                    sender.sessions.answer(session);
                }
            }
        }
        Ok(receipt(session.cloned(), to, state))
    }

    fn hang_up(
        &mut self,
        by: Sending<'_>,
        to: &PeerId,
        signal: &Signal,
        effects: &mut Effects<S>,
    ) -> Result<Receipt, Refusal> {
        let Sending { from, now, .. } = by;
        self.addressee(from, to, now)?;
        let ending = match &signal.session {
            Some(session) if self.is_open(session, from, to, false, now)? => vec![session.clone()],
            Some(_) => Vec::new(),
            None => self
                .members
                .get(from)
                .map(|s| s.sessions.open_with(to))
                .unwrap_or_default(),
        };
        if ending.is_empty() {
            return Err(Refusal::UnknownSession);
        }
        let reason = Reason::Hangup;
        for session in &ending {
            if let Some(sender) = self.members.get_mut(from) {
                sender.sessions.end(session, reason, now);
            }
            if let Some(other) = self.members.get_mut(to) {
                other.sessions.end(session, reason, now);
                let limits = &self.limits.mailbox;
                let mut frame = Frame::session_ended(session, from, reason, signal.data.as_ref());
                if signal.data.is_some() && !other.mailbox.takes_control(frame.cost(), limits) {
                    // The end itself must not make other ends go missing.
                    frame = Frame::session_ended_without_its_data(session, from, reason);
                }
                let what = What::Notice(Some(session.clone()));
                other
                    .mailbox
                    .push_control(frame, what, &self.limits.mailbox);
                effects.touch(other);
            }
        }
        let state = self
            .members
            .get(to)
            .map_or(Presence::Queued, |member| member.presence());
        Ok(receipt(signal.session.clone(), to, state))
    }

    /// Whether a signal may go to `to` at all.
    fn addressee(&self, from: &PeerId, to: &PeerId, now: Time) -> Result<(), Refusal> {
        if from == to {
            return Err(Refusal::ToSelf);
        }
        if self.members.contains_key(to) {
            return Ok(());
        }
        Err(self
            .left
            .get(to, now)
            .map_or(Refusal::UnknownPeer, |(r, _)| Refusal::PeerLeft(*r)))
    }

    /// Whether `session` is open between the two. Refused where it is over between them, or one of
    /// them has it open with a third.
    ///
    /// What was over with a former incarnation of either stays over for late signals; only an offer
    /// may begin anew under its id.
    fn is_open(
        &self,
        session: &SessionId,
        from: &PeerId,
        to: &PeerId,
        offer: bool,
        now: Time,
    ) -> Result<bool, Refusal> {
        let (Some(sender), Some(other)) = (self.members.get(from), self.members.get(to)) else {
            return Ok(false);
        };
        let open = (sender.sessions.open(session), other.sessions.open(session));
        if let (Some(here), Some(there)) = open
            && here.peer == *to
            && there.peer == *from
        {
            return Ok(true);
        }
        let here = sender.sessions.over_with(session, to, other.epoch, now);
        let there = other.sessions.over_with(session, from, sender.epoch, now);
        let over = |(reason, present): (Reason, bool)| (present || !offer).then_some(reason);
        match open {
            (Some(_), _) => Err(Refusal::SessionTaken),
            (None, Some(_)) => match here.and_then(over) {
                Some(reason) => Err(Refusal::SessionOver(reason)),
                None => Err(Refusal::SessionTaken),
            },
            (None, None) => match here.and_then(over).or_else(|| there.and_then(over)) {
                Some(reason) => Err(Refusal::SessionOver(reason)),
                None => Ok(false),
            },
        }
    }

    fn is_at_session_bound(&self, peer: &PeerId) -> bool {
        let open = self
            .members
            .get(peer)
            .map_or(0, |member| member.sessions.open_count());
        self.limits.sessions > 0 && open >= self.limits.sessions
    }
}

fn receipt(session: Option<SessionId>, to: &PeerId, state: Presence) -> Receipt {
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
