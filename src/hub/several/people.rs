//! The clients: who they are, and what they do by themselves.

use super::asking::Ask;
use super::world::World;
use super::*;

/// A client, whoever it is at present.
pub(super) struct Person {
    pub(super) room: RoomId,
    pub(super) peer: PeerId,
    /// Its present incarnation.
    pub(super) life: Option<usize>,
    /// The word of a join that is not answered yet.
    pub(super) key: Option<u64>,
    pub(super) joining: bool,
    /// Its next join is to end the present incarnation.
    pub(super) fresh: bool,
    /// It joins again when it is not there.
    pub(super) wants: bool,
    /// When it does something by itself.
    pub(super) next: Option<Time>,
}

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Streams,
    Polls,
    /// Not yet, or not any more.
    Not,
}

/// One incarnation of a client.
pub(super) struct Life {
    pub(super) person: usize,
    pub(super) caller: Caller,
    pub(super) manner: Manner,
    /// Whether it reads notices beside.
    pub(super) notices: bool,
    /// Up to where it got events at each door.
    pub(super) seen: [u64; 2],
    pub(super) got: [std::collections::BTreeSet<u64>; 2],
    /// What it may lack at each door: it was told of a gap.
    pub(super) excused: [u64; 2],
    /// The readers that it has open, and whether one is opening.
    pub(super) open: [Option<u64>; 2],
    pub(super) opening: [bool; 2],
    /// Where it last asked.
    pub(super) at: Option<usize>,
    /// When it was last surely heard of.
    pub(super) proof: Time,
    /// It tried to read, ever.
    pub(super) has_read: bool,
    /// Since when it does nothing any more.
    pub(super) silent: Option<Time>,
    /// When it last waited no longer for a reader that may open still.
    pub(super) gave_up: Option<Time>,
    /// It asked to be gone, or others did.
    pub(super) ending: Option<Reason>,
    /// It is saying so.
    pub(super) leaving: bool,
    pub(super) over: bool,
    pub(super) sending: Vec<Out>,
    pub(super) ticket: Option<TicketId>,
}

/// Signals that are not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Out {
    pub(super) signals: Vec<Signal>,
    pub(super) serial: u64,
    /// It is under way.
    pub(super) away: bool,
    pub(super) at: usize,
}

impl World {
    pub(super) fn populate(&mut self) {
        for room in ROOMS {
            for peer in NAMES {
                let next = Some(Time(self.now().0 + self.rng.u64(1..20_000)));
                self.people.push(Person {
                    room: RoomId::parse(room).expect("an id"),
                    peer: PeerId::parse(peer).expect("an id"),
                    life: None,
                    key: None,
                    joining: false,
                    fresh: false,
                    wants: true,
                    next,
                });
            }
        }
    }

    /// A client does something at the latest in so many milliseconds.
    pub(super) fn soon(&mut self, person: usize, most: u64) {
        let at = Time(self.now().0 + self.rng.u64(1..=most));
        let next = &mut self.people[person].next;
        *next = Some(next.map_or(at, |next| next.min(at)));
    }

    /// What a client does by itself.
    pub(super) fn live(&mut self, person: usize) {
        let Person {
            life,
            joining,
            wants,
            fresh,
            ..
        } = self.people[person];
        let Some(life) = life.filter(|_| !fresh) else {
            if wants && !joining {
                self.join(person);
            }
            return;
        };
        if self.lives[life].silent.is_some() {
            return;
        }
        for out in 0..self.lives[life].sending.len() {
            if !self.lives[life].sending[out].away {
                self.send_out(life, out);
            }
        }
        if self.lives[life].ending == Some(Reason::Left) {
            self.leave(life);
        }
        let manner = self.lives[life].manner;
        if manner == Manner::Not {
            return;
        }
        self.read(life, Door::Events, manner == Manner::Streams);
        if self.lives[life].notices {
            self.read(life, Door::Notices, true);
        }
        self.soon(person, 4_000);
    }

    fn read(&mut self, life: usize, door: Door, stream: bool) {
        let d = door as usize;
        if self.lives[life].opening[d] {
            return;
        }
        if let Some(serial) = self.lives[life].open[d] {
            let open = &self.opens[&serial];
            let held = self.now().since(open.since) >= Duration::from_secs(8);
            let node = &self.nodes[open.node];
            // A node that says nothing is not waited for, nor is one that is to be left.
            let silent = node.frozen && held;
            if (!open.stream && held) || silent {
                self.close(serial, silent);
            } else {
                return;
            }
        }
        self.open(life, door, stream);
    }

    /// The incarnation is over, as the client is told.
    pub(super) fn is_over(&mut self, life: usize, reason: Reason) {
        if self.lives[life].over {
            return;
        }
        let Caller { room, peer, epoch } = self.lives[life].caller.clone();
        self.say(|| format!("{room}/{peer} {epoch} is told that it is over: {reason}"));
        let (end, fell) = self.truths.with(&room, |truth| {
            (truth.ends.get(&epoch).cloned(), truth.fell.is_some())
        });
        match end {
            Some((_, known, _)) => assert!(known == reason || fell, "{reason} instead of {known}"),
            None => assert!(fell, "{room}/{peer} is told {reason}, but is there"),
        }
        count("reader over", reason.as_str());
        self.lives[life].over = true;
        self.lives[life].sending.clear();
        for door in 0..2 {
            if let Some(serial) = self.lives[life].open[door] {
                self.close(serial, false);
            }
        }
        let person = self.lives[life].person;
        if self.people[person].life == Some(life) {
            self.people[person].life = None;
            self.people[person].fresh = false;
            if self.people[person].wants {
                self.soon(person, 20_000);
            }
        }
    }

    /// A life that goes on, as far as its client knows.
    pub(super) fn some_life(&mut self) -> Option<usize> {
        let lives = self.people.iter().filter_map(|person| person.life);
        let all: Vec<_> = lives
            .filter(|life| self.lives[*life].silent.is_none())
            .collect();
        self.choose(&all)
    }

    /// A client does nothing any more, without a word.
    pub(super) fn fall_silent(&mut self, life: usize) {
        let name = self.lives[life].caller.peer.clone();
        self.say(|| format!("{name} falls silent"));
        let of_it = self.opens.iter().filter(|(_, open)| open.life == life);
        let of_it: Vec<_> = of_it.map(|(serial, _)| *serial).collect();
        of_it
            .into_iter()
            .for_each(|serial| self.close(serial, false));
        self.lives[life].silent = Some(self.now());
        self.lives[life].sending.clear();
        let asks = |task: &super::world::Task| match &task.ask {
            Some(Ask::Open { life: of, .. } | Ask::Send { life: of, .. }) => *of == life,
            _ => false,
        };
        self.tasks.retain(|task| !asks(task));
        self.lives[life].opening = [false; 2];
        let person = self.lives[life].person;
        self.people[person].life = None;
        self.people[person].next = None;
        if self.people[person].wants && self.chance(50) {
            // Its successor finds the name taken until it is gone.
            self.soon(person, 60_000);
        }
    }
}
