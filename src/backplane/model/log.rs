//! One room of the model: its log, its snapshot, its census and its seats.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::backplane::store::{NodeId, ROOM, Ring, SeatChange, TOMBSTONE, Tail};
use crate::proto::{Door, PeerId, Time};

#[derive(Debug, Default)]
pub(super) struct Log {
    /// The position of the last entry.
    pub(super) head: u64,
    /// Up to where the snapshot goes.
    trimmed: u64,
    snapshot: Bytes,
    entries: BTreeMap<u64, Bytes>,
    /// As of when the members were counted, and how many there were.
    census: (u64, usize),
    seats: BTreeMap<(PeerId, bool), (NodeId, u64)>,
    /// How often another engine has taken over, and which took the last entry.
    engine: u64,
    took: u64,
    pub(super) expires: Time,
}

/// A seat's place; the doors have no order of their own.
fn place(peer: &PeerId, door: Door) -> (PeerId, bool) {
    (peer.clone(), door == Door::Notices)
}

impl Log {
    /// Takes an entry, after `other` where not the engine that took the last one does; gives its
    /// position, and whether that was so.
    pub(super) fn push(&mut self, entry: Bytes, other: Bytes, now: Time) -> (u64, bool) {
        let mut at = (self.head + 1).max(now.0.saturating_mul(1000));
        let another = self.head > 0 && self.took != self.engine;
        if another {
            self.entries.insert(at, other);
            at += 1;
        }
        self.took = self.engine;
        self.entries.insert(at, entry);
        self.head = at;
        self.expires = now + ROOM;
        (at, another)
    }

    /// What someone lacks who could know of entries up to `before`.
    pub(super) fn tail(&self, at: u64, known: u64, before: u64) -> Tail {
        let held = known == before
            || known <= self.trimmed
            || (known < before && self.entries.contains_key(&known));
        let from = if held { known } else { 0 };
        let snapshot = (from < self.trimmed).then(|| (self.trimmed, self.snapshot.clone()));
        let after = self.entries.range(from + 1..);
        Tail {
            at,
            head: self.head,
            snapshot,
            entries: after.map(|(at, entry)| (*at, entry.clone())).collect(),
            length: self.entries.len(),
            size: self.entries.values().map(|entry| entry.len() as u64).sum(),
            set_back: !held,
        }
    }

    pub(super) fn compact(&mut self, at: u64, snapshot: Bytes) {
        if at > self.trimmed && self.entries.contains_key(&at) {
            self.entries = self.entries.split_off(&(at + 1));
            self.trimmed = at;
            self.snapshot = snapshot;
        }
    }

    pub(super) fn count(&mut self, at: u64, members: usize, now: Time) {
        if at < self.census.0 || at > self.head {
            return;
        }
        self.census = (at, members);
        if members > 0 {
            self.expires = now + ROOM;
        } else if at == self.head {
            self.expires = now + TOMBSTONE;
        }
    }

    /// How many members there are, if there are any.
    pub(super) fn members(&self) -> Option<usize> {
        (self.census.1 > 0).then_some(self.census.1)
    }

    /// The nodes that are to be rung, but `me`.
    pub(super) fn rung(&self, ring: &Ring, me: NodeId) -> Vec<NodeId> {
        let concerned = |peer: &PeerId| match ring {
            Ring::Nobody => false,
            Ring::Everyone => true,
            Ring::Peers(peers) => peers.contains(peer),
        };
        let seats = self.seats.iter();
        let seats = seats.filter(|((peer, _), (node, _))| *node != me && concerned(peer));
        let mut nodes: Vec<_> = seats.map(|(_, (node, _))| *node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    pub(super) fn seat(&mut self, node: NodeId, changes: Vec<SeatChange>) {
        for change in changes {
            match change {
                SeatChange::Take { peer, door, reader } => {
                    self.seats.insert(place(&peer, door), (node, reader));
                }
                SeatChange::Leave { peer, door, reader } => {
                    let place = place(&peer, door);
                    if self.seats.get(&place).is_some_and(|seat| seat.1 == reader) {
                        self.seats.remove(&place);
                    }
                }
            }
        }
    }

    /// Loses all entries after `at`.
    pub(super) fn lose_after(&mut self, at: u64) {
        self.engine += 1;
        self.entries.split_off(&(at + 1));
        let last = self.entries.last_key_value();
        self.head = last.map_or(self.trimmed, |(at, _)| *at);
        self.census.0 = self.census.0.min(self.head);
    }
}
