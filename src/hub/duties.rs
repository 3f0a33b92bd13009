//! What falls due for the peers of a room: by their leases, by their readers, and by what of them the
//! other nodes that share the room do not know yet.

use std::collections::HashMap;
use std::time::Duration;

use super::live::Shared;
use super::replica::{Replica, Risen};
use super::seat::Seat;
use crate::proto::{
    Door, Due, Entry, Member, NodeId, PeerId, ReaderId, Reason, RoomId, Time, Timings,
};

/// By how much the clocks of a log and of a node may differ without harm.
const SKEW: Duration = Duration::from_secs(10);
/// What could not be said is said again after this.
pub(super) const AGAIN: Duration = Duration::from_secs(1);
/// How far a reader has come is told again after this, where that did not come through.
pub(super) const RETELL: Duration = Duration::from_secs(5);

/// Who looks after the peers of a room, and how it stands with their leases.
pub(super) struct Judge<'a> {
    pub(super) timings: &'a Timings,
    now: Time,
    /// The node goes away: leases stand still.
    draining: bool,
    /// Where the room is shared: this node, and until when no peer is judged by its lease.
    shared: Option<(NodeId, Time)>,
    pub(super) replica: Option<&'a mut Replica>,
    /// Readers that have left and are still to be told of.
    risen: HashMap<ReaderId, Risen>,
    again: Option<Time>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(shared: &'a Shared, room: &RoomId, now: Time, draining: bool) -> Self {
        let common = shared.common.as_ref();
        Self {
            timings: &shared.bounds.timings,
            now,
            draining,
            shared: common.map(|common| (common.store.node(), common.lenient_until(room))),
            replica: None,
            risen: HashMap::new(),
            again: None,
        }
    }

    /// What is surely past: the nodes that share a room forget by the time of its log.
    pub(super) fn surely(&self, now: Time) -> Time {
        Time(now.0.saturating_sub(self.skew().as_millis() as u64))
    }

    /// When `at` is surely past.
    pub(super) fn surely_past(&self, at: Time) -> Time {
        at + self.skew()
    }

    fn skew(&self) -> Duration {
        self.shared.map_or(Duration::ZERO, |_| SKEW)
    }

    /// When the room has to be looked at for another reason than what is known of its peers.
    pub(super) fn finish(self) -> Option<Time> {
        if let Some(replica) = self.replica {
            replica.risen = self.risen;
        }
        self.again
    }

    /// What is due for a member now, as entries to append; whether its incarnation is over by that.
    pub(super) fn duties(
        &mut self,
        peer: &PeerId,
        member: &mut Member<Seat>,
        entries: &mut Vec<Entry>,
    ) -> bool {
        let before = entries.len();
        let (mut kept, mut minded, mut lenient) = (true, false, false);
        if let Some((node, until)) = self.shared {
            self.reconcile(node, peer, member, entries);
            kept = member.attendance.keeper() == node;
            minded = member.seat.is_minded(&member.attendance.lease);
            lenient = (kept || minded) && self.now < until;
        }
        if self.draining {
            return false;
        }
        if lenient {
            self.look_again(self.until());
        }
        let due = member.attendance.lease.due(self.now, self.timings);
        let due = due.filter(|due| match due {
            Due::Silent => kept && !lenient,
            Due::Away => (kept || minded) && !lenient,
            Due::End(_) => kept && !lenient,
        });
        let (peer, epoch) = (|| peer.clone(), member.epoch);
        for door in Door::ALL {
            let reason = match due {
                Some(Due::Silent) => Reason::Silent,
                _ if member.seat.is_stuck(door, self.now, self.timings) => Reason::Slow,
                _ => continue,
            };
            if let Some(reader) = member.attendance.reader(door) {
                // All that it was handed, also what the others have not been told of.
                let owes = member.seat.slot(door).as_ref();
                let owes = owes.and_then(|slot| slot.owes.as_ref());
                let handed = owes.map_or(0, |owes| owes.written);
                let written = member.mailbox.written().max(handed);
                entries.push(Entry::Detach {
                    peer: peer(),
                    epoch,
                    door,
                    reader,
                    written,
                    reason: Some(reason),
                    told: None,
                });
            }
        }
        match due {
            Some(Due::Away) => entries.push(Entry::Away {
                peer: peer(),
                epoch,
            }),
            Some(Due::End(reason)) => entries.push(Entry::Lapse {
                peer: peer(),
                epoch,
                reason,
            }),
            Some(Due::Silent) | None => {}
        }
        if self.shared.is_some() && entries.len() > before {
            // It may not come through, or be too early by the time of the log.
            self.look_again(self.now + AGAIN);
        }
        matches!(due, Some(Due::End(_)))
    }

    fn look_again(&mut self, at: Time) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }

    fn until(&self) -> Time {
        self.shared.map_or(self.now, |(_, until)| until)
    }

    /// Readers that count as open here, and are not: what was to tell of it did not come through.
    fn reconcile(
        &mut self,
        node: NodeId,
        peer: &PeerId,
        member: &mut Member<Seat>,
        entries: &mut Vec<Entry>,
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let epoch = member.epoch;
        for door in Door::ALL {
            let here = |reader: &ReaderId| reader.node() == node;
            let Some(reader) = member.attendance.reader(door).filter(here) else {
                continue;
            };
            if let Some(slot) = member.seat.slot(door) {
                let owes = slot.owes.as_mut();
                let Some(owes) = owes.filter(|owes| owes.at.is_some_and(|at| at <= self.now))
                else {
                    continue;
                };
                owes.at = None;
                if member.mailbox.written() < owes.written {
                    owes.told = owes.written;
                    // It is told again, should it not come through.
                    owes.at = Some(self.now + RETELL);
                    entries.push(Entry::Wrote {
                        peer: peer.clone(),
                        epoch,
                        reader,
                        written: owes.written,
                    });
                }
            } else if !replica.opening.contains(&reader) {
                // One that never sat here was handed nothing.
                let mut risen = replica.risen.get(&reader).copied().unwrap_or_default();
                if risen.tell_at <= self.now {
                    risen.tell_at = self.now + AGAIN;
                    entries.push(Entry::Detach {
                        peer: peer.clone(),
                        epoch,
                        door,
                        reader,
                        written: risen.written,
                        reason: None,
                        told: risen.told,
                    });
                }
                self.risen.insert(reader, risen);
                let again = risen.tell_at;
                self.again = Some(self.again.map_or(again, |at| at.min(again)));
            }
        }
    }
}

/// When this member next needs to be looked at.
pub(super) fn deadline(member: &mut Member<Seat>, now: Time, timings: &Timings) -> Option<Time> {
    let Member {
        seat, attendance, ..
    } = member;
    seat.deadline(&attendance.lease, now, timings)
}
