//! What is checked after every step.

use std::collections::BTreeSet;

use super::open::Standing;
use super::world::World;
use super::*;

impl World {
    /// Compares the hub with the oracle; `whole`: also what no step has touched.
    pub(super) fn check(&mut self, whole: bool) {
        let (now, ticked) = (self.now(), self.ticked);
        self.oracle.forget_ends(&self.hub);
        let known: BTreeSet<_> = self.oracle.rooms.keys().cloned().collect();
        let rooms = self.hub.inner.rooms.read();
        let there: BTreeSet<_> = rooms.keys().cloned().collect();
        assert_eq!(there, known, "the rooms");
        drop(rooms);
        let may_keep = self.oracle.draining;
        for (room, house) in &mut self.oracle.rooms {
            if !std::mem::take(&mut house.changed) && !whole {
                continue;
            }
            house.check_views(&self.hub.peers(room), None, now);
            let live = self.hub.room(room).expect("a room");
            let state = live.lock();
            assert_eq!(state.room.len(), house.members.len(), "all of them");
            for (peer, member) in &mut house.members {
                let there = state.room.member(peer).expect("present");
                assert_eq!(there.epoch, member.epoch);
                member.mail.changed |= whole;
                member.mail.compare(&there.mailbox, now, ticked, may_keep);
            }
            let members = house.members.keys();
            for peer in members {
                let there = state.room.member(peer).expect("present");
                assert_eq!(there.open_sessions(), house.open_sessions(peer));
                if whole {
                    assert_eq!(there.all_sessions(now), house.all_sessions(peer, now));
                }
            }
        }
        self.check_readers();
        let shared = &self.hub.inner.shared;
        let lingering = self
            .readers
            .values()
            .filter(|open| open.over || open.standing != Standing::Seated);
        let deadlines = shared.timer.len();
        let most = self.oracle.rooms.len() + lingering.count() + self.lost_rooms();
        assert!(deadlines <= most, "{deadlines} deadlines, {most} rooms");
        if whole {
            self.check_ends();
        }
    }

    /// Readers keep a room that has ended from going, until they are dropped.
    fn lost_rooms(&self) -> usize {
        let mut lost = 0;
        for open in self.readers.values() {
            lost += usize::from(self.oracle.seen(&open.caller).is_none());
        }
        lost
    }

    fn check_readers(&self) {
        assert_eq!(self.hub.open_readers(), self.open_readers());
        assert!(self.open_readers() <= LIMITS.readers);
        let ticked = self.ticked;
        for (serial, open) in &self.readers {
            assert!(
                !open.starves(&self.oracle, ticked),
                "{serial} was not woken"
            );
        }
    }

    fn check_ends(&mut self) {
        let now = self.now();
        for ended in &self.oracle.ends {
            let told = self.hub.end(ended.caller.epoch);
            if now.since(ended.at) >= ends::TOMBSTONE {
                assert!(told.is_none(), "remembered for too long");
                continue;
            }
            let told = told.expect("remembered");
            assert_eq!((told.reason, &told.detail), (ended.reason, &ended.detail));
            assert_eq!(
                (&told.room, &told.peer),
                (&ended.caller.room, &ended.caller.peer)
            );
            count("over", "remembered");
        }
        for gone in &self.gone {
            if self.oracle.ended(gone.epoch, now).is_none() {
                assert!(self.hub.end(gone.epoch).is_none(), "forgotten");
                count("over", "forgotten");
            }
        }
        let held = self.hub.inner.shared.ends.lock().len();
        assert!(held <= LIMITS.ends, "{held} ends");
        let ticked = self.ticked;
        let young = |ended: &&oracle::Ended| ticked.since(ended.at) < ends::TOMBSTONE;
        assert!(
            held <= self.oracle.ends.iter().filter(young).count(),
            "{held} ends are held"
        );
        let listed = self.hub.rooms();
        let listed: Vec<_> = listed.iter().map(|view| (&view.room, view.peers)).collect();
        let known = self.oracle.rooms.iter();
        let known: Vec<_> = known
            .map(|(room, house)| (room, house.members.len()))
            .collect();
        assert_eq!(listed, known);
    }

    /// All is read, all leave, and nothing is left.
    pub(super) fn finish(&mut self) {
        let now = self.now();
        self.tick_at(now);
        let serials: Vec<_> = self.readers.keys().copied().collect();
        serials.into_iter().for_each(|serial| self.detach(serial));
        self.read_all();
        self.check(true);
        for caller in self.oracle.callers() {
            let leaving = self.hub.leave(&caller, Reason::Left, None);
            leaving.now_or_never().expect("at once").expect("done");
            self.ends(&caller, Reason::Left, None);
            self.check(true);
        }
        let inner = &self.hub.inner;
        assert_eq!(self.hub.open_readers(), 0);
        assert!(inner.rooms.read().is_empty(), "no room is left");
        assert_eq!(inner.shared.timer.len(), 0, "no deadline is left");
        let later = self.now() + ends::TOMBSTONE;
        self.tick_at(later);
        let ends = &self.hub.inner.shared.ends;
        assert!(ends.lock().is_empty(), "no tombstone is left");
    }
}
