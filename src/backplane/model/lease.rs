//! The model's nodes: who belongs to them, until when, and who is swept.

use std::time::Duration;

use super::Trip;
use super::world::{Serial, World};
use crate::backplane::store::{Feed, News, NodeId, Standing, StoreError};
use crate::proto::Time;

/// How much earlier than the engine a node takes its lease to be over.
const MARGIN: Duration = Duration::from_secs(2);
/// How often what is left of a dead node is told of.
const ROUND: Duration = Duration::from_secs(3);

/// A node as the engine and itself know it.
pub(super) struct Member {
    id: NodeId,
    feed: Feed,
    /// When its lease is over by its own reckoning; none: it was fenced.
    until: Option<Time>,
    cut: bool,
    deaf: bool,
    /// The partitions whose bells it did not hear.
    missed: Vec<Option<u16>>,
    trip: Option<Trip>,
}

impl World {
    pub(super) fn join(&mut self, feed: Feed) -> Serial {
        // A handle may outlive its node, and is never that of another.
        self.joined += 1;
        let serial = Serial(self.joined);
        let member = Member {
            id: NodeId(0),
            feed,
            until: None,
            cut: false,
            deaf: false,
            missed: Vec::new(),
            trip: None,
        };
        self.members.insert(serial, member);
        self.register(serial);
        serial
    }

    /// Gives a node an id and a lease.
    fn register(&mut self, serial: Serial) {
        let (now, lease) = (self.now, self.lease);
        self.last_id += 1;
        let id = NodeId(self.last_id);
        if let Some(member) = self.members.get_mut(&serial) {
            member.id = id;
            member.until = Some(own_end(now, lease));
            member.missed.clear();
            member.feed.tell(News::Standing(Standing::Joined(id)));
            member.feed.tell(News::Missed { partition: None });
            self.leases.insert(id, now + lease);
        }
    }

    pub(super) fn id(&self, serial: Serial) -> NodeId {
        self.members
            .get(&serial)
            .map_or(NodeId(0), |member| member.id)
    }

    /// Who asks, where it reaches the engine.
    pub(super) fn reached(&self, serial: Serial) -> Result<NodeId, StoreError> {
        match self.members.get(&serial) {
            Some(member) if !member.cut => Ok(member.id),
            Some(_) | None => Err(StoreError::Unavailable),
        }
    }

    /// Who asks, where it reaches the engine and is somebody.
    pub(super) fn standing(&self, serial: Serial) -> Result<NodeId, StoreError> {
        let fenced = self
            .members
            .get(&serial)
            .is_none_or(|member| member.until.is_none() || self.dead.contains(&member.id));
        if fenced {
            return Err(StoreError::Fenced);
        }
        self.reached(serial)
    }

    pub(super) fn tripped(&mut self, serial: Serial) -> Option<Trip> {
        self.members.get_mut(&serial)?.trip.take()
    }

    pub(super) fn trip(&mut self, serial: Serial, trip: Trip) {
        if let Some(member) = self.members.get_mut(&serial) {
            member.trip = Some(trip);
        }
    }

    /// Rings a node, if it hears.
    pub(super) fn ring(&mut self, node: NodeId, partition: u16, news: &News) {
        let members = self.members.values_mut();
        for member in members.filter(|member| member.id == node) {
            if member.cut || std::mem::take(&mut member.deaf) {
                member.missed.push(Some(partition));
            } else {
                member.feed.tell(news.clone());
            }
        }
    }

    pub(super) fn deafen(&mut self, serial: Serial) {
        if let Some(member) = self.members.get_mut(&serial) {
            member.deaf = true;
        }
    }

    pub(super) fn cut(&mut self, serial: Serial) {
        if let Some(member) = self.members.get_mut(&serial)
            && !std::mem::replace(&mut member.cut, true)
            && member.until.is_some()
        {
            member.feed.tell(News::Standing(Standing::Cut));
        }
    }

    pub(super) fn mend(&mut self, serial: Serial) {
        let Some(member) = self.members.get_mut(&serial) else {
            return;
        };
        if !std::mem::replace(&mut member.cut, false) {
            return;
        }
        member.missed = vec![None];
        if member.until.is_some() {
            member
                .feed
                .tell(News::Standing(Standing::Joined(member.id)));
        }
        self.renew();
    }

    /// A node is gone without a word.
    pub(super) fn die(&mut self, serial: Serial) {
        self.members.remove(&serial);
    }

    pub(super) fn resign(&mut self, serial: Serial) {
        if let Some(member) = self.members.remove(&serial)
            && self.leases.remove(&member.id).is_some()
        {
            self.condemn(member.id);
            self.tell_lost();
        }
    }

    fn condemn(&mut self, node: NodeId) {
        self.dead.insert(node);
        self.dying.insert(node, self.now);
    }

    /// Moves the clock.
    pub(super) fn at(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.expire();
        self.renew();
        let now = self.now;
        let over = self.leases.iter().filter(|(_, until)| **until < now);
        let over: Vec<_> = over.map(|(node, _)| *node).collect();
        // Whoever could condemn has renewed its own lease meanwhile.
        if self.members.values().any(|member| !member.cut) {
            for node in over {
                self.leases.remove(&node);
                self.condemn(node);
            }
        }
        self.tell_lost();
        for member in self.members.values_mut().filter(|member| !member.cut) {
            for partition in std::mem::take(&mut member.missed) {
                member.feed.tell(News::Missed { partition });
            }
        }
    }

    /// Renews the leases of all who reach the engine in time; the others are fenced, and join again
    /// when they reach it.
    fn renew(&mut self) {
        let (now, lease) = (self.now, self.lease);
        let mut void = Vec::new();
        for (serial, member) in &mut self.members {
            let lost = member.until.is_some_and(|until| until < now && member.cut)
                || !self.leases.contains_key(&member.id);
            if lost && member.until.take().is_some() {
                member.feed.tell(News::Standing(Standing::Fenced));
            }
            if member.cut {
                continue;
            }
            if member.until.is_some() {
                member.until = Some(own_end(now, lease));
                self.leases.insert(member.id, now + lease);
            } else {
                void.push(*serial);
            }
        }
        for serial in void {
            self.register(serial);
        }
    }

    /// Tells one node at a time of the rooms that the dead kept peers in.
    fn tell_lost(&mut self) {
        let now = self.now;
        let kept = &mut self.kept;
        self.dying
            .retain(|node, _| kept.get(node).is_some_and(|rooms| !rooms.is_empty()));
        kept.retain(|_, rooms| !rooms.is_empty());
        let Some(sweeper) = self.members.values().find(|member| !member.cut) else {
            return;
        };
        for (node, next) in self.dying.iter_mut().filter(|(_, next)| **next <= now) {
            *next = now + ROUND;
            for room in kept.get(node).into_iter().flatten().cloned() {
                sweeper.feed.tell(News::Lost { room, node: *node });
            }
        }
    }
}

/// When a lease that is renewed now is over by the node's own reckoning.
fn own_end(now: Time, lease: Duration) -> Time {
    now + lease.saturating_sub(MARGIN.min(lease / 5))
}
