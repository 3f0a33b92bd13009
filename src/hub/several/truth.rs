//! What the logs came to: for each room one that was applied where the entries were stored, and all
//! that stood in its mailboxes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::proto::Room;

/// The truth about all rooms.
#[derive(Clone, Default)]
pub(super) struct Truths(Arc<Mutex<All>>);

#[derive(Default)]
struct All {
    rooms: BTreeMap<RoomId, Truth>,
    happened: Vec<Happening>,
}

/// What an entry did that is to be judged by what the clients did.
pub(super) struct Happening {
    pub(super) room: RoomId,
    pub(super) peer: PeerId,
    pub(super) epoch: Epoch,
    pub(super) at: Time,
    /// Why it is gone; none: it counts as away.
    pub(super) gone: Option<Reason>,
}

/// The truth about a room.
pub(super) struct Truth {
    pub(super) room: Room,
    log: Vec<(u64, Entry)>,
    pub(super) boxes: BTreeMap<Epoch, Held>,
    pub(super) ends: BTreeMap<Epoch, (PeerId, Reason, Time)>,
    /// When the log last lost its end.
    pub(super) fell: Option<Time>,
    /// Signals that were lost with it, by number.
    pub(super) lost: BTreeSet<u64>,
}

/// What stood in a mailbox.
#[derive(Default)]
pub(super) struct Held {
    /// By number; news of presence may have been overwritten.
    pub(super) events: BTreeMap<u64, Vec<Frame>>,
    /// Signals and ends, which do not go missing.
    pub(super) needed: BTreeSet<u64>,
    /// The same that are for the notices door.
    pub(super) notices: BTreeSet<u64>,
    /// Signals: where each stands, by its number.
    pub(super) signals: BTreeMap<u64, u64>,
}

impl Held {
    pub(super) fn has(&self, seq: u64, frame: &Frame) -> bool {
        self.events.get(&seq).is_some_and(|all| all.contains(frame))
    }

    fn see(&mut self, seq: u64, frame: &Frame) {
        let all = self.events.entry(seq).or_default();
        if all.contains(frame) {
            return;
        }
        all.push(frame.clone());
        match frame.name() {
            b"signal" => {
                self.needed.insert(seq);
                if let Some(number) = number_of(frame) {
                    let before = self.signals.insert(number, seq);
                    assert!(before.is_none(), "signal {number} was stored twice");
                }
            }
            b"session-ended" | b"peer-left" => {
                self.needed.insert(seq);
                self.notices.insert(seq);
            }
            _ => {}
        }
    }
}

/// The number in a signal's data.
pub(super) fn number_of(frame: &Frame) -> Option<u64> {
    if frame.name() != b"signal" {
        return None;
    }
    let data: Value = serde_json::from_slice(frame.data()).ok()?;
    data["data"]["n"].as_u64()
}

impl Truth {
    fn new(room: &RoomId) -> Self {
        Self {
            room: Room::shared(room.clone()),
            log: Vec::new(),
            boxes: BTreeMap::new(),
            ends: BTreeMap::new(),
            fell: None,
            lost: BTreeSet::new(),
        }
    }

    fn apply(&mut self, at: u64, entry: Entry) -> Vec<Happening> {
        let now = Time(at / 1000);
        let mut away = None;
        if let Entry::Away { peer, epoch } = &entry {
            away = Some((peer.clone(), *epoch));
        }
        let is_away = |room: &mut Room, of: &Option<(PeerId, Epoch)>| {
            let member = of
                .as_ref()
                .and_then(|(peer, epoch)| room.incarnation(peer, *epoch));
            member.is_some_and(|member| member.attendance.lease.is_away())
        };
        let before = is_away(&mut self.room, &away);
        let applied = self.room.apply(at, now, entry);
        let mut happened = Vec::new();
        let room = self.room.id().clone();
        let mut happens = |peer, epoch, gone| {
            let (room, at) = (room.clone(), now);
            happened.push(Happening {
                room,
                peer,
                epoch,
                at,
                gone,
            });
        };
        for gone in applied.gone {
            self.ends
                .insert(gone.epoch, (gone.peer.clone(), gone.reason, now));
            happens(gone.peer, gone.epoch, Some(gone.reason));
        }
        if !before && is_away(&mut self.room, &away) {
            let (peer, epoch) = away.expect("somebody");
            happens(peer, epoch, None);
        }
        for (_, member) in self.room.members() {
            let held = self.boxes.entry(member.epoch).or_default();
            let written = member.mailbox.written();
            for (seq, frame) in member.mailbox.after(Door::Events, None, written) {
                held.see(seq, frame);
            }
        }
        happened
    }

    /// The log loses all after `at`.
    fn fall(&mut self, at: u64, now: Time) {
        let id = self.room.id().clone();
        let was = std::mem::replace(self, Truth::new(&id));
        for (position, entry) in was.log.into_iter().filter(|(position, _)| *position <= at) {
            self.log.push((position, entry.clone()));
            self.apply(position, entry);
        }
        self.fell = Some(now);
        self.lost = was.lost;
        for (epoch, before) in was.boxes {
            let held = self.boxes.entry(epoch).or_default();
            for (number, _) in before.signals {
                if !held.signals.contains_key(&number) {
                    self.lost.insert(number);
                }
            }
            // What was handed out before may be seen still.
            for (seq, frames) in before.events {
                held.events.entry(seq).or_default().extend(frames);
            }
        }
    }
}

impl Truths {
    /// An entry stands in the log, since now or before.
    pub(super) fn note(&self, room: &RoomId, at: u64, bytes: &[u8], by: NodeId, now: Time) {
        let mut all = self.0.lock();
        let All { rooms, happened } = &mut *all;
        let truth = rooms
            .entry(room.clone())
            .or_insert_with(|| Truth::new(room));
        if truth.log.iter().rev().any(|(known, _)| *known == at) {
            return;
        }
        assert!(at > truth.room.applied(), "{room}: positions rise");
        assert!(Time(at / 1000) >= now, "{room}: positions tell the time");
        let entry: Entry = serde_json::from_slice(&bytes[16..]).expect("an entry");
        let mut said = None;
        if let Entry::Join { node, .. } | Entry::Lost { heir: node, .. } = &entry {
            said = Some(*node);
        } else if let Entry::Attach(wish) = &entry {
            said = Some(wish.reader.node());
        }
        assert!(
            said.is_none_or(|said| said == by),
            "{by:?} wrote as {said:?}: {entry:?}"
        );
        count("entry", kind_of(&entry));
        truth.log.push((at, entry.clone()));
        happened.extend(truth.apply(at, entry));
    }

    pub(super) fn happened(&self) -> Vec<Happening> {
        std::mem::take(&mut self.0.lock().happened)
    }

    pub(super) fn with<T>(&self, room: &RoomId, look: impl FnOnce(&mut Truth) -> T) -> T {
        let mut all = self.0.lock();
        look(
            all.rooms
                .entry(room.clone())
                .or_insert_with(|| Truth::new(room)),
        )
    }

    /// Up to where a log goes without what was appended since then, where that is something.
    pub(super) fn before(&self, room: &RoomId, since: Time) -> Option<u64> {
        self.with(room, |truth| {
            let kept = truth
                .log
                .iter()
                .rev()
                .find(|(at, _)| Time(at / 1000) < since);
            let at = kept.map(|(at, _)| *at)?;
            (at < truth.room.applied()).then_some(at)
        })
    }

    /// The log of a room has lost all after `at`.
    pub(super) fn fall(&self, room: &RoomId, at: u64, now: Time) {
        self.with(room, |truth| truth.fall(at, now));
    }

    /// The last entries of a room, for who looks for what went wrong.
    pub(super) fn last(&self, room: &RoomId, most: usize) -> Vec<String> {
        self.with(room, |truth| {
            let last = truth.log.iter().rev().take(most).rev();
            last.map(|(at, entry)| format!("{room} {at} {entry:?}"))
                .collect()
        })
    }

    pub(super) fn rooms(&self) -> Vec<RoomId> {
        self.0.lock().rooms.keys().cloned().collect()
    }
}

fn kind_of(entry: &Entry) -> &'static str {
    match entry {
        Entry::Join { .. } => "join",
        Entry::Meta { .. } => "meta",
        Entry::Send { .. } => "send",
        Entry::Seen { .. } => "seen",
        Entry::Away { .. } => "away",
        Entry::Closing { .. } => "closing",
        Entry::Attach(_) => "attach",
        Entry::Keeps { .. } => "keeps",
        Entry::Detach { .. } => "detach",
        Entry::Wrote { .. } => "wrote",
        Entry::Lost { .. } => "lost",
        Entry::Leave { .. } => "leave",
        Entry::Lapse { .. } => "lapse",
        Entry::Close { .. } => "close",
        Entry::Report { .. } => "report",
        Entry::OtherEngine => "other-engine",
    }
}

/// What a room came to, but for what the nodes that share it may differ in: what was written and is
/// held, what is too old, and who was cut off here only.
pub(super) fn essence<S: crate::proto::Seating>(room: &Room<S>, now: Time) -> Value {
    let mut value = serde_json::to_value(room).expect("a room");
    strip(&mut value, now.0.saturating_sub(280_000));
    value
}

fn strip(value: &mut Value, old: u64) {
    match value {
        Value::Object(fields) => {
            for local in ["floor", "lost", "held", "cut"] {
                fields.remove(local);
            }
            fields.values_mut().for_each(|field| strip(field, old));
        }
        Value::Array(items) => {
            items.retain(|item| {
                let written = item.get("written").is_some_and(|at| !at.is_null());
                let aged = item
                    .get("at")
                    .and_then(Value::as_u64)
                    .is_some_and(|at| at < old);
                !(aged || written && item.get("frame").is_some())
            });
            items.iter_mut().for_each(|item| strip(item, old));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
