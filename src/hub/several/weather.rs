//! What goes wrong, and is put right again.

use super::asking::{Answer, Ask};
use super::net::{CALM, Mood};
use super::node::{Health, WINDOW};
use super::world::World;
use super::*;

/// What ends after a while.
#[derive(Clone, Copy, Debug)]
pub(super) enum Repair {
    Mend(usize),
    Thaw(usize),
    Hear(usize),
    Resign(usize),
    Calm,
}

impl World {
    fn later(&mut self, millis: u64, repair: Repair) {
        self.repairs.push((Time(self.now().0 + millis), repair));
    }

    fn disturb(&mut self, kind: &'static str) {
        count("fault", kind);
        self.disturbed.push(self.now());
    }

    /// Something goes wrong.
    pub(super) fn fault(&mut self) {
        let Some(node) = self.some_node(None) else {
            return;
        };
        let spare = self.serving() > 2;
        match self.rng.u8(..100) {
            0..12 if spare => self.crash(node),
            12..24 if !self.nodes[node].cut => {
                let long = self.rng.bool();
                let span = self.span(long);
                self.cut(node, span);
                self.disturb(if long { "cut-long" } else { "cut-short" });
            }
            24..32 => {
                let long = self.chance(40);
                let span = self.span(long);
                self.say(|| format!("the engine is out for {span} ms"));
                for node in 0..self.nodes.len() {
                    if self.nodes[node].hub.is_some() && !self.nodes[node].cut {
                        self.cut(node, span);
                    }
                }
                self.disturb(if long { "outage-long" } else { "outage-short" });
            }
            32..40 if spare && !self.nodes[node].cut => self.freeze(node),
            40..46 => self.fail_over(),
            46..54 => {
                self.say(|| format!("node {node} is deaf"));
                self.nodes[node].ear.deaf = true;
                let span = self.rng.u64(1_000..20_000);
                self.later(span, Repair::Hear(node));
                self.disturb("deaf");
            }
            54..66 if self.serving() < 4 => {
                self.add_node();
                self.disturb("added");
            }
            66..72 if spare => self.drain(node),
            72..100 => {
                let slowest = [20, 200, 900][self.rng.usize(..3)];
                let mood = Mood {
                    slowest,
                    lost: self.rng.u8(..25),
                    mute: self.rng.u8(..30),
                };
                self.say(|| format!("{mood:?}"));
                self.net.set_mood(mood);
                let span = self.rng.u64(2_000..60_000);
                self.later(span, Repair::Calm);
            }
            _ => {}
        }
    }

    /// Shorter than a lease, or longer.
    fn span(&mut self, long: bool) -> u64 {
        let lease = LEASE.as_millis() as u64;
        match long {
            true => self.rng.u64(lease + 500..4 * lease),
            false => self.rng.u64(200..lease - 4_000),
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.say(|| format!("node {node} crashes"));
        self.disturb("crash");
        self.end_node(node);
    }

    pub(super) fn cut(&mut self, node: usize, millis: u64) {
        self.say(|| format!("node {node} is cut off for {millis} ms"));
        let Some(handle) = self.nodes[node].way.handle() else {
            return;
        };
        self.engine.cut(&handle);
        self.nodes[node].cut = true;
        self.later(millis, Repair::Mend(node));
    }

    fn freeze(&mut self, node: usize) {
        let long = self.rng.bool();
        let span = self.span(long);
        self.say(|| format!("node {node} freezes"));
        self.cut(node, span);
        self.nodes[node].frozen = true;
        let now = self.now();
        for open in self
            .opens
            .values()
            .filter(|open| open.node == node && !open.left)
        {
            let proof = &mut self.lives[open.life].proof;
            *proof = (*proof).max(now);
        }
        self.later(span, Repair::Thaw(node));
        self.disturb("freeze");
    }

    pub(super) fn fail_over(&mut self) {
        // No position is given twice: the engine's clock goes on meanwhile.
        self.pass(2);
        let now = self.now();
        let since = Time(now.0 - self.rng.u64(1..1_500));
        for room in self.truths.rooms() {
            if let Some(at) = self.truths.before(&room, since) {
                let left = self.engine.lose_after(&room, at);
                self.truths.fall(&room, left, now);
                self.say(|| format!("{room} loses all after {left}"));
                self.disturb("failover");
            }
        }
        for node in &mut self.nodes {
            node.ear.miss_all(&self.net);
        }
        self.pass(2);
    }

    pub(super) fn drain(&mut self, node: usize) {
        self.say(|| format!("node {node} drains"));
        let until = Time(self.now().0 + WINDOW.as_millis() as u64 + 1_000);
        self.nodes[node].health = Health::Draining(until);
        self.nodes[node].hub().drain(WINDOW, |window| window / 2);
        self.later(
            until.since(self.now()).as_millis() as u64,
            Repair::Resign(node),
        );
        self.disturb("drained");
    }

    /// What is to end by now ends.
    pub(super) fn repair(&mut self) {
        let now = self.now();
        let (due, rest) = std::mem::take(&mut self.repairs)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.repairs = rest;
        let due: Vec<(Time, Repair)> = due;
        for (_, repair) in due {
            self.mend(repair);
        }
        let left: Vec<_> = self.opens.iter().filter(|(_, open)| open.left).collect();
        let late = left
            .iter()
            .filter(|(_, open)| self.quiet || now.since(open.since).as_secs() > 30);
        let late: Vec<_> = late.map(|(serial, _)| **serial).collect();
        late.into_iter()
            .for_each(|serial| self.close(serial, false));
    }

    fn mend(&mut self, repair: Repair) {
        match repair {
            Repair::Mend(node) => {
                self.nodes[node].cut = false;
                if let Some(handle) = self.nodes[node].way.handle() {
                    self.say(|| format!("node {node} reaches the engine again"));
                    self.engine.mend(&handle);
                    self.disturbed.push(self.now());
                }
            }
            Repair::Thaw(node) => {
                self.say(|| format!("node {node} goes on"));
                self.nodes[node].frozen = false;
            }
            Repair::Hear(node) => self.nodes[node].ear.deaf = false,
            Repair::Resign(node) => self.resign(node),
            Repair::Calm => self.net.set_mood(CALM),
        }
    }

    fn resign(&mut self, node: usize) {
        if self.nodes[node].hub.is_none() {
            return;
        }
        if self.nodes[node].frozen {
            return self.later(1_000, Repair::Resign(node));
        }
        self.say(|| format!("node {node} resigns"));
        let hub = self.nodes[node].hub().clone();
        let future = Box::pin(async move {
            hub.resign().await;
            Answer::Aside
        });
        self.disturbed.push(self.now());
        self.begin(node, Some(Ask::Resign { node }), future);
        let task = self.tasks.last_mut().expect("just begun");
        task.until = Time(u64::MAX);
    }

    /// Everything is right again, and stays so.
    pub(super) fn clear_up(&mut self) {
        let last = self
            .repairs
            .iter()
            .map(|(at, _)| at.0)
            .max()
            .unwrap_or_default();
        while self.now().0 < last + 10_000 {
            self.pass(1_000);
        }
        self.net.set_mood(CALM);
        self.quiet = true;
        self.pass(1_000);
    }
}
