//! The hub in virtual time: leases, pings, wake-ups, take-over, and what is left when all are gone.

mod leaving;
mod panics;
mod pings;
mod shared;
mod stuck;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;
use crate::backplane::Memory;
use crate::proto::{
    Cursor, Door, Frame, Kind, MailboxLimits, PeerId, Presence, RoomLimits, Signal, Transport,
};

const LIMITS: HubLimits = HubLimits {
    room: RoomLimits {
        peers: 0,
        sessions: 0,
        remembered: 16,
        mailbox: MailboxLimits {
            events: 8,
            bytes: 0,
            control_events: 4,
            control_bytes: 0,
        },
    },
    rooms: 0,
    readers: 0,
    peers: 0,
    held: 0,
    ends: 3,
};

fn timings(slow_after: Duration) -> Timings {
    Timings {
        away_after: Duration::from_secs(2),
        grace: Duration::from_secs(30),
        join_grace: Duration::from_secs(120),
        resume_window: Duration::from_secs(180),
        heartbeat: Duration::from_secs(15),
        slow_after,
    }
}

struct World {
    hub: Hub,
    millis: Arc<AtomicU64>,
    epochs: u64,
}

impl World {
    /// A world in which readers may wait for the test however long.
    fn new() -> Self {
        Self::with(Duration::ZERO)
    }

    fn with(slow_after: Duration) -> Self {
        Self::on(Memory, slow_after)
    }

    fn on(backplane: impl Backplane + 'static, slow_after: Duration) -> Self {
        let millis = Arc::new(AtomicU64::new(0));
        let timings = timings(slow_after);
        let hub = Hub::new(LIMITS, timings, Clock::Manual(millis.clone()), backplane);
        Self {
            hub,
            millis,
            epochs: 0,
        }
    }

    /// Lets time pass in small steps, as the timer would.
    fn pass(&self, millis: u64) {
        for _ in 0..millis.div_ceil(20) {
            self.millis.fetch_add(20, Ordering::Relaxed);
            self.hub.tick();
        }
    }

    fn join(&mut self, peer: &str) -> Caller {
        self.join_in("demo", peer)
    }

    fn join_in(&mut self, room: &str, peer: &str) -> Caller {
        self.epochs += 1;
        let join = joining(peer, self.epochs);
        let room = RoomId::parse(room).expect("an id");
        let joined = self.hub.join(&room, join).now_or_never().expect("at once");
        joined.expect("joined").caller
    }

    fn hello(&self, from: &Caller, to: &Caller) -> Result<Presence, Refusal> {
        let sent = self
            .hub
            .send(from, vec![hello(to)])
            .expect("present")
            .now_or_never()
            .expect("at once");
        match sent.expect("an answer") {
            (sent, None) => Ok(sent[0].receipt.to[0].state),
            (_, Some((_, refusal))) => Err(refusal),
        }
    }

    fn open(&self, caller: &Caller, door: Door) -> Open {
        let attached = self.hub.attach(caller, stream(door)).now_or_never();
        let (reader, _) = attached.expect("at once").expect("a reader");
        Open {
            reader,
            woken: Arc::default(),
        }
    }

    fn alive(&self, caller: &Caller) {
        let alive = self.hub.alive(caller).now_or_never();
        alive.expect("at once").expect("present");
    }

    fn announce_closing(&self, caller: &Caller) {
        let announced = self.hub.announce_closing(caller).now_or_never();
        announced.expect("at once").expect("done");
    }

    fn is_forgotten(&self) -> bool {
        self.hub.inner.rooms.read().is_empty()
    }
}

fn joining(peer: &str, epoch: u64) -> Join {
    Join {
        peer: PeerId::parse(peer).expect("an id"),
        epoch: Epoch(epoch),
        meta: None,
        key: None,
        assigned: false,
        holds: None,
        fresh: false,
    }
}

fn hello(to: &Caller) -> Signal {
    Signal {
        to: Some(to.peer.clone()),
        kind: Kind::parse("hello").expect("a type"),
        session: None,
        data: None,
        id: None,
        spare: None,
    }
}

fn stream(door: Door) -> Attach {
    Attach {
        door,
        only: None,
        cursor: None,
        reconnect: false,
        cursor_shown: false,
        ticket: None,
        transport: Transport::Sse,
        left: None,
        place: None,
    }
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl Sink for Names {
    fn event(&mut self, _: Cursor, frame: &Frame) {
        self.control(frame);
    }

    fn control(&mut self, frame: &Frame) {
        self.0
            .push(String::from_utf8_lossy(frame.name()).into_owned());
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

struct Open {
    reader: Reader,
    woken: Arc<Bell>,
}

impl Open {
    /// All that the reader gives before it waits, or the reason of its end.
    fn read(&mut self) -> (Vec<String>, Option<Reason>) {
        let waker = Waker::from(self.woken.clone());
        let mut names = Names::default();
        loop {
            match self
                .reader
                .poll_pull(&mut Context::from_waker(&waker), &mut names)
            {
                Poll::Ready(Flow::More) => {}
                Poll::Ready(Flow::Ended(reason)) => return (names.0, Some(reason)),
                Poll::Ready(Flow::Wrote) | Poll::Pending => return (names.0, None),
            }
        }
    }

    fn wakes(&self) -> usize {
        self.woken.0.swap(0, Ordering::Relaxed)
    }
}

fn some(names: &[&str]) -> (Vec<String>, Option<Reason>) {
    (names.iter().map(|name| (*name).to_owned()).collect(), None)
}

#[test]
fn an_older_reader_that_is_cleaned_up_late_touches_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut older = world.open(&bob, Door::Events);
    assert_eq!(older.read().1, None);
    let newer = world.open(&bob, Door::Events);
    assert_eq!(older.wakes(), 1);
    assert_eq!(older.read().1, Some(Reason::Replaced));
    drop(older);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
    world.pass(60_000);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
    drop(newer);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Queued));
    assert_eq!(world.hub.open_readers(), 0);
}

#[test]
fn the_notices_reader_is_woken_once_when_signals_begin_to_wait() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut notices = world.open(&bob, Door::Notices);
    assert_eq!(notices.read(), some(&["wake"]));
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(notices.read(), some(&["wake"]));
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(notices.read(), some(&[]));
    let mut events = world.open(&bob, Door::Events);
    assert_eq!(events.read(), some(&["signal", "signal"]));
    drop(events);
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(notices.read(), some(&["wake"]));
}

#[test]
fn a_reader_that_missed_control_events_ends_so_that_the_next_is_told() {
    let mut world = World::new();
    let bob = world.join("bob");
    let mut stalled = world.open(&bob, Door::Events);
    assert_eq!(stalled.read(), some(&[]));
    for n in 0..6 {
        world.join(&format!("peer-{n}"));
    }
    assert_eq!(stalled.read(), (Vec::new(), Some(Reason::Slow)));
    drop(stalled);
    let mut next = world.open(&bob, Door::Events);
    assert_eq!(next.read(), some(&["peer-joined"; 4]));
}

#[test]
fn the_notices_reader_is_woken_when_the_events_reader_goes_and_leaves_signals_unread() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut notices = world.open(&bob, Door::Notices);
    let stalled = world.open(&bob, Door::Events);
    assert_eq!(notices.read(), some(&["wake"]));
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(notices.read(), some(&[]));
    notices.wakes();
    drop(stalled);
    assert_eq!(notices.wakes(), 1);
    assert_eq!(notices.read(), some(&["wake"]));
}
