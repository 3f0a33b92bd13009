//! What a join does, and what a peer says of itself.

use std::sync::Arc;

use super::{Effects, IDEMPOTENCY_WINDOW, MOST_LEFT, Room, ended};
use crate::proto::attendance::Attendance;
use crate::proto::entry::{Bounds, Join, Joined, Outcome, Refusal};
use crate::proto::event::Frame;
use crate::proto::fact::Fact;
use crate::proto::id::{Epoch, NodeId, PeerId};
use crate::proto::mailbox::{Mailbox, What};
use crate::proto::member::{Member, Seating};
use crate::proto::reason::Reason;
use crate::proto::remembered::Remembered;
use crate::proto::session::{Sessions, TOMBSTONE};
use crate::proto::signal::Json;
use crate::proto::time::Time;

impl<S: Seating> Room<S> {
    /// The room begins, or begins anew after everyone had left.
    pub(super) fn begin(&mut self, bounds: Option<Arc<Bounds>>) {
        if let Some(bounds) = bounds {
            self.govern(bounds);
        }
        self.joins = 0;
        self.left = Remembered::new(MOST_LEFT, TOMBSTONE);
    }

    pub(super) fn join(
        &mut self,
        join: Join,
        node: NodeId,
        now: Time,
        effects: &mut Effects<S>,
    ) -> Outcome {
        let peer = self.by_key(&join).unwrap_or_else(|| join.peer.clone());
        if let Some(member) = self.members.get(&peer) {
            let same_key = join.key.is_some() && member.key == join.key;
            let holds = join.holds == Some(member.epoch);
            if !holds && !same_key {
                return Outcome::Refused(Refusal::PeerExists);
            }
            if same_key || !join.fresh {
                let epoch = member.epoch;
                if let Some(meta) = join.meta.filter(|meta| *meta != member.meta) {
                    self.tell_meta(&peer, meta, effects);
                }
                self.hear(&peer, epoch, effects);
                return Outcome::Joined(Joined {
                    peer,
                    epoch,
                    new: false,
                });
            }
            self.end(&peer, Reason::Rejoined, None, now, effects);
        } else if self.bounds.limits.peers > 0 && self.members.len() >= self.bounds.limits.peers {
            return Outcome::Refused(Refusal::RoomFull);
        }
        let mut mailbox = Mailbox::new(join.epoch);
        mailbox.count_in(&self.gauge);
        let member = Member {
            seat: S::begin(),
            epoch: join.epoch,
            order: self.joins,
            meta: join.meta.unwrap_or_else(Json::object),
            joined: now,
            mailbox,
            key: join.key,
            assigned: join.assigned,
            attendance: Attendance::begin(node, now),
            sessions: Sessions::default(),
            outbox: Remembered::new(self.bounds.limits.remembered, IDEMPOTENCY_WINDOW),
        };
        self.joins += 1;
        let frame = Frame::peer_joined(&peer, &member.meta, member.order);
        self.tell_presence(&peer, &frame, What::Info(join.epoch), effects);
        self.members.insert(peer.clone(), Box::new(member));
        effects.stirred.push(peer.clone());
        effects.facts.push(Fact::Joined {
            peer: peer.clone(),
            order: self.joins - 1,
        });
        Outcome::Joined(Joined {
            peer,
            epoch: join.epoch,
            new: true,
        })
    }

    /// The peer whose assigned id was lost with the answer to the first join under this key.
    pub(super) fn by_key(&self, join: &Join) -> Option<PeerId> {
        let key = join.key.as_ref().filter(|_| join.assigned)?;
        let same = |member: &Member<S>| member.assigned && member.key.as_ref() == Some(key);
        self.members
            .iter()
            .find(|(_, member)| same(member))
            .map(|(peer, _)| peer.clone())
    }

    pub(super) fn set_meta(
        &mut self,
        peer: &PeerId,
        epoch: Epoch,
        meta: Json,
        effects: &mut Effects<S>,
    ) -> Outcome {
        if !self.hear(peer, epoch, effects) {
            return ended();
        }
        self.tell_meta(peer, meta, effects);
        Outcome::Done
    }

    fn tell_meta(&mut self, peer: &PeerId, meta: Json, effects: &mut Effects<S>) {
        let Some(member) = self.members.get_mut(peer) else {
            return;
        };
        member.meta = meta;
        let (frame, epoch) = (
            Frame::peer_updated(peer, &member.meta, member.order),
            member.epoch,
        );
        self.tell_presence(peer, &frame, What::Info(epoch), effects);
    }
}
