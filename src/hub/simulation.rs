//! A seeded random schedule against a small oracle: joins, sends, reads, cuts, take-overs, time.
//!
//! `SIMULATION_SEEDS=N` runs so many seeds, `SIMULATION_SEED=S` replays one.

mod client;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use futures_util::FutureExt as _;

use super::*;
use client::Client;

use crate::backplane::Memory;
use crate::proto::{Cursor, Door, Frame, Kind, MailboxLimits, RoomLimits, SignalId};

const STEPS: usize = 2_000;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const EVENTS: usize = 12;
const CONTROL: usize = 10;

const LIMITS: HubLimits = HubLimits {
    room: RoomLimits {
        peers: 4,
        sessions: 6,
        remembered: 32,
        mailbox: MailboxLimits {
            events: EVENTS,
            bytes: 4096,
            control_events: CONTROL,
            control_bytes: 2048,
        },
    },
    rooms: 0,
    readers: 0,
    ends: 64,
};

#[derive(Default)]
struct Taken(Vec<(Option<u64>, String, String)>);

impl Sink for Taken {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        self.0
            .push((Some(id.seq), text(frame.name()), text(frame.data())));
    }

    fn control(&mut self, frame: &Frame) {
        self.0.push((
            None,
            String::from_utf8_lossy(frame.name()).into_owned(),
            String::new(),
        ));
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_full(&self) -> bool {
        self.0.len() >= 5
    }
}

struct World {
    hub: Hub,
    millis: Arc<AtomicU64>,
    rng: Rng,
    room: RoomId,
    clients: HashMap<&'static str, Client>,
    gone: Vec<Client>,
    number: u64,
    sessions: u64,
    open: Vec<(String, &'static str, &'static str)>,
    repeats: Vec<(Caller, Signal)>,
    delivered: usize,
    gaps: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let millis = Arc::new(AtomicU64::new(0));
        let timings = Timings {
            away_after: Duration::from_secs(2),
            grace: Duration::from_secs(30),
            join_grace: Duration::from_secs(120),
            resume_window: Duration::from_secs(180),
            heartbeat: Duration::from_secs(15),
        };
        Self {
            hub: Hub::new(LIMITS, timings, Clock::Manual(millis.clone()), Memory),
            millis,
            rng: Rng::with_seed(seed),
            room: RoomId::parse("demo").expect("an id"),
            clients: HashMap::new(),
            gone: Vec::new(),
            number: 0,
            sessions: 0,
            open: Vec::new(),
            repeats: Vec::new(),
            delivered: 0,
            gaps: 0,
        }
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.rng.usize(..NAMES.len())]
    }

    fn present(&mut self) -> Option<&'static str> {
        let mut all: Vec<_> = self.clients.keys().copied().collect();
        all.sort_unstable();
        self.rng.choice(all)
    }

    fn step(&mut self) {
        match self.rng.u8(..100) {
            0..8 => self.join(),
            8..40 => self.send(),
            40..44 => self.repeat(),
            44..52 => self.hang_up(),
            52..64 => self.open_reader(Door::Events),
            64..68 => self.open_reader(Door::Notices),
            68..82 => self.pull(),
            82..88 => self.cut(),
            88..90 => self.leave(),
            90..92 => self.proof(),
            92..94 => self.meta(),
            _ => self.time(),
        }
        self.check();
    }

    fn join(&mut self) {
        let name = self.name();
        let holds = self.clients.get(name).map(|client| client.caller.epoch);
        let fresh = self.rng.bool();
        let join = Join {
            peer: PeerId::parse(name).expect("an id"),
            epoch: Epoch(self.rng.u64(..)),
            meta: None,
            key: None,
            assigned: false,
            holds: holds.filter(|_| self.rng.u8(..4) > 0),
            fresh,
        };
        let shown = join.holds;
        let joined = self
            .hub
            .join(&self.room, join)
            .now_or_never()
            .expect("at once");
        match joined {
            Ok(joined) if joined.new => {
                if let Some(old) = self.clients.remove(name) {
                    assert!(
                        fresh && shown.is_some(),
                        "only a fresh join with the token replaces"
                    );
                    self.gone.push(old);
                }
                let client = Client::new(joined.caller);
                self.clients.insert(name, client);
            }
            Ok(joined) => assert_eq!(Some(joined.caller.epoch), holds),
            Err(Refused::Room(Refusal::PeerExists)) => assert!(holds.is_some() && shown.is_none()),
            Err(Refused::Room(Refusal::RoomFull)) => assert_eq!(self.clients.len(), 4),
            Err(other) => panic!("{other}"),
        }
    }

    fn signal(&mut self, from: &'static str) -> (Signal, Option<(String, &'static str)>) {
        self.number += 1;
        let to = self.name();
        let offer = self.rng.u8(..4) == 0;
        let broadcast = !offer && self.rng.u8(..5) == 0;
        let session = offer.then(|| {
            self.sessions += 1;
            format!("s{}", self.sessions)
        });
        let kind = if offer {
            Kind::Offer
        } else {
            Kind::parse("hello").expect("a type")
        };
        let id = self.rng.bool().then(|| format!("m{}", self.number));
        let signal = Signal {
            to: (!broadcast).then(|| PeerId::parse(to).expect("an id")),
            kind,
            session: session
                .as_deref()
                .and_then(|session| SessionId::parse(session).ok()),
            data: Some(Json::compact(&self.number.to_string())),
            id: id.and_then(|id| SignalId::parse(&id).ok()),
            spare: None,
        };
        (
            signal,
            session.filter(|_| from != to).map(|session| (session, to)),
        )
    }

    fn send(&mut self) {
        let Some(from) = self.present() else { return };
        let mut signals = Vec::new();
        let mut opens = Vec::new();
        for _ in 0..=self.rng.usize(..3) {
            let (signal, open) = self.signal(from);
            signals.push(signal);
            opens.push(open);
        }
        let caller = self.clients[from].caller.clone();
        let answer = self
            .hub
            .send(&caller, signals.clone())
            .now_or_never()
            .expect("at once");
        let Ok((sent, _)) = answer else {
            panic!("{from} is present")
        };
        for ((sent, signal), open) in sent.iter().zip(&signals).zip(opens) {
            assert!(!sent.duplicate);
            self.accepted(sent, signal);
            if let Some((session, to)) = open {
                self.open.push((session, from, to));
            }
            if signal.id.is_some() {
                self.repeats.push((caller.clone(), signal.clone()));
            }
        }
    }

    fn accepted(&mut self, sent: &Sent, signal: &Signal) {
        let number = signal
            .data
            .as_ref()
            .expect("data")
            .as_str()
            .parse()
            .expect("a number");
        for to in sent.receipt.to.iter().filter(|to| !to.refused) {
            let client = self.clients.get_mut(to.peer.as_str()).expect("present");
            client.expected.push(number);
        }
    }

    /// Sends something again whose answer may have been lost.
    fn repeat(&mut self) {
        let recent = self.repeats.len().saturating_sub(8);
        let Some((caller, signal)) = self.rng.choice(self.repeats[recent..].to_vec()) else {
            return;
        };
        let answer = self
            .hub
            .send(&caller, vec![signal.clone()])
            .now_or_never()
            .expect("at once");
        let is_present = self.clients.values().any(|client| client.caller == caller);
        match answer {
            Ok((sent, _)) => {
                for sent in sent.iter().filter(|sent| !sent.duplicate) {
                    self.accepted(sent, &signal);
                }
            }
            Err(Refused::Room(Refusal::Ended(_))) => assert!(!is_present),
            Err(other) => panic!("{other}"),
        }
    }

    fn hang_up(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (session, from, to) = self.open.swap_remove(self.rng.usize(..self.open.len()));
        let Some(client) = self.clients.get(from) else {
            return;
        };
        let signal = Signal {
            to: PeerId::parse(to).ok(),
            kind: Kind::Bye,
            session: SessionId::parse(&session).ok(),
            data: None,
            id: None,
            spare: None,
        };
        let sent = self
            .hub
            .send(&client.caller, vec![signal])
            .now_or_never()
            .expect("at once");
        assert!(sent.is_ok());
    }

    fn open_reader(&mut self, door: Door) {
        let Some(name) = self.present() else { return };
        let client = self.clients.get_mut(name).expect("present");
        let own = if door == Door::Events {
            client.seen
        } else {
            client.notices_seen
        };
        let epoch = client.caller.epoch;
        let at = |seq| Some(Ok(Cursor { epoch, seq }));
        let cursor = match self.rng.u8(..10) {
            0 => None,
            1 => Some(Ok(Cursor {
                epoch: Epoch(1),
                seq: 5,
            })),
            2 => at(own.saturating_sub(3)),
            3 => at(own + 1_000_000),
            _ => at(own),
        };
        let stream = self.rng.u8(..3) > 0;
        let honest = cursor == at(own);
        let attach = Attach {
            door,
            only: None,
            cursor,
            reconnect: false,
            cursor_shown: false,
            ticket: None,
            stream,
        };
        let (reader, opening) = self.hub.attach(&client.caller, attach).expect("present");
        if opening.gap.is_some() {
            assert!(!opening.resumed);
            self.gaps += 1;
            client.gap |= door == Door::Events;
        }
        if honest && opening.gap.is_none() {
            assert!(opening.resumed && opening.cursor.seq == own);
        }
        let slot = if door == Door::Events {
            &mut client.reader
        } else {
            &mut client.notices
        };
        // The older one is dropped late, as a connection's end is seen.
        let older = slot.replace(reader);
        drop(older);
    }

    /// A reader is pulled; what it gave may be lost on the way, and the connection with it.
    fn pull(&mut self) {
        let Some(name) = self.present() else { return };
        let arrives = self.rng.u8(..5) > 0;
        let both = [Door::Events, Door::Notices];
        let door = both[self.rng.usize(..2)];
        let client = self.clients.get_mut(name).expect("present");
        let slot = if door == Door::Events {
            &mut client.reader
        } else {
            &mut client.notices
        };
        let Some(reader) = slot.as_mut() else { return };
        let mut taken = Taken::default();
        let flow = reader.poll_pull(&mut Context::from_waker(Waker::noop()), &mut taken);
        if !arrives || matches!(flow, Poll::Ready(Flow::Ended(_))) {
            *slot = None;
        }
        if arrives {
            for (seq, name, data) in taken.0 {
                let Some(seq) = seq else { continue };
                self.delivered += usize::from(client.take(door, seq, &name, &data));
            }
        }
    }

    fn cut(&mut self) {
        let Some(name) = self.present() else { return };
        let both = self.rng.bool();
        let client = self.clients.get_mut(name).expect("present");
        client.reader = None;
        if both {
            client.notices = None;
        }
    }

    fn leave(&mut self) {
        let Some(name) = self.present() else { return };
        let client = self.clients.remove(name).expect("present");
        let leaving = self.hub.leave(&client.caller, Reason::Left, None);
        leaving.now_or_never().expect("at once");
        self.gone.push(client);
    }

    fn proof(&mut self) {
        let Some(name) = self.present() else { return };
        let client = self.clients.get_mut(name).expect("present");
        client.proved = true;
        self.hub.alive(&client.caller).expect("present");
    }

    fn meta(&mut self) {
        let Some(name) = self.present() else { return };
        let meta = Json::compact(&self.rng.u8(..).to_string());
        let set = self.hub.set_meta(&self.clients[name].caller, meta);
        assert!(set.now_or_never().expect("at once").is_ok());
    }

    fn time(&mut self) {
        let millis = match self.rng.u8(..10) {
            0 => self.rng.u64(..100_000),
            1..4 => self.rng.u64(..10_000),
            _ => self.rng.u64(..300),
        };
        for _ in 0..millis.div_ceil(500) {
            self.millis.fetch_add(millis.min(500), Ordering::Relaxed);
            self.hub.tick();
        }
        let mut lost = Vec::new();
        for (name, client) in &self.clients {
            if let Some(end) = self.hub.end(client.caller.epoch) {
                assert_eq!(end.reason, Reason::Timeout);
                lost.push(*name);
            }
        }
        for name in lost {
            let client = self.clients.remove(name).expect("it was there");
            let read = client.reader.is_some() || client.notices.is_some();
            assert!(client.proved || !read, "a peer that is read is not lost");
            self.gone.push(client);
        }
    }

    fn check(&mut self) {
        let listed: HashSet<_> = self
            .hub
            .peers(&self.room)
            .into_iter()
            .map(|view| view.peer.to_string())
            .collect();
        let known: HashSet<_> = self.clients.keys().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            listed, known,
            "each incarnation ends when it should, and only then"
        );
        let Some(live) = self.hub.room(&self.room) else {
            return;
        };
        let state = live.lock();
        for (peer, member) in state.room.members() {
            let held = member.mailbox.len();
            assert!(held <= 2 * EVENTS + CONTROL, "{peer} holds {held}");
        }
    }

    /// Reads everything to its end, then lets all leave.
    fn finish(&mut self) {
        for client in self.clients.values_mut() {
            loop {
                let cursor = Some(Ok(Cursor {
                    epoch: client.caller.epoch,
                    seq: client.seen,
                }));
                let attach = Attach {
                    door: Door::Events,
                    only: None,
                    cursor,
                    reconnect: false,
                    cursor_shown: false,
                    ticket: None,
                    stream: false,
                };
                let (mut reader, opening) = self.hub.attach(&client.caller, attach).expect("here");
                client.gap |= opening.gap.is_some();
                let mut taken = Taken::default();
                let waker = Waker::noop();
                if reader
                    .poll_pull(&mut Context::from_waker(waker), &mut taken)
                    .is_pending()
                {
                    break;
                }
                for (seq, name, data) in taken.0 {
                    let Some(seq) = seq else { continue };
                    self.delivered += usize::from(client.take(Door::Events, seq, &name, &data));
                }
            }
            let missing = client.expected.len() - client.next;
            assert!(
                missing == 0 || client.gap,
                "{missing} accepted signals never came"
            );
        }
        for (_, mut client) in std::mem::take(&mut self.clients) {
            client.reader = None;
            client.notices = None;
            let leaving = self.hub.leave(&client.caller, Reason::Left, None);
            leaving.now_or_never().expect("at once");
        }
        self.gone.clear();
        assert_eq!(self.hub.open_readers(), 0);
        assert!(self.hub.inner.rooms.read().is_empty(), "no room is left");
        assert_eq!(self.hub.inner.shared.timer.len(), 0, "no deadline is left");
        self.millis.fetch_add(600_000, Ordering::Relaxed);
        self.hub.tick();
        assert!(
            self.hub.inner.shared.ends.lock().is_empty(),
            "no tombstone is left"
        );
    }
}

fn run(seed: u64) -> (usize, usize) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.finish();
    (world.delivered, world.gaps)
}

#[test]
fn random_schedules_lose_double_and_leak_nothing() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(200),
    };
    let (mut delivered, mut gaps) = (0, 0);
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        let (more, holes) = outcome.unwrap_or_else(|_| {
            panic!("seed {seed} failed: replay it with SIMULATION_SEED={seed}");
        });
        delivered += more;
        gaps += holes;
    }
    eprintln!("{delivered} events delivered, {gaps} gaps announced");
    assert!(delivered > 0 && gaps > 0, "the schedules did something");
}
