//! All that the model's engine holds, and what its nodes ask of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::Trip;
use super::lease::Member;
use super::log::Log;
use crate::backplane::store::{
    Append, INLINE, News, NodeId, RoomsPage, StoreError, Tail, partition,
};
use crate::proto::{RoomId, Time};

/// How long an append is known by its uid.
const UID: Duration = Duration::from_secs(60);
/// How many rooms a page of the census has.
const PAGE: usize = 256;

/// A node from its first id to its death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial(pub(super) usize);

pub(super) struct World {
    pub(super) now: Time,
    pub(super) lease: Duration,
    pub(super) last_id: u32,
    /// How many nodes have joined.
    pub(super) joined: usize,
    pub(super) members: BTreeMap<Serial, Member>,
    /// The leases as the engine knows them.
    pub(super) leases: BTreeMap<NodeId, Time>,
    /// Who is to be swept, and when they are told of again.
    pub(super) dying: BTreeMap<NodeId, Time>,
    pub(super) dead: BTreeSet<NodeId>,
    pub(super) kept: BTreeMap<NodeId, BTreeSet<RoomId>>,
    rooms: BTreeMap<RoomId, Log>,
    uids: BTreeMap<(RoomId, u64), (u64, Time)>,
}

impl World {
    pub(super) fn new(lease: Duration, now: Time) -> Self {
        Self {
            now,
            lease,
            last_id: 0,
            joined: 0,
            members: BTreeMap::new(),
            leases: BTreeMap::new(),
            dying: BTreeMap::new(),
            dead: BTreeSet::new(),
            kept: BTreeMap::new(),
            rooms: BTreeMap::new(),
            uids: BTreeMap::new(),
        }
    }

    /// Lets go of what has outlived its time.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        self.rooms.retain(|_, log| log.expires > now);
        self.uids.retain(|_, (_, expires)| *expires > now);
    }

    pub(super) fn append(
        &mut self,
        serial: Serial,
        room: &RoomId,
        append: Append,
    ) -> Result<Tail, StoreError> {
        let node = self.standing(serial)?;
        match self.tripped(serial) {
            Some(Trip::Before) => Err(StoreError::Unavailable),
            Some(Trip::After) => {
                self.store(node, room, append);
                Err(StoreError::Unavailable)
            }
            None => Ok(self.store(node, room, append)),
        }
    }

    fn store(&mut self, node: NodeId, room: &RoomId, append: Append) -> Tail {
        let now = self.now;
        let log = self.rooms.entry(room.clone()).or_default();
        let before = log.head;
        let uid = (room.clone(), append.uid);
        if let Some((at, _)) = self.uids.get(&uid) {
            return log.tail(*at, append.known, before);
        }
        let rung = log.rung(&append.ring, node);
        let (at, another) = log.push(append.entry.clone(), append.other_engine, now);
        log.seat(node, append.seats);
        let tail = log.tail(at, append.known, before);
        self.uids.insert(uid, (at, now + UID));
        if append.keeps {
            self.kept.entry(node).or_default().insert(room.clone());
        }
        let news = News::Entry {
            room: room.clone(),
            prev: before,
            at,
            entry: (append.entry.len() <= INLINE && !another).then_some(append.entry),
        };
        for node in rung {
            self.ring(node, partition(room), &news);
        }
        tail
    }

    pub(super) fn fetch(&self, room: &RoomId, known: u64) -> Tail {
        match self.rooms.get(room) {
            Some(log) => log.tail(0, known, log.head),
            None => Tail {
                set_back: known > 0,
                ..Tail::default()
            },
        }
    }

    pub(super) fn head(&self, room: &RoomId) -> u64 {
        self.rooms.get(room).map_or(0, |log| log.head)
    }

    pub(super) fn compact(&mut self, room: &RoomId, at: u64, snapshot: Bytes) {
        if let Some(log) = self.rooms.get_mut(room) {
            log.compact(at, snapshot);
        }
    }

    pub(super) fn census(&mut self, room: &RoomId, at: u64, members: usize) {
        if let Some(log) = self.rooms.get_mut(room) {
            log.count(at, members, self.now);
        }
    }

    pub(super) fn release(&mut self, room: &RoomId, node: NodeId, at: u64) {
        if self.head(room) <= at
            && let Some(kept) = self.kept.get_mut(&node)
        {
            kept.remove(room);
        }
    }

    pub(super) fn kept_by(&self, serial: Serial) -> usize {
        self.kept.get(&self.id(serial)).map_or(0, BTreeSet::len)
    }

    pub(super) fn swept(&mut self, room: &RoomId, node: NodeId) {
        if self.dead.contains(&node)
            && let Some(kept) = self.kept.get_mut(&node)
        {
            kept.remove(room);
        }
    }

    pub(super) fn rooms(&self, page: u64) -> RoomsPage {
        let page = usize::try_from(page).unwrap_or(usize::MAX);
        let peopled = self.rooms.iter();
        let peopled = peopled.filter_map(|(room, log)| Some((room.clone(), log.members()?)));
        let mut rest = peopled.skip(page);
        let rooms: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next = rest.next().map(|_| page + rooms.len());
        (next.and_then(|next| u64::try_from(next).ok()), rooms)
    }

    pub(super) fn lose_after(&mut self, room: &RoomId, at: u64) {
        let Some(log) = self.rooms.get_mut(room) else {
            return;
        };
        log.lose_after(at);
        if log.head == 0 {
            self.rooms.remove(room);
        }
        let lost = |(of, _): &(RoomId, u64), found: u64| of == room && found > at;
        self.uids.retain(|uid, (found, _)| !lost(uid, *found));
        // With its end the log may have lost that the dead were dealt with: they are told of again.
        for node in self.dead.clone() {
            self.kept.entry(node).or_default().insert(room.clone());
            self.dying.entry(node).or_insert(self.now);
        }
    }

    pub(super) fn lose_all(&mut self) {
        self.rooms.clear();
        self.uids.clear();
        self.kept.clear();
    }
}
