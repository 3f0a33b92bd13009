//! Steps by which peers read: streams, polls, cuts, take-overs, tickets.

use super::open::Standing;
use super::start::Presented;
use super::world::{World, name};
use super::*;
use crate::proto::Transport;

/// The machine's calendar when the clock starts.
const CALENDAR: u64 = 1_700_000_000_000;

/// A reader without a ticket.
pub(super) fn plain(door: Door, cursor: Presented, stream: bool) -> Attach {
    Attach {
        door,
        only: None,
        cursor,
        reconnect: false,
        cursor_shown: false,
        ticket: None,
        transport: if stream {
            Transport::Sse
        } else {
            Transport::Poll
        },
        left: None,
        place: None,
    }
}

impl World {
    fn calendar(&self) -> u64 {
        CALENDAR + self.now().0
    }

    /// Mostly where the client stands; also nowhere, before that, ahead of it, or elsewhere.
    fn some_cursor(&mut self, caller: &Caller, door: Door) -> Presented {
        let epoch = caller.epoch;
        let client = self.clients.get(&epoch);
        let own = client.map_or(0, |client| client.seen[door as usize]);
        let head = self
            .oracle
            .seen(caller)
            .map_or(0, |member| member.mail.head());
        let at = |seq| Some(Ok(Cursor { epoch, seq }));
        match self.rng.u8(..100) {
            0..8 => None,
            8..10 => Some(Ok(Cursor {
                epoch: Epoch(1),
                seq: 5,
            })),
            10..12 => Some(Err(BadCursor)),
            12..18 => at(own.saturating_sub(self.rng.u64(1..6))),
            18..20 => at(head + 1 + self.rng.u64(..1_000)),
            20..24 => at(self.rng.u64(own..=head.max(own))),
            _ => at(own),
        }
    }

    pub(super) fn some_door(&mut self) -> Door {
        if self.chance(65) {
            Door::Events
        } else {
            Door::Notices
        }
    }

    pub(super) fn open_stream(&mut self) {
        let Some(caller) = self.present() else { return };
        let door = self.some_door();
        let mut attach = plain(door, self.some_cursor(&caller, door), true);
        if door == Door::Notices && self.chance(40) {
            attach.only = self.some_session(&caller, &caller.peer.clone());
        }
        attach.cursor_shown = self.chance(1);
        if self.chance(45) {
            attach.ticket = Some((self.some_ticket(&caller), self.calendar()));
            attach.reconnect = self.rng.bool();
        }
        let Some(serial) = self.attach(&caller, attach) else {
            return;
        };
        if self.chance(60) {
            let most = self.rng.usize(1..12);
            let arrives = self.chance(90);
            self.pull(serial, most, arrives);
        }
    }

    /// A ticket that was just issued, or one of before.
    fn some_ticket(&mut self, caller: &Caller) -> TicketId {
        let old = self
            .clients
            .get(&caller.epoch)
            .map(|client| client.tickets.clone());
        let old = self.choose(&old.unwrap_or_default());
        let new = TicketId {
            nonce: self.rng.u64(..),
            issued: self.calendar(),
        };
        let ticket = if self.rng.bool() {
            new
        } else {
            old.unwrap_or(new)
        };
        let tickets = &mut self.clients.entry(caller.epoch).or_default().tickets;
        if !tickets.contains(&ticket) {
            tickets.push(ticket);
        }
        if tickets.len() > 6 {
            tickets.remove(0);
        }
        ticket
    }

    /// A poll: answered, held, aborted, or asked again since its answer did not come.
    pub(super) fn poll(&mut self) {
        let Some(caller) = self.present() else { return };
        let door = self.some_door();
        let cursor = self.some_cursor(&caller, door);
        let most = self.rng.usize(1..12);
        let fate = self.rng.u8(..10);
        let Some(serial) = self.attach(&caller, plain(door, cursor, false)) else {
            return;
        };
        let before = self.evicted(&caller);
        let first = self.pull(serial, most, fate >= 6);
        let state = self.readers[&serial].reader.present_state();
        let now = self.now();
        if let Some(house) = self.oracle.rooms.get(&caller.room) {
            let (peers, sessions) = state.expect("present");
            house.check_views(&peers, Some(&caller.peer), now);
            assert_eq!(sessions, house.open_sessions(&caller.peer));
        }
        match fate {
            0..2 => {
                self.detach(serial);
                count("poll", "aborted");
            }
            2..6 => {
                if self.rng.bool() {
                    self.detach(serial);
                }
                let Some(again) = self.attach(&caller, plain(door, cursor, false)) else {
                    return;
                };
                let second = self.pull(again, most, true);
                if self.evicted(&caller) == before {
                    let tell = |p: &open::Pulled| (p.events.clone(), p.at, p.more);
                    assert_eq!(tell(&first), tell(&second), "the same again");
                    count("poll", "repeated");
                }
                self.detach(again);
            }
            _ if first.pending => count("poll", "held"),
            _ => {
                self.detach(serial);
                count("poll", "answered");
            }
        }
    }

    /// How much of a mailbox went for want of room after it was written.
    fn evicted(&mut self, caller: &Caller) -> usize {
        let member = self.oracle.member(caller).expect("present");
        let all = member.mail.items.iter();
        all.filter(|item| item.fate == mail::Fate::Evicted).count()
    }

    /// Any reader is pulled, also one that was replaced, or whose incarnation is over.
    pub(super) fn pull_some(&mut self) {
        let can =
            |(_, open): &(&u64, &open::Open)| !open.over && open.standing != Standing::Orphaned;
        let all: Vec<_> = self
            .readers
            .iter()
            .filter(can)
            .map(|(serial, _)| *serial)
            .collect();
        let Some(serial) = self.choose(&all) else {
            return;
        };
        let (most, arrives) = (self.rng.usize(1..12), self.chance(88));
        let pulled = self.pull(serial, most, arrives);
        let stream = self.readers[&serial].stream;
        let done = pulled.over.is_some() || !arrives || (!stream && !pulled.pending);
        // What is over is dropped late, at times.
        if done && self.chance(75) {
            self.detach(serial);
        }
    }

    /// A connection is seen to be lost; at times long after another took its place.
    pub(super) fn drop_some(&mut self) {
        let all: Vec<_> = self.readers.keys().copied().collect();
        if let Some(serial) = self.choose(&all) {
            self.detach(serial);
        }
    }

    /// Polls are not held for longer than the protocol has it.
    pub(super) fn answer_polls(&mut self) {
        let now = self.now();
        let held = |open: &open::Open| !open.stream && open.standing != Standing::Orphaned;
        let late = |open: &open::Open| now.since(open.since) >= Duration::from_secs(25);
        let all: Vec<_> = self
            .readers
            .iter()
            .filter(|(_, open)| held(open) && late(open))
            .collect();
        let all: Vec<_> = all.into_iter().map(|(serial, _)| *serial).collect();
        for serial in all {
            if !self.readers[&serial].over {
                self.pull(serial, 100, true);
            }
            self.detach(serial);
        }
    }

    /// Connections that take what comes: their readers are pulled until they wait.
    pub(super) fn pull_all(&mut self) {
        let awake = self.readers.iter().filter(|(_, open)| open.is_awake());
        let all: Vec<_> = awake.map(|(serial, _)| *serial).collect();
        for serial in all {
            while self.readers[&serial].is_awake() {
                self.pull(serial, 100, true);
            }
            if self.readers[&serial].over {
                self.detach(serial);
            }
        }
    }

    /// Reads everything to its end.
    pub(super) fn read_all(&mut self) {
        for caller in self.oracle.callers() {
            self.say(|| format!("{} reads all", name(&caller)));
            for round in 0.. {
                assert!(round < 100, "it comes to an end");
                let seq = self
                    .clients
                    .get(&caller.epoch)
                    .map_or(0, |client| client.seen[0]);
                let cursor = Some(Ok(Cursor {
                    epoch: caller.epoch,
                    seq,
                }));
                let serial = self.attach(&caller, plain(Door::Events, cursor, false));
                let serial = serial.expect("present");
                let pulled = self.pull(serial, 100, true);
                self.detach(serial);
                assert_eq!(pulled.over, None);
                if pulled.events.is_empty() {
                    break;
                }
            }
            let member = self.oracle.member(&caller).expect("present");
            self.clients
                .entry(caller.epoch)
                .or_default()
                .is_done(&member.mail);
        }
    }
}
