//! A shared room on this node: how the entries of its log are applied, whoever appended them.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::task::Waker;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::ends::End;
use super::live::{Live, State, wake};
use super::seat::Seat;
use crate::backplane::Failed;
use crate::backplane::store::{Ring, Tail};
use crate::proto::{
    Applied, Calls, Door, Entry, Epoch, Outcome, PeerId, ReaderId, Reason, Room, Seating as _, Time,
};

/// What a node knows of a shared room beside the room.
#[derive(Default)]
pub(super) struct Replica {
    /// Entries of this node that are on their way, by their number.
    pub(super) waiting: HashMap<u64, Waiting>,
    /// Readers that are opening here.
    pub(super) opening: HashSet<ReaderId>,
    /// Readers that have left this node.
    pub(super) risen: HashMap<ReaderId, Risen>,
    /// Whether the store knows that this node looks after peers here.
    pub(super) kept: bool,
    /// What is new is being fetched.
    pub(super) fetching: bool,
    /// An entry that was heard of, and has not come.
    pub(super) wanted: u64,
    /// A snapshot is on its way to the store.
    pub(super) compacting: bool,
    /// An entry or a snapshot could not be read: what this node makes of the log is its own affair.
    pub(super) unreadable: bool,
    /// When somebody was last interested; what is asked for next finds the room here still.
    pub(super) used: Time,
    /// When the store was last told that the room is not forgotten.
    pub(super) told: Time,
}

/// A reader that has left: until the log knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Risen {
    /// Up to where it was handed events.
    pub(super) written: u64,
    /// What it was told, if it was.
    pub(super) told: Option<Reason>,
    /// When the others are told, or told again.
    pub(super) tell_at: Time,
}

/// An entry on its way, and who waits for its outcome. It may be seen in the log before the store says
/// that it is kept as it is to be; only then the outcome is told.
pub(super) struct Waiting {
    /// Until it is seen in the log.
    entry: Option<Entry>,
    ring: Ring,
    /// Once it was seen there.
    outcome: Option<Outcome>,
    waiter: oneshot::Sender<Result<Outcome, Failed>>,
}

impl Waiting {
    pub(super) fn new(
        entry: Entry,
        ring: Ring,
        waiter: oneshot::Sender<Result<Outcome, Failed>>,
    ) -> Self {
        Self {
            entry: Some(entry),
            ring,
            outcome: None,
            waiter,
        }
    }

    /// The store keeps the entry, or cannot say so: then whoever waits does so in vain.
    pub(super) fn done(self, kept: bool) {
        if let Some(outcome) = self.outcome.filter(|_| kept) {
            // Nobody may be waiting any more.
            let _ = self.waiter.send(Ok(outcome));
        }
    }
}

/// What is to be done after entries were applied.
#[derive(Default)]
pub(super) struct Taken {
    /// The members as of a position, where this node has changed who they are.
    pub(super) census: Option<(u64, usize)>,
    /// Who came back by an entry of this node's of which only some were told.
    pub(super) back: Vec<(PeerId, Epoch)>,
    /// Seats that the store has given away, and where others may sit still.
    pub(super) seats: Vec<(PeerId, Door)>,
    /// Nothing was applied: what was told is of an older state of the room, and does not follow on the
    /// present one.
    pub(super) stale: bool,
}

/// How many digits the number of an entry has.
const DIGITS: usize = 16;

/// An entry as it stands in the log: its number in hex digits, and a JSON text.
pub(super) fn pack(uid: u64, entry: &Entry) -> Bytes {
    let mut bytes = format!("{uid:016x}").into_bytes();
    if let Err(error) = serde_json::to_writer(&mut bytes, entry) {
        tracing::error!(%error, "an entry cannot be written");
    }
    bytes.into()
}

/// The number of an entry, and its JSON text.
fn unpack(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (uid, json) = bytes.split_at_checked(DIGITS)?;
    let uid = u64::from_str_radix(std::str::from_utf8(uid).ok()?, 16).ok()?;
    Some((uid, json))
}

impl State {
    /// What is known beside the room; only where the room is shared.
    pub(super) fn replica(&mut self) -> &mut Replica {
        self.replica.get_or_insert_default()
    }
}

impl Live {
    /// Applies what of a log is new here; it is from when the room was `known` up to there.
    pub(super) fn take(&self, tail: Tail, known: u64) -> Taken {
        let mut taken = Taken::default();
        let mut wakers = Vec::new();
        let mut guard = self.lock();
        let state = &mut *guard;
        if !follows(&tail, known, state.room.applied()) {
            taken.stale = true;
            return taken;
        }
        // The readers that sit here keep their places over it all.
        let mut former = None;
        if tail.set_back {
            let blank = Room::shared(self.id.clone());
            former = Some(std::mem::replace(&mut state.room, blank));
        }
        if let Some((at, bytes)) = tail.snapshot
            && at > state.room.applied()
        {
            match serde_json::from_slice::<Room>(&bytes) {
                Ok(room) => {
                    let room = room.reseat(|()| Seat::begin());
                    let old = std::mem::replace(&mut state.room, room);
                    former.get_or_insert(old);
                    self.hear_of_ends(state);
                }
                Err(error) => {
                    tracing::error!(%error, "a snapshot cannot be read");
                    state.replica().unreadable = true;
                }
            }
        }
        if former.is_some() {
            state.room.count_in(&self.shared.held);
        }
        for (at, bytes) in tail.entries {
            let calls = self.take_one(state, at, &bytes, &mut taken);
            wakers.extend(calls.into_iter().flatten());
        }
        if let Some(former) = former {
            self.move_in(state, former, tail.set_back, &mut wakers);
        }
        drop(guard);
        wake(wakers);
        taken
    }

    /// An entry was told of. Whether what is missing has to be fetched.
    pub(super) fn hear(&self, prev: u64, at: u64, bytes: Option<&Bytes>) -> (Taken, bool) {
        let mut taken = Taken::default();
        let mut state = self.lock();
        if state.room.applied() >= at {
            return (taken, false);
        }
        let next = bytes.filter(|_| state.room.applied() == prev);
        let Some(bytes) = next else {
            let replica = state.replica();
            replica.wanted = replica.wanted.max(at);
            return (taken, true);
        };
        let calls = self.take_one(&mut state, at, bytes, &mut taken);
        drop(state);
        wake(calls.into_iter().flatten());
        (taken, false)
    }

    /// Applies the entry at a position, if it is new here. Whom to wake.
    fn take_one(
        &self,
        state: &mut State,
        at: u64,
        bytes: &[u8],
        taken: &mut Taken,
    ) -> Option<Calls<Seat>> {
        if at <= state.room.applied() {
            return None;
        }
        let Some((uid, json)) = unpack(bytes) else {
            tracing::error!("an entry of the log cannot be read");
            state.replica().unreadable = true;
            return None;
        };
        let own = state.replica().waiting.get_mut(&uid);
        let ring = own.as_ref().map(|own| own.ring.clone());
        let entry = match own.and_then(|own| own.entry.take()) {
            Some(entry) => entry,
            None => match serde_json::from_slice(json) {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::error!(%error, "an entry of the log cannot be read");
                    state.replica().unreadable = true;
                    return None;
                }
            },
        };
        let now = time_of(at);
        let stray = matches!(&entry, Entry::Attach(wish) if self.is_stray(state, wish.reader));
        let seat = taken_seat(&entry);
        let applied = state.room.apply(at, now, entry);
        if let Some((peer, door, reader)) = seat
            && let Some(member) = state.room.member(&peer)
            && member
                .attendance
                .reader(door)
                .is_some_and(|it| it != reader)
        {
            taken.seats.push((peer, door));
        }
        let is_own = ring.is_some();
        if let Some(ring) = ring {
            let joined = matches!(&applied.outcome, Outcome::Joined(joined) if joined.new);
            if joined || !applied.gone.is_empty() {
                taken.census = Some((at, state.room.len()));
            }
            if let Some((peer, epoch)) = &applied.back
                && let Some(member) = state.room.incarnation(peer, *epoch)
            {
                member.seat.mind();
            }
            if ring != Ring::Everyone {
                taken.back.extend(back(&applied));
            }
        }
        let (outcome, calls) = self.settle(state, applied, now, is_own);
        if stray {
            self.arm(state, Some(now));
        }
        if let Some(own) = state.replica().waiting.get_mut(&uid) {
            own.outcome = Some(outcome);
        }
        Some(calls)
    }

    /// Whether a reader that takes its seat is of this node, where whoever opened it has gone: nobody
    /// sits down.
    fn is_stray(&self, state: &mut State, reader: ReaderId) -> bool {
        let common = self.shared.common.as_ref();
        let here = common.is_some_and(|common| common.store.node() == reader.node());
        here && !state.replica().opening.contains(&reader)
    }

    /// What keeps the reader of this node in its seat, where one sits there or is about to.
    pub(super) fn keeps_seat(&self, peer: PeerId, door: Door) -> Option<Entry> {
        let node = self.shared.common.as_ref()?.store.node();
        let mut state = self.lock();
        let member = state.room.present(&peer)?;
        let reader = member.attendance.reader(door)?;
        let sits = member.seat.slot(door).is_some();
        let here = reader.node() == node && (sits || state.replica().opening.contains(&reader));
        here.then_some(Entry::Keeps { peer, door, reader })
    }

    /// Remembers the ends of incarnations that the room tells of.
    fn hear_of_ends(&self, state: &State) {
        let mut ends = self.shared.ends.lock();
        for (epoch, ended, at) in state.room.ends(self.shared.clock.now()) {
            let end = End {
                room: self.id.clone(),
                peer: ended.peer.clone(),
                reason: ended.reason,
                detail: ended.detail.clone(),
            };
            ends.insert(epoch, end, at);
        }
    }

    /// The readers of this node move from a state of the room to the one that has come in its place.
    /// Those that it does not know are to read anew.
    fn move_in(
        &self,
        state: &mut State,
        mut former: Room<Seat>,
        set_back: bool,
        wakers: &mut Vec<Waker>,
    ) {
        for (peer, former) in former.seated() {
            let readers = Door::ALL.map(|door| former.attendance.reader(door));
            let mut seat = std::mem::take(&mut former.seat);
            wakers.extend(seat.slots().filter_map(|slot| slot.waker.take()));
            let Some(member) = state.room.incarnation(peer, former.epoch) else {
                continue;
            };
            for (door, reader) in Door::ALL.into_iter().zip(readers) {
                let Some(reader) = reader else { continue };
                let Err(reason) = member.attendance.is_seated(door, reader) else {
                    continue;
                };
                *seat.slot(door) = None;
                // A log that was set back has forgotten who came last. Otherwise it is the reader's
                // end if another sits there, or why it was cut is known.
                let unknown = reason == Reason::Replaced;
                if set_back || (unknown && member.attendance.reader(door).is_none()) {
                    member.attendance.strand(door, reader, Reason::Drain);
                }
            }
            seat.go_on(&member.seat);
            member.seat = seat;
        }
        let now = self.shared.clock.now();
        self.arm(state, Some(now));
    }

    /// What the room has come to, for the store; none while another is on its way.
    pub(super) fn snapshot(&self) -> Option<(u64, Bytes)> {
        let mut state = self.lock();
        let replica = state.replica();
        if replica.unreadable || std::mem::replace(&mut replica.compacting, true) {
            return None;
        }
        match serde_json::to_vec(&state.room) {
            Ok(bytes) => Some((state.room.applied(), bytes.into())),
            Err(error) => {
                tracing::error!(%error, "a snapshot cannot be written");
                state.replica().compacting = false;
                None
            }
        }
    }
}

/// Whether the end of a log that was told to one who had `known` is of use to one who has `applied`
/// by now. A log that has lost its end may lack what was applied meanwhile, and go on all the same.
fn follows(tail: &Tail, known: u64, applied: u64) -> bool {
    let covers = |snapshot: &(u64, Bytes)| snapshot.0 >= applied;
    match applied.cmp(&known) {
        Ordering::Less => false,
        Ordering::Equal => true,
        Ordering::Greater if tail.set_back => false,
        Ordering::Greater => {
            tail.head <= applied
                || tail.snapshot.as_ref().is_some_and(covers)
                || tail.entries.iter().any(|(at, _)| *at == applied)
        }
    }
}

/// The seat that the store gives away by an entry, and to which reader.
fn taken_seat(entry: &Entry) -> Option<(PeerId, Door, ReaderId)> {
    if let Entry::Attach(wish) = entry {
        return Some((wish.peer.clone(), wish.door, wish.reader));
    }
    if let Entry::Keeps { peer, door, reader } = entry {
        return Some((peer.clone(), *door, *reader));
    }
    None
}

/// Who is back by an entry.
fn back(applied: &Applied<Seat>) -> Option<(PeerId, Epoch)> {
    applied.back.clone()
}

/// The time of an entry: positions are microseconds since 1970.
fn time_of(position: u64) -> Time {
    Time(position / 1000)
}
