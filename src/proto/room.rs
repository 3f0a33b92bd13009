//! A room: its peers, and what each entry of its log does to them.

mod attending;
mod effects;
mod joining;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::{Bounds, Entry, Join, Outcome, Refusal};
use super::event::Frame;
use super::gauge::Gauge;
use super::id::{Epoch, PeerId, RoomId};
use super::mailbox::{Door, MailboxLimits, What};
use super::map::Map;
use super::member::{Member, Seating};
use super::reason::Reason;
use super::remembered::Remembered;
use super::session::TOMBSTONE;
use super::time::Time;
use attending::Detaching;
use effects::Effects;
pub use effects::{Applied, Calls, Gone};
use sending::Sending;

/// How long a signal's id is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(300);

/// Peers that a room remembers to have left, at most.
const MOST_LEFT: usize = 256;

/// A room's bounds; 0 is no bound.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RoomLimits {
    /// Peers at a time.
    pub peers: usize,
    /// Open sessions of one peer.
    pub sessions: usize,
    /// Signal ids that one incarnation is remembered by.
    pub remembered: usize,
    /// Each mailbox.
    pub mailbox: MailboxLimits,
}

/// The end of an incarnation, as a room that several nodes share remembers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Who.
    pub peer: PeerId,
    /// Why.
    pub reason: Reason,
    /// What its own readers are told beside the reason.
    pub detail: Option<Arc<str>>,
}

/// A meeting place and everyone in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "", deserialize = "S: Default"))]
pub struct Room<S = ()> {
    id: RoomId,
    bounds: Arc<Bounds>,
    /// The ends of incarnations, where several nodes share the room: each knows them from here.
    ends: Option<Box<Remembered<Epoch, Ended>>>,
    applied: u64,
    joins: u64,
    /// Each apart: a map of few is four times as wide as one of its entries.
    members: Map<PeerId, Box<Member<S>>>,
    left: Remembered<PeerId, Reason>,
    #[serde(skip)]
    gauge: Gauge,
}

impl<S: Seating> Room<S> {
    /// An empty room.
    pub fn new(id: RoomId, bounds: Arc<Bounds>) -> Self {
        Self {
            id,
            bounds,
            ends: None,
            applied: 0,
            joins: 0,
            members: Map::default(),
            left: Remembered::new(MOST_LEFT, TOMBSTONE),
            gauge: Gauge::default(),
        }
    }

    /// An empty room that several nodes share: what bounds it comes with its first entry.
    pub fn shared(id: RoomId) -> Self {
        let ends = Box::new(Remembered::new(MOST_LEFT, TOMBSTONE));
        Self {
            ends: Some(ends),
            ..Self::new(id, Arc::default())
        }
    }

    /// Whether several nodes share it.
    pub fn is_shared(&self) -> bool {
        self.ends.is_some()
    }

    /// The ends of incarnations that it remembers, where several nodes share it.
    pub fn ends(&self, now: Time) -> impl Iterator<Item = (Epoch, &Ended, Time)> {
        let all = self.ends.iter().flat_map(move |ends| ends.iter(now));
        all.map(|(epoch, ended, at)| (*epoch, ended, at))
    }

    /// What bounds it.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Has its mailboxes counted in `gauge` from now on.
    pub fn count_in(&mut self, gauge: &Gauge) {
        self.gauge = gauge.clone();
        for member in self.members.values_mut() {
            member.mailbox.count_in(gauge);
        }
    }

    /// Puts a room that was kept under bounds again.
    pub fn govern(&mut self, bounds: Arc<Bounds>) {
        self.bounds = bounds;
    }

    /// The room's name.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// The position in the log up to which entries were applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// How many peers are here.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Everyone here, by order.
    pub fn members(&self) -> Vec<(&PeerId, &Member<S>)> {
        let all = self.members.iter();
        let mut all: Vec<_> = all.map(|(peer, member)| (peer, &**member)).collect();
        all.sort_by_key(|(_, member)| member.order);
        all
    }

    /// The peer's present incarnation.
    pub fn member(&self, peer: &PeerId) -> Option<&Member<S>> {
        self.members.get(peer).map(Box::as_ref)
    }

    /// Whether the peer that a join names, or had assigned under its key, is here.
    pub fn has(&self, join: &Join) -> bool {
        self.members.contains_key(&join.peer) || self.by_key(join).is_some()
    }

    /// That incarnation, if it is the present one.
    pub fn incarnation(&mut self, peer: &PeerId, epoch: Epoch) -> Option<&mut Member<S>> {
        self.members
            .get_mut(peer)
            .map(Box::as_mut)
            .filter(|member| member.epoch == epoch)
    }

    /// The peer's present incarnation, to be worked on.
    pub fn present(&mut self, peer: &PeerId) -> Option<&mut Member<S>> {
        self.members.get_mut(peer).map(Box::as_mut)
    }

    /// The present incarnations, in no order.
    pub fn seated(&mut self) -> impl Iterator<Item = (&PeerId, &mut Member<S>)> {
        let all = self.members.iter_mut();
        all.map(|(peer, member)| (peer, &mut **member))
    }

    /// The name of a peer that is here, as the room has it.
    pub fn name(&self, peer: &PeerId) -> Option<&PeerId> {
        self.members.get_key_value(peer).map(|(name, _)| name)
    }

    /// The same room with other seats: for each member the one that `seat` makes of its former one.
    pub fn reseat<T>(self, mut seat: impl FnMut(S) -> T) -> Room<T> {
        let Self {
            id,
            bounds,
            ends,
            applied,
            joins,
            members,
            left,
            gauge,
        } = self;
        let members = members
            .into_iter()
            .map(|(peer, member)| (peer, Box::new(member.reseat(&mut seat))));
        Room {
            members: members.collect(),
            id,
            bounds,
            ends,
            applied,
            joins,
            left,
            gauge,
        }
    }

    /// Drops what is too old. Returns when there will next be something to drop.
    pub fn expire(&mut self, now: Time, window: Duration) -> Option<Time> {
        self.left.forget(now);
        let mut next = self.left.deadline();
        for member in self.members.values_mut() {
            member.mailbox.expire(now, window);
            member.sessions.forget(now);
            member.outbox.forget(now);
            let deadlines = [
                member.mailbox.deadline(window),
                member.sessions.deadline(),
                member.outbox.deadline(),
            ];
            next = deadlines.into_iter().chain([next]).flatten().min();
        }
        next
    }

    /// Applies the entry at `position` of the room's log. One that was applied before does nothing.
    pub fn apply(&mut self, position: u64, now: Time, entry: Entry) -> Applied<S> {
        let mut effects = Effects::new(now);
        if position <= self.applied {
            return effects.into_applied(Outcome::Done);
        }
        self.applied = position;
        let outcome = match entry {
            Entry::Join { wish, node, bounds } => {
                if self.members.is_empty() {
                    self.begin(bounds);
                }
                self.join(wish, node, now, &mut effects)
            }
            Entry::Meta { peer, epoch, meta } => self.set_meta(&peer, epoch, meta, &mut effects),
            Entry::Send {
                from,
                epoch,
                signals,
                crowded,
            } => {
                let sending = Sending {
                    from: &from,
                    epoch,
                    crowded: &crowded,
                    now,
                };
                let outcome = self.send(sending, &signals, &mut effects);
                effects.sent = Some((from, signals));
                outcome
            }
            Entry::Seen { peer, epoch, alive } => self.seen(&peer, epoch, alive, &mut effects),
            Entry::Away { peer, epoch } => self.go_away(&peer, epoch, &mut effects),
            Entry::Closing { peer, epoch } => self.is_closing(&peer, epoch, &mut effects),
            Entry::Attach(wish) => self.attach(wish, &mut effects),
            Entry::Detach {
                peer,
                epoch,
                door,
                reader,
                written,
                reason,
                told,
            } => {
                let detaching = Detaching {
                    door,
                    reader,
                    written,
                    reason,
                    told,
                };
                self.detach(&peer, epoch, detaching, &mut effects)
            }
            Entry::Wrote {
                peer,
                epoch,
                reader,
                written,
            } => {
                let limits = self.bounds.limits.mailbox;
                if let Some(member) = self.incarnation(&peer, epoch)
                    && member.attendance.reader(Door::Events) == Some(reader)
                {
                    member.mailbox.was_written(written, now, &limits);
                }
                Outcome::Done
            }
            Entry::Keeps { .. } => Outcome::Done,
            Entry::Report {
                peer,
                epoch,
                report,
            } => self.report(peer, epoch, report, &mut effects),
            Entry::OtherEngine => {
                for member in self.members.values_mut() {
                    member.mailbox.leap();
                }
                Outcome::Done
            }
            Entry::Lost { node, heir } => self.lose(node, heir, &mut effects),
            Entry::Leave {
                peer,
                epoch,
                reason,
                detail,
            } => {
                let here = self.members.get(&peer).map(|member| member.epoch);
                if here.is_some_and(|here| epoch.is_none_or(|epoch| epoch == here)) {
                    self.end(&peer, reason, detail, now, &mut effects);
                }
                Outcome::Done
            }
            Entry::Lapse {
                peer,
                epoch,
                reason,
            } => {
                let timings = self.bounds.timings;
                let lease = |member: &mut Member<S>| member.attendance.lease.over(now, &timings);
                if self.incarnation(&peer, epoch).and_then(lease) == Some(reason) {
                    self.end(&peer, reason, None, now, &mut effects);
                }
                Outcome::Done
            }
            Entry::Close { detail } => {
                let mut all: Vec<_> = self.members.keys().cloned().collect();
                all.sort();
                for peer in all {
                    self.end(&peer, Reason::RoomClosed, detail.clone(), now, &mut effects);
                }
                Outcome::Done
            }
        };
        effects.into_applied(outcome)
    }

    /// Ends an incarnation: its sessions first, then the peer itself, each told once.
    fn end(
        &mut self,
        peer: &PeerId,
        reason: Reason,
        detail: Option<Arc<str>>,
        now: Time,
        effects: &mut Effects<S>,
    ) {
        let Some(member) = self.members.remove(peer) else {
            return;
        };
        let mut open: Vec<_> = member.sessions.all_open().collect();
        open.sort_by(|a, b| a.0.cmp(b.0));
        for (session, with) in open {
            let Some(other) = self.members.get_mut(&with.peer) else {
                continue;
            };
            if other.epoch == with.epoch
                && let Some(over) = other.sessions.end(session, reason, now)
            {
                let (from, to) = (peer.clone(), with.peer.clone());
                effects
                    .facts
                    .push(over.fact(session.clone(), from, to, reason, now));
                let frame = Frame::session_ended(session, peer, reason, None);
                let what = What::Notice(Some(session.clone()));
                other
                    .mailbox
                    .push_control(frame, what, &self.bounds.limits.mailbox);
                effects.touch(other);
            }
        }
        let frame = Frame::peer_left(peer, reason);
        for to in self.members.values_mut() {
            to.mailbox.push_control(
                frame.clone(),
                What::Notice(None),
                &self.bounds.limits.mailbox,
            );
            effects.touch(to);
        }
        self.left.insert(peer.clone(), reason, now);
        if let Some(ends) = &mut self.ends {
            let ended = Ended {
                peer: peer.clone(),
                reason,
                detail: detail.clone(),
            };
            ends.insert(member.epoch, ended, now);
        }
        for door in Door::ALL {
            if member.attendance.reader(door).is_some() {
                effects.stopped(peer, door, member.attendance.read(door), Some(reason));
            }
        }
        effects.gone.push(Gone {
            peer: peer.clone(),
            epoch: member.epoch,
            reason,
            detail,
            seat: member.seat,
        });
    }

    fn tell_presence(&mut self, of: &PeerId, frame: &Frame, what: What, effects: &mut Effects<S>) {
        let shared = self.is_shared();
        for (_, to) in self.members.iter_mut().filter(|(other, _)| *other != of) {
            // What a reader was handed may not be known yet to be written.
            let lags = shared && to.attendance.reader(Door::Events).is_some();
            let (frame, what, limits) = (frame.clone(), what.clone(), &self.bounds.limits.mailbox);
            to.mailbox.push_presence(frame, what, lags, limits);
            effects.touch(to);
        }
    }
}

/// The answer to an entry of an incarnation that is not the present one.
fn ended() -> Outcome {
    Outcome::Refused(Refusal::Ended(Reason::Unknown))
}

#[cfg(test)]
mod scenarios;
