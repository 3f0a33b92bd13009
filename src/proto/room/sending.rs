//! What a `Send` entry does: to mailboxes, sessions, and the sender's memory of what it sent.

use smallvec::SmallVec;

use super::{Effects, Room, ended};
use crate::proto::entry::{Outcome, Receipt, Refusal, Sent, ToWhom};
use crate::proto::event::Frame;
use crate::proto::fact::Fact;
use crate::proto::id::{Epoch, PeerId, SessionId};
use crate::proto::mailbox::What;
use crate::proto::map::Map;
use crate::proto::member::{Member, Presence, Seating};
use crate::proto::reason::Reason;
use crate::proto::remembered::Remembered;
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
        if !self.hear(by.from, by.epoch, effects) {
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
            let (cost, limits) = (frame.cost(), &self.bounds.limits.mailbox);
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
        let (sender, other) = pair(&mut self.members, &self.left, from, to, now)?;
        let offer = signal.kind == Kind::Offer;
        let session = match (&signal.session, offer) {
            (Some(session), _) => Some(session),
            (None, true) => signal.spare.as_ref(),
            (None, false) => None,
        };
        let open = match session {
            Some(session) => is_open(session, (from, sender), (to, other), offer, now)?,
            None => false,
        };
        let opens = offer && !open;
        let most = self.bounds.limits.sessions;
        let is_full = |member: &Member<S>| most > 0 && member.sessions.open_count() >= most;
        if opens && (is_full(sender) || is_full(other)) {
            return Err(Refusal::TooManySessions);
        }
        let frame = Frame::signal(from, signal, session);
        let limits = &self.bounds.limits.mailbox;
        if !other.mailbox.accepts(epoch, frame.cost(), limits) {
            return Err(Refusal::MailboxFull);
        }
        if by.crowded.contains(to) {
            return Err(Refusal::Crowded);
        }
        other.mailbox.push_signal(epoch, frame, limits);
        effects.touch(other);
        let state = other.presence();
        if let Some(session) = session {
            if opens {
                let there = other.epoch;
                let (session, from, to) = (session.clone(), from.clone(), to.clone());
                other
                    .sessions
                    .start(session.clone(), from.clone(), epoch, now);
                sender
                    .sessions
                    .start(session.clone(), to.clone(), there, now);
                effects.facts.push(Fact::Offered { session, from, to });
            } else if open && signal.kind == Kind::Answer {
                other.sessions.answer(session);
                if let Some(offered) = sender.sessions.answer(session) {
                    effects.facts.push(Fact::Answered {
                        session: session.clone(),
                        from: from.clone(),
                        to: to.clone(),
                        after: now.since(offered),
                    });
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
        let (sender, other) = pair(&mut self.members, &self.left, from, to, now)?;
        let ending = match &signal.session {
            Some(session) if is_open(session, (from, sender), (to, other), false, now)? => {
                vec![session.clone()]
            }
            Some(_) => Vec::new(),
            None => sender.sessions.open_with(to),
        };
        if ending.is_empty() {
            return Err(Refusal::UnknownSession);
        }
        let (reason, limits) = (Reason::Hangup, &self.bounds.limits.mailbox);
        for session in &ending {
            if let Some(over) = sender.sessions.end(session, reason, now) {
                let (from, to) = (from.clone(), to.clone());
                effects
                    .facts
                    .push(over.fact(session.clone(), from, to, reason, now));
            }
            other.sessions.end(session, reason, now);
            let mut frame = Frame::session_ended(session, from, reason, signal.data.as_ref());
            if signal.data.is_some() && !other.mailbox.takes_control(frame.cost(), limits) {
                // The end itself must not make other ends go missing.
                frame = Frame::session_ended_without_its_data(session, from, reason);
            }
            let what = What::Notice(Some(session.clone()));
            other.mailbox.push_control(frame, what, limits);
            effects.touch(other);
        }
        Ok(receipt(signal.session.clone(), to, other.presence()))
    }
}

/// Who sends and whom it is for, if a signal may go there at all.
fn pair<'a, S>(
    members: &'a mut Map<PeerId, Box<Member<S>>>,
    left: &Remembered<PeerId, Reason>,
    from: &PeerId,
    to: &PeerId,
    now: Time,
) -> Result<(&'a mut Member<S>, &'a mut Member<S>), Refusal> {
    if from == to {
        return Err(Refusal::ToSelf);
    }
    match members.get_disjoint_mut([from, to]) {
        [Some(sender), Some(other)] => Ok((sender, other)),
        _ => Err(left
            .get(to, now)
            .map_or(Refusal::UnknownPeer, |(reason, _)| {
                Refusal::PeerLeft(*reason)
            })),
    }
}

/// Whether `session` is open between the two. Refused where it is over between them, or one of them
/// has it open with a third.
///
/// What was over with a former incarnation of either stays over for late signals; only an offer may
/// begin anew under its id.
fn is_open<S>(
    session: &SessionId,
    (from, sender): (&PeerId, &Member<S>),
    (to, other): (&PeerId, &Member<S>),
    offer: bool,
    now: Time,
) -> Result<bool, Refusal> {
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
