//! What the oracle knows of the whole node: rooms, ends, and whether it is going away.

use std::collections::BTreeMap;

use super::house::House;
use super::member::{Duty, Member};
use super::*;

/// The end of an incarnation.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) caller: Caller,
    pub(super) reason: Reason,
    pub(super) detail: Option<Arc<str>>,
    pub(super) at: Time,
    /// Ends of one act come in no order.
    act: u64,
}

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) rooms: BTreeMap<RoomId, House>,
    pub(super) ends: Vec<Ended>,
    pub(super) draining: bool,
    acts: u64,
}

impl Oracle {
    pub(super) fn member(&mut self, caller: &Caller) -> Option<&mut Member> {
        let house = self.rooms.get_mut(&caller.room)?;
        house.changed = true;
        let member = house.members.get_mut(&caller.peer)?;
        (member.epoch == caller.epoch).then_some(member)
    }

    /// The same, without changing it.
    pub(super) fn seen(&self, caller: &Caller) -> Option<&Member> {
        let member = self.rooms.get(&caller.room)?.members.get(&caller.peer)?;
        (member.epoch == caller.epoch).then_some(member)
    }

    /// All who are present.
    pub(super) fn callers(&self) -> Vec<Caller> {
        let mut all = Vec::new();
        for (room, house) in &self.rooms {
            all.extend(house.members.iter().map(|(peer, member)| Caller {
                room: room.clone(),
                peer: peer.clone(),
                epoch: member.epoch,
            }));
        }
        all
    }

    pub(super) fn house(&mut self, room: &RoomId) -> &mut House {
        let house = self.rooms.get_mut(room).expect("the room is there");
        house.changed = true;
        house
    }

    /// Why an incarnation that is not present ended.
    pub(super) fn reason(&self, epoch: Epoch, now: Time) -> Reason {
        self.ended(epoch, now)
            .map_or(Reason::Unknown, |ended| ended.reason)
    }

    pub(super) fn ended(&self, epoch: Epoch, now: Time) -> Option<&Ended> {
        let young = |ended: &&Ended| now.since(ended.at) < ends::TOMBSTONE;
        self.ends
            .iter()
            .filter(young)
            .find(|ended| ended.caller.epoch == epoch)
    }

    /// A request of this incarnation's: counts as a sign of life where it is present.
    pub(super) fn attend(&mut self, caller: &Caller, now: Time) -> Result<(), Refused> {
        if self.member(caller).is_none() {
            let reason = self.reason(caller.epoch, now);
            return Err(Refused::Room(Refusal::Ended(reason)));
        }
        let house = self.house(&caller.room);
        count_many(
            "presence",
            "back",
            usize::from(house.here(&caller.peer).away),
        );
        house.attend(&caller.peer, now);
        Ok(())
    }

    /// Notes ends of one act.
    pub(super) fn note_ends(
        &mut self,
        callers: Vec<Caller>,
        reason: Reason,
        detail: Option<&Arc<str>>,
        now: Time,
    ) {
        self.acts += 1;
        self.ends
            .retain(|ended| now.since(ended.at) < ends::TOMBSTONE);
        for caller in callers {
            self.ends.push(Ended {
                caller,
                reason,
                detail: detail.cloned(),
                at: now,
                act: self.acts,
            });
        }
    }

    /// Past the bound the oldest ends are forgotten; of those of one act, the hub says which.
    pub(super) fn forget_ends(&mut self, hub: &Hub) {
        while self.ends.len() > LIMITS.ends {
            let act = self.ends[0].act;
            let oldest = self.ends.iter().take_while(|ended| ended.act == act);
            let mut forgotten = oldest.enumerate();
            let at = forgotten.find(|(_, ended)| hub.end(ended.caller.epoch).is_none());
            let (at, _) = at.expect("no more ends are remembered than may be");
            self.ends.remove(at);
        }
    }

    /// Ends an incarnation; how many sessions ended by it.
    pub(super) fn end(
        &mut self,
        caller: &Caller,
        reason: Reason,
        detail: Option<&Arc<str>>,
        now: Time,
    ) -> usize {
        let house = self.house(&caller.room);
        let sessions = house.end(&caller.peer, reason, now);
        if house.members.is_empty() {
            self.rooms.remove(&caller.room);
        }
        self.note_ends(vec![caller.clone()], reason, detail, now);
        sessions
    }

    /// What is due now, for everyone.
    pub(super) fn duties(&self, now: Time) -> Vec<(Caller, Duty)> {
        if self.draining {
            return Vec::new();
        }
        let mut duties = Vec::new();
        for (room, house) in &self.rooms {
            for (peer, member) in &house.members {
                let caller = || Caller {
                    room: room.clone(),
                    peer: peer.clone(),
                    epoch: member.epoch,
                };
                duties.extend(member.duty(now).map(|duty| (caller(), duty)));
            }
        }
        duties
    }

    /// When something will next be due.
    pub(super) fn next_duty(&self) -> Option<Time> {
        let members = self.rooms.values().flat_map(|house| house.members.values());
        members.filter_map(Member::next_duty).min()
    }
}
