//! What entries about readers, leases and presence do.

use super::{Effects, Room, ended};
use crate::proto::entry::{Attaching, Outcome};
use crate::proto::event::Frame;
use crate::proto::fact::Fact;
use crate::proto::id::{Epoch, NodeId, PeerId, ReaderId};
use crate::proto::mailbox::{Door, What};
use crate::proto::member::{Member, Seating};
use crate::proto::reason::Reason;
use crate::proto::report::Report;

impl<S: Seating> Room<S> {
    /// The peer has made a request: it is back, where it was away. Whether it is present.
    pub(super) fn hear(&mut self, peer: &PeerId, epoch: Epoch, effects: &mut Effects<S>) -> bool {
        let Some(member) = self.incarnation(peer, epoch) else {
            return false;
        };
        if member.attendance.lease.request(effects.now) {
            let what = What::Absence(epoch);
            self.tell_presence(peer, &Frame::peer_back(peer), what, effects);
            // It can be away again sooner than its grace would have run out.
            effects.stirred.push(peer.clone());
            effects.back = Some((peer.clone(), epoch));
            effects.facts.push(Fact::Back(peer.clone()));
        }
        true
    }

    pub(super) fn seen(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
        alive: bool,
        effects: &mut Effects<S>,
    ) -> Outcome {
        if !self.hear(peer, epoch, effects) {
            return ended();
        }
        if let Some(member) = self.members.get_mut(peer).filter(|_| alive) {
            member.attendance.lease.proved(effects.now);
            effects.stirred.push(peer.clone());
        }
        Outcome::Done
    }

    pub(super) fn go_away(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
        effects: &mut Effects<S>,
    ) -> Outcome {
        let timings = self.bounds.timings;
        let Some(member) = self.incarnation(peer, epoch) else {
            return ended();
        };
        let lease = &mut member.attendance.lease;
        if lease.is_lost(effects.now, &timings) {
            lease.go_away();
            let frame = Frame::peer_away(peer, timings.grace);
            self.tell_presence(peer, &frame, What::Absence(epoch), effects);
            effects.stirred.push(peer.clone());
            effects.facts.push(Fact::Away(peer.clone()));
        }
        Outcome::Done
    }

    /// The peer tells of one of its connections.
    pub(super) fn report(
        &mut self,
        peer: PeerId,
        epoch: Epoch,
        report: Report,
        effects: &mut Effects<S>,
    ) -> Outcome {
        if !self.hear(&peer, epoch, effects) {
            return ended();
        }
        effects.facts.push(Fact::Reported { peer, report });
        Outcome::Done
    }

    pub(super) fn is_closing(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
        effects: &mut Effects<S>,
    ) -> Outcome {
        let (now, timings) = (effects.now, self.bounds.timings);
        let Some(member) = self.incarnation(peer, epoch) else {
            return ended();
        };
        let lease = &mut member.attendance.lease;
        lease.announce_closing(now);
        member.seat.hurry(now + lease.heartbeat(now, &timings));
        effects.stirred.push(peer.clone());
        Outcome::Done
    }

    pub(super) fn attach(&mut self, wish: Attaching, effects: &mut Effects<S>) -> Outcome {
        let (now, limits) = (effects.now, self.bounds.limits.mailbox);
        let shared = self.is_shared();
        let Some(member) = self.incarnation(&wish.peer, wish.epoch) else {
            return ended();
        };
        let checked = member.attendance.check_ticket(wish.ticket, wish.resumes());
        if let Err(refused) = checked {
            // Of what opens nothing nobody is kept present.
            return Outcome::Attached(Err(refused));
        }
        self.hear(&wish.peer, wish.epoch, effects);
        let Some(member) = self.incarnation(&wish.peer, wish.epoch) else {
            return ended();
        };
        let Member {
            seat,
            attendance,
            mailbox,
            ..
        } = member;
        if wish.cursor_shown {
            attendance.cursor_was_shown();
        }
        let start = mailbox.start(wish.door, wish.cursor, now);
        // A cursor may name what was never written: its notices wait at the other door.
        mailbox.keep_bounds(&limits);
        let waiting = attendance.waiting(mailbox, shared) > 0;
        let begins = wish.transport.is_stream() || (waiting && !attendance.told);
        let wake = wish.door == Door::Notices && begins;
        if wake {
            attendance.told = waiting;
        }
        let ticket = wish.ticket.map(|(ticket, _)| ticket);
        let replaces = attendance.reader(wish.door).is_some();
        attendance.seat(wish.door, wish.reader, ticket, now);
        let before = attendance.reads_by(wish.door, wish.transport, now);
        seat.replaced(wish.door, wake, &mut effects.calls);
        if replaces {
            effects.stopped(&wish.peer, wish.door, before, Some(Reason::Replaced));
        }
        effects.facts.push(Fact::Reads {
            peer: wish.peer,
            door: wish.door,
            transport: wish.transport,
            before: before.map(|(how, _)| how),
            resumed: start.resumed,
            gap: start.gap,
        });
        Outcome::Attached(Ok(start))
    }

    /// A reader is gone, or is to count no more; nothing where another has its place.
    pub(super) fn detach(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
        which: Detaching,
        effects: &mut Effects<S>,
    ) -> Outcome {
        let (now, limits) = (effects.now, self.bounds.limits.mailbox);
        let Some(member) = self.incarnation(peer, epoch) else {
            return Outcome::Done;
        };
        let Detaching {
            door,
            reader,
            written,
            reason,
            told,
        } = which;
        if member.attendance.unseat(door, reader, reason, now) {
            if door == Door::Events {
                member.mailbox.was_written(written, now, &limits);
            }
            unseated(peer, member, door, reason.or(told), effects);
            effects.stirred.push(peer.clone());
        }
        Outcome::Done
    }

    /// A node is no more: of what its readers may have been handed nothing counts as unwritten.
    pub(super) fn lose(&mut self, node: NodeId, heir: NodeId, effects: &mut Effects<S>) -> Outcome {
        let (now, limits) = (effects.now, self.bounds.limits.mailbox);
        for (peer, member) in &mut self.members {
            for door in member.attendance.lose(node, heir, now) {
                if door == Door::Events {
                    let head = member.mailbox.head();
                    member.mailbox.was_written(head, now, &limits);
                }
                // Nobody was there to tell it anything.
                unseated(peer, member, door, None, effects);
            }
            effects.stirred.push(peer.clone());
        }
        Outcome::Done
    }
}

/// A reader that is gone, or is to count no more.
pub(super) struct Detaching {
    pub(super) door: Door,
    pub(super) reader: ReaderId,
    pub(super) written: u64,
    pub(super) reason: Option<Reason>,
    pub(super) told: Option<Reason>,
}

fn unseated<S: Seating>(
    peer: &PeerId,
    member: &mut Member<S>,
    door: Door,
    reason: Option<Reason>,
    effects: &mut Effects<S>,
) {
    effects.stopped(peer, door, member.attendance.read(door), reason);
    member.seat.unseated(door, &mut effects.calls);
    if door == Door::Events {
        // What this reader left unread waits from now on.
        effects.touch(member);
    }
}
