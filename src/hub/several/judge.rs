//! What must hold: who may be said to be away or gone, what has to have come, and what may be left.

use super::asking::{Answer, Ask};
use super::people::{Life, Manner};
use super::truth::{Happening, essence};
use super::world::World;
use super::*;

/// How exactly clients and log agree on when something was, in milliseconds.
const BLUR: u64 = 30;

impl World {
    /// Judges what the logs have it that peers did.
    pub(super) fn judge(&mut self) {
        for happening in self.truths.happened() {
            let Happening {
                room,
                peer,
                epoch,
                at,
                gone,
            } = &happening;
            let what = gone.map_or("away", Reason::as_str);
            self.say(|| format!("{room}/{peer} {epoch} is {what}"));
            count(if gone.is_some() { "gone" } else { "presence" }, what);
            let fell = self.truths.with(room, |truth| truth.fell);
            // What was lost may have told of it.
            if fell.is_some_and(|fell| at.since(fell) < Duration::from_secs(60)) {
                continue;
            }
            let Some(life) = self
                .lives
                .iter()
                .position(|life| life.caller.epoch == *epoch)
            else {
                continue;
            };
            let reads = self.reads(life);
            let idle = if reads {
                0
            } else {
                at.since(self.lives[life].proof).as_millis() as u64
            };
            let one = &self.lives[life];
            let doubled = one
                .gave_up
                .is_some_and(|then| at.since(then) < Duration::from_secs(25));
            match gone {
                None => {
                    let least = TIMINGS.away_after.as_millis() as u64;
                    assert!(
                        doubled || idle + BLUR >= least,
                        "{room}/{peer} is away after {idle} ms"
                    );
                }
                Some(Reason::Timeout) => {
                    if one.over && fell.is_some() {
                        // It was told that it is over, before the log lost that.
                        continue;
                    }
                    let busy = self.people[one.person].fresh || one.ending.is_some();
                    assert!(
                        busy || one.silent.is_some(),
                        "{room}/{peer} was there all the time"
                    );
                    if one.silent.is_some() {
                        self.is_in_time(life, *at);
                    }
                }
                Some(reason) => {
                    let closes = |life: &Life| {
                        life.caller.room == *room && life.ending == Some(Reason::RoomClosed)
                    };
                    let closed = *reason == Reason::RoomClosed && self.lives.iter().any(closes);
                    let asked = closed || one.ending.is_some();
                    assert!(asked, "{room}/{peer} is gone, and nobody asked for it");
                }
            }
        }
    }

    /// Who fell silent is gone no earlier and no later than it is to be.
    fn is_in_time(&self, life: usize, at: Time) {
        let life = &self.lives[life];
        let silent = life.silent.expect("it was silent");
        let name = &life.caller.peer;
        let least = if life.has_read {
            TIMINGS.grace
        } else {
            TIMINGS.join_grace
        };
        let idle = at.since(life.proof.max(Time(0)));
        assert!(
            idle + Duration::from_millis(BLUR) >= least,
            "{name} is gone after {idle:?}"
        );
        let longest = if life.got[0].is_empty() && life.seen == [0; 2] {
            TIMINGS.join_grace
        } else {
            TIMINGS.grace
        };
        let around = |then: &&Time| **then + LEASE >= silent && **then <= at;
        let disturbed = self.disturbed.iter().filter(around).count() as u32;
        let most = longest + Duration::from_secs(25) + disturbed * (LEASE + TIMINGS.grace * 2);
        let late = at.since(silent);
        assert!(
            late <= most,
            "{name} is gone only after {late:?}, {disturbed} times disturbed"
        );
    }

    /// All that is on its way arrives, and everyone reads; then all nodes agree, and everyone has
    /// what was promised.
    pub(super) fn finish(&mut self) {
        self.clear_up();
        self.pass(60_000);
        self.agree();
        let all: Vec<_> = self
            .people
            .iter()
            .filter_map(|person| person.life)
            .collect();
        for life in all {
            self.has_all(life);
        }
        self.judge_order();
        self.leave_all();
    }

    fn has_all(&self, life: usize) {
        let one = &self.lives[life];
        if one.silent.is_some() || one.manner == Manner::Not {
            return;
        }
        let Caller { room, peer, epoch } = &one.caller;
        self.truths.with(room, |truth| {
            let Some(held) = truth.boxes.get(epoch) else {
                assert!(truth.fell.is_some(), "{room}/{peer} has no mailbox");
                return;
            };
            let lacks = held
                .needed
                .iter()
                .find(|seq| **seq > one.excused[0] && !one.got[0].contains(seq));
            assert!(
                lacks.is_none() || truth.fell.is_some(),
                "{room}/{peer} lacks {lacks:?}"
            );
            if one.notices {
                let lacks = |seq: &&u64| **seq > one.excused[1] && !one.got[1].contains(seq);
                let lacks = held.notices.iter().find(lacks);
                assert!(
                    lacks.is_none() || truth.fell.is_some(),
                    "{room}/{peer} lacks notice {lacks:?}"
                );
            }
        });
    }

    /// Each node that fetches what it lacks has the same room, which is that of the log.
    pub(super) fn agree(&mut self) {
        self.paused = true;
        self.pass(1_000);
        // What falls due meanwhile is in the logs before it is on all nodes.
        for round in 0.. {
            assert!(round < 20, "the nodes never come to the same");
            self.sync_all();
            self.pass(150);
            if self.has_none_behind() {
                break;
            }
        }
        self.paused = false;
        self.compare(true);
    }

    /// Whoever has applied all of a log has come to what it came to.
    pub(super) fn compare(&mut self, idle: bool) {
        let now = self.now();
        for room in self.truths.rooms() {
            let (applied, truth) = self.truths.with(&room, |truth| {
                (truth.room.applied(), essence(&truth.room, now))
            });
            for (at, node) in self.nodes.iter().enumerate() {
                let Some(live) = node.hub.as_ref().and_then(|hub| hub.room(&room)) else {
                    continue;
                };
                let mut state = live.lock();
                if state.room.applied() != applied {
                    assert!(!idle, "{room} at {at} is behind");
                    continue;
                }
                let here = essence(&state.room, now);
                if here != truth {
                    panic!("{room} at {at} is another: {}", differences(&here, &truth));
                }
                let replica = state.replica();
                assert!(!idle || replica.waiting.is_empty() && replica.opening.is_empty());
                count("judged", if idle { "replica" } else { "replica-under-way" });
            }
        }
    }

    fn sync_all(&mut self) {
        for node in 0..self.nodes.len() {
            let Some(hub) = self.nodes[node].hub.clone() else {
                continue;
            };
            for room in self.truths.rooms() {
                let (of, name) = (hub.clone(), room.clone());
                let synced = Box::pin(async move { Answer::Done(of.sync(&name).await) });
                self.begin(node, Some(Ask::Remove), synced);
            }
        }
    }

    fn has_none_behind(&self) -> bool {
        let hubs = || self.nodes.iter().filter_map(|node| node.hub.as_ref());
        self.truths.rooms().iter().all(|room| {
            let head = self.truths.with(room, |truth| truth.room.applied());
            let mut all = hubs().filter_map(|hub| hub.room(room));
            all.all(|live| {
                let mut state = live.lock();
                let idle = state.replica().waiting.is_empty() && !state.replica().fetching;
                idle && !state.replica().compacting && state.room.applied() == head
            })
        })
    }

    /// All go, some by saying so; then nothing is left of them.
    fn leave_all(&mut self) {
        for person in 0..self.people.len() {
            self.people[person].wants = false;
            if let Some(life) = self.people[person].life {
                match self.chance(50) {
                    true => self.leave(life),
                    false => self.fall_silent(life),
                }
            }
        }
        self.pass(240_000);
        for room in self.truths.rooms() {
            let left = self.truths.with(&room, |truth| truth.room.len());
            assert_eq!(left, 0, "who is left in {room}");
        }
        self.pass(300_000);
        assert!(self.opens.is_empty(), "readers are left");
        self.pass(120_000);
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(hub) = &node.hub else { continue };
            assert_eq!(hub.open_readers(), 0);
            assert_eq!(hub.inner.rooms.read().len(), 0, "rooms are left at {at}");
            assert_eq!(
                hub.inner.shared.timer.len(),
                0,
                "deadlines are left at {at}"
            );
            assert_eq!(hub.held_bytes(), 0);
            let kept = node.way.handle().map(|handle| self.engine.kept(&handle));
            assert_eq!(kept, Some(0), "node {at} keeps rooms in the engine");
        }
        assert!(
            self.tasks.is_empty() && self.net.len() == 0,
            "something is under way"
        );
        let first = self
            .nodes
            .iter()
            .find_map(|node| node.way.handle())
            .expect("a node");
        let listed = first
            .rooms(0)
            .now_or_never()
            .expect("at once")
            .expect("reachable");
        assert!(
            listed.1.is_empty(),
            "rooms are listed in which nobody is: {listed:?}"
        );
    }
}

/// Where two texts part, with what is around.
fn differences(here: &serde_json::Value, there: &serde_json::Value) -> String {
    let (here, there) = (here.to_string(), there.to_string());
    let same = here
        .bytes()
        .zip(there.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |text: &str| {
        text.chars()
            .skip(same.saturating_sub(160))
            .take(320)
            .collect::<String>()
    };
    format!("\nhere  …{}…\nthere …{}…", part(&here), part(&there))
}
