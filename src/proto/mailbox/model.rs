//! Random histories of one mailbox with a reader at each door: what a client did not get, it was
//! told of before its next event.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::*;
use crate::proto::cursor::BadCursor;

const OWN: Epoch = Epoch(7);
const WINDOW: Duration = Duration::from_millis(50);

/// A client at one door, and the reader that it has open.
#[derive(Default)]
struct Client {
    cursor: Option<u64>,
    /// What has come, or was announced to be missing.
    settled: BTreeSet<u64>,
    open: bool,
    at: u64,
    told: u64,
    /// Written, and not come yet.
    under_way: Vec<u64>,
    /// Nothing has happened since the reader was opened.
    fresh: bool,
}

struct History {
    mailbox: Mailbox,
    gauge: Gauge,
    limits: MailboxLimits,
    now: Time,
    /// Every event by number, and whether it is a notice.
    events: BTreeMap<u64, bool>,
    clients: [Client; 2],
    log: Vec<String>,
}

impl History {
    fn new(rng: &mut Rng) -> Self {
        let limits = MailboxLimits {
            events: rng.usize(4..8),
            bytes: 0,
            control_events: rng.usize(2..6),
            control_bytes: 0,
        };
        let gauge = Gauge::default();
        let mut mailbox = Mailbox::new(OWN);
        mailbox.count_in(&gauge);
        Self {
            mailbox,
            gauge,
            limits,
            now: Time(0),
            events: BTreeMap::new(),
            clients: Default::default(),
            log: Vec::new(),
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        let door = rng.usize(..2);
        let step = rng.u8(..12);
        match step {
            0 | 1 => self.put_signal(Epoch(100 + rng.u64(..3))),
            2 => self.put(true, None),
            3 => self.put(false, Some(Epoch(rng.u64(..4)))),
            4 => {
                self.now = self.now + Duration::from_millis(rng.u64(..40));
                self.mailbox.expire(self.now, WINDOW);
                self.log.push(format!("expire at {:?}", self.now));
            }
            5 | 6 => self.attach(door, rng.u8(..8)),
            7..10 => self.pull(door, rng.usize(1..5)),
            _ => self.receive(door, rng),
        }
        let held = self.mailbox.items.iter().map(|item| item.frame.cost());
        assert_eq!(self.gauge.bytes(), held.sum::<usize>());
        if !(5..7).contains(&step) {
            self.clients
                .iter_mut()
                .for_each(|client| client.fresh = false);
        }
    }

    fn put_signal(&mut self, sender: Epoch) {
        if self.mailbox.accepts(sender, 10, &self.limits) {
            self.mailbox
                .push_signal(sender, Frame::new("signal", "1"), &self.limits);
            self.events.insert(self.mailbox.head(), false);
            self.log.push(format!("signal {}", self.mailbox.head()));
        }
    }

    fn put(&mut self, notice: bool, about: Option<Epoch>) {
        let head = self.mailbox.head();
        match about {
            Some(peer) => {
                let frame = Frame::new("peer-joined", "1");
                self.mailbox
                    .push_presence(frame, What::Info(peer), false, &self.limits);
            }
            None => {
                let what = What::Notice(SessionId::parse("s").ok());
                self.mailbox
                    .push_control(Frame::new("session-ended", "1"), what, &self.limits);
            }
        }
        if self.mailbox.head() > head {
            self.events.insert(self.mailbox.head(), notice);
        }
        self.log
            .push(format!("control {} notice {notice}", self.mailbox.head()));
    }

    fn attach(&mut self, which: usize, choice: u8) {
        let (door, client) = (Door::ALL[which], &mut self.clients[which]);
        let cursor = match (choice, client.cursor) {
            (0, _) | (_, None) => None,
            (1, _) => Some(Err(BadCursor)),
            (_, Some(seq)) => Some(Ok(Cursor { epoch: OWN, seq })),
        };
        let start = self.mailbox.start(door, cursor, self.now);
        self.log
            .push(format!("attach {door:?} {cursor:?}: {start:?}"));
        let held: BTreeSet<_> = self
            .mailbox
            .after(door, None, 0)
            .map(|(seq, _)| seq)
            .collect();
        let concerns = |notice: bool| door == Door::Events || notice;
        for (seq, notice) in &self.events {
            if start.gap.is_some() && concerns(*notice) && !held.contains(seq) {
                client.settled.insert(*seq);
            }
        }
        for (seq, notice) in self.events.range(..=start.from) {
            let settled = client.settled.contains(seq) || !concerns(*notice);
            assert!(
                settled,
                "{seq} is skipped at attach:\n{}",
                self.log.join("\n")
            );
        }
        client.under_way.clear();
        client.open = true;
        client.fresh = true;
        client.at = start.from;
        client.told = self.mailbox.overflow(door);
        client.cursor = Some(start.from);
    }

    fn pull(&mut self, which: usize, most: usize) {
        let (door, client) = (Door::ALL[which], &mut self.clients[which]);
        if !client.open {
            return;
        }
        if self.mailbox.has_missed(door, client.at, client.told) {
            assert!(!client.fresh, "slow at once:\n{}", self.log.join("\n"));
            self.log.push(format!("slow {door:?}"));
            client.open = false;
            return;
        }
        let all: Vec<_> = self
            .mailbox
            .after(door, None, client.at)
            .map(|(seq, _)| seq)
            .collect();
        let given: Vec<_> = all.iter().copied().take(most).collect();
        let to_the_end = given.len() == all.len();
        client.at = if to_the_end {
            self.mailbox.head()
        } else {
            given[given.len() - 1]
        };
        self.mailbox.wrote(door, client.at, self.now, &self.limits);
        self.log.push(format!("pull {door:?} {given:?}"));
        client.under_way.extend(given);
    }

    /// Some of what was written comes; the connection may be cut.
    fn receive(&mut self, which: usize, rng: &mut Rng) {
        let (door, client) = (Door::ALL[which], &mut self.clients[which]);
        let coming = rng.usize(..=client.under_way.len());
        let came: Vec<_> = client.under_way.drain(..coming).collect();
        self.log.push(format!("receive {door:?} {came:?}"));
        for seq in came {
            let last = client.cursor.unwrap_or_default();
            for (missed, notice) in self.events.range(last + 1..seq) {
                let concerns = door == Door::Events || *notice;
                let settled = !concerns || client.settled.contains(missed);
                assert!(
                    settled,
                    "{missed} went in silence:\n{}",
                    self.log.join("\n")
                );
            }
            client.settled.insert(seq);
            client.cursor = Some(seq);
        }
        if rng.u8(..4) == 0 {
            client.open = false;
            client.under_way.clear();
        }
    }
}

#[test]
fn in_random_histories_nothing_goes_in_silence_at_either_door() {
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let mut history = History::new(&mut rng);
        for _ in 0..60 {
            history.step(&mut rng);
        }
    }
}
