//! Steps in which time passes, and the server with it.

use super::open::Standing;
use super::world::{World, hub};
use super::*;

/// All instants are multiples of this, which is what the timer rounds to.
const GRID: u64 = 20;

impl World {
    pub(super) fn time(&mut self) {
        let most = match self.rng.u16(..1000) {
            0..4 => 700_000,
            4..36 => 100_000,
            36..300 => 10_000,
            300..600 => 2_500,
            _ => 400,
        };
        let span = self.rng.u64(..most) / GRID * GRID;
        self.say(|| format!("{span} ms pass"));
        match self.rng.u8(..10) {
            // The timer is late: nothing is looked at for a while.
            0 => {
                self.millis.fetch_add(span.min(5_000), Ordering::Relaxed);
            }
            1..3 => self.pass(span, 10_000),
            _ => self.pass_exactly(span),
        }
    }

    /// The timer comes when something is due, and at times beside that.
    pub(super) fn pass_exactly(&mut self, span: u64) {
        let end = self.now().0 + span;
        let attentive = self.rng.bool();
        while self.now().0 < end {
            let now = self.now();
            let due = self.oracle.next_duty().filter(|due| *due > now);
            let next = due.map_or(end, |due| due.0.min(end)).min(now.0 + 15_000);
            self.tick_at(Time(next));
            self.answer_polls();
            if attentive {
                self.pull_all();
            }
        }
    }

    fn pass(&mut self, span: u64, hop: u64) {
        let end = self.now().0 + span;
        while self.now().0 < end {
            let next = (self.now().0 + hop).min(end);
            self.tick_at(Time(next));
            self.answer_polls();
        }
    }

    /// The server goes, with what it is to keep or without, and another comes.
    pub(super) fn restart(&mut self) {
        let (drains, kept) = (self.chance(60), self.chance(70));
        self.say(|| format!("a restart, drains {drains}, kept {kept}"));
        if drains {
            self.drain();
            count("restart", "drained");
        }
        count("restart", if kept { "kept" } else { "killed" });
        let cut = |open: &open::Open| open.cut && open.standing == Standing::Seated;
        let cut = self.readers.values().filter(|open| cut(open)).count();
        count_many("restart", "mid-write", cut);
        let saved = kept.then(|| self.save());
        self.hub = hub(&self.noted, &self.millis);
        for open in self.readers.values_mut() {
            open.standing = Standing::Orphaned;
        }
        let orphans: Vec<_> = self.readers.keys().copied().collect();
        for serial in orphans {
            if self.chance(70) {
                self.detach(serial);
            }
        }
        self.oracle.draining = false;
        let now = self.now();
        match saved {
            Some(saved) => self.restore(saved),
            None => {
                self.oracle
                    .rooms
                    .keys()
                    .for_each(|room| assert!(self.hub.peers(room).is_empty()));
                for caller in self.oracle.callers() {
                    let unknown = Refused::Room(Refusal::Ended(Reason::Unknown));
                    assert_eq!(self.hub.check(&caller), Err(unknown));
                    self.is_gone(caller);
                }
                self.oracle = oracle::Oracle::default();
            }
        }
        self.ticked = now;
    }

    /// It goes away first: readers end, leases stand still, what is sent is still kept.
    fn drain(&mut self) {
        let at = Duration::from_millis(self.rng.u64(..500) * GRID);
        self.hub.drain(Duration::from_secs(10), |_| at);
        self.oracle.draining = true;
        let now = self.now();
        for open in self.readers.values_mut() {
            open.drain_at = (open.standing == Standing::Seated).then_some(now + at);
        }
        for _ in 0..self.rng.usize(..12) {
            match self.rng.u8(..10) {
                0..3 => self.send(),
                3 => self.repeat(),
                4 => self.join(),
                5 => self.open_stream(),
                6 => self.poll(),
                7..9 => self.pull_some(),
                _ => {
                    let span = self.rng.u64(..200) * GRID;
                    self.pass(span, 1_000);
                }
            }
            self.check(false);
        }
        if self.rng.bool() {
            self.pass(10_000, 2_000);
            let open = |open: &open::Open| !open.over && open.standing == Standing::Seated;
            let all = self.readers.iter().filter(|(_, it)| open(it));
            let all: Vec<_> = all.map(|(serial, _)| *serial).collect();
            for serial in all {
                self.pull(serial, 100, true);
            }
        }
    }

    /// What the state file would hold, line by line.
    fn save(&mut self) -> (String, Vec<String>) {
        let header = serde_json::to_string(&self.hub.save()).expect("JSON");
        let mut rooms = Vec::new();
        let saved = self
            .hub
            .save_rooms(|room| serde_json::to_string(room).map(|line| rooms.push(line)));
        saved.expect("JSON");
        (header, rooms)
    }

    fn restore(&mut self, (header, rooms): (String, Vec<String>)) {
        let now = self.now();
        let header: SavedHub = serde_json::from_str(&header).expect("a header");
        assert_eq!(header.now, now);
        self.hub.restore(header);
        for room in rooms {
            let room: SavedRoom = serde_json::from_str(&room).expect("a room");
            self.hub.restore_room(room);
        }
        for house in self.oracle.rooms.values_mut() {
            count_many("restart", "open-session", house.sessions.len());
            for member in house.members.values_mut() {
                member.restarted(now);
            }
        }
    }
}
