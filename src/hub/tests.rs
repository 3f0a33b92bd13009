//! The hub in virtual time: leases, pings, wake-ups, take-over, and what is left when all are gone.

mod panics;
mod stuck;

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt as _;

use super::*;
use crate::backplane::Memory;
use crate::proto::{Cursor, Door, Frame, Kind, MailboxLimits, Presence, RoomLimits};

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
        let timings = Timings {
            away_after: Duration::from_secs(2),
            grace: Duration::from_secs(30),
            join_grace: Duration::from_secs(120),
            resume_window: Duration::from_secs(180),
            heartbeat: Duration::from_secs(15),
            slow_after,
        };
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
        let join = Join {
            peer: PeerId::parse(peer).expect("an id"),
            epoch: Epoch(self.epochs),
            meta: None,
            key: None,
            assigned: false,
            holds: None,
            fresh: false,
        };
        let room = RoomId::parse(room).expect("an id");
        let joined = self.hub.join(&room, join).now_or_never().expect("at once");
        joined.expect("joined").caller
    }

    fn hello(&self, from: &Caller, to: &Caller) -> Result<Presence, Refusal> {
        let signal = Signal {
            to: Some(to.peer.clone()),
            kind: Kind::parse("hello").expect("a type"),
            session: None,
            data: None,
            id: None,
            spare: None,
        };
        let sent = self
            .hub
            .send(from, vec![signal])
            .now_or_never()
            .expect("at once");
        match sent.expect("an answer") {
            (sent, None) => Ok(sent[0].receipt.to[0].state),
            (_, Some((_, refusal))) => Err(refusal),
        }
    }

    fn open(&self, caller: &Caller, door: Door) -> Open {
        let attach = Attach {
            door,
            only: None,
            cursor: None,
            reconnect: false,
            cursor_shown: false,
            ticket: None,
            stream: true,
            left: None,
        };
        let (reader, _) = self.hub.attach(caller, attach).expect("a reader");
        Open {
            reader,
            woken: Arc::default(),
        }
    }

    fn is_forgotten(&self) -> bool {
        self.hub.inner.rooms.read().is_empty()
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
                Poll::Ready(Flow::Wrote) => {}
                Poll::Ready(Flow::Ended(reason)) => return (names.0, Some(reason)),
                Poll::Pending => return (names.0, None),
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
fn a_ping_proves_the_stream_and_then_comes_in_every_silent_heartbeat() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut stream = world.open(&bob, Door::Events);
    assert_eq!(stream.read(), some(&[]));
    world.pass(280);
    assert_eq!(stream.wakes(), 0);
    world.pass(40);
    assert_eq!(stream.wakes(), 1);
    assert_eq!(stream.read(), some(&["ping"]));
    world.pass(10_000);
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(stream.wakes(), 1);
    assert_eq!(stream.read(), some(&["signal"]));
    world.pass(14_980);
    assert_eq!(stream.wakes(), 0, "silence is counted from the last write");
    world.pass(40);
    assert_eq!(stream.wakes(), 1);
    assert_eq!(stream.read(), some(&["ping"]));
}

#[test]
fn who_is_about_to_close_is_sent_pings_by_which_a_proxy_sees_that_it_did() {
    let mut world = World::new();
    let bob = world.join("bob");
    let mut stream = world.open(&bob, Door::Events);
    world.pass(320);
    assert_eq!(stream.read(), some(&["ping"]));
    world.hub.announce_closing(&bob);
    for _ in 0..2 {
        world.pass(1_960);
        assert_eq!(stream.wakes(), 0);
        world.pass(60);
        assert_eq!((stream.wakes(), stream.read()), (1, some(&["ping"])));
    }
    world.hub.alive(&bob).expect("present");
    world.pass(2_000);
    assert_eq!((stream.wakes(), stream.read()), (1, some(&["ping"])));
    world.pass(14_960);
    assert_eq!(stream.wakes(), 0, "it did not close");
}

#[test]
fn the_first_ping_comes_also_after_events_that_came_before_it() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut stream = world.open(&bob, Door::Events);
    world.hello(&alice, &bob).expect("sent");
    assert_eq!(stream.read(), some(&["signal"]));
    world.pass(320);
    assert_eq!(stream.read(), some(&["ping"]));
}

#[test]
fn a_closed_reader_is_away_after_two_seconds_and_left_after_thirty() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut alices = world.open(&alice, Door::Events);
    assert_eq!(alices.read(), some(&["peer-joined"]));
    let bobs = world.open(&bob, Door::Events);
    world.pass(320);
    assert_eq!(alices.read(), some(&["ping"]));
    drop(bobs);
    world.pass(1_980);
    assert_eq!(alices.read(), some(&[]));
    world.pass(40);
    assert_eq!(alices.read(), some(&["peer-away"]));
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Away));
    world.pass(27_900);
    assert!(world.hub.check(&alice).is_ok());
    alices.read();
    world.pass(100);
    assert_eq!(alices.read(), some(&["peer-left"]));
    assert_eq!(
        world.hub.end(bob.epoch).map(|end| end.reason),
        Some(Reason::Timeout)
    );
    assert_eq!(
        world.hello(&alice, &bob),
        Err(Refusal::PeerLeft(Reason::Timeout))
    );
}

#[test]
fn who_comes_back_while_it_is_being_called_away_stays() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    drop(world.open(&bob, Door::Events));
    world.millis.fetch_add(2_000, Ordering::Relaxed);
    // The deadline was seen, but its entry comes late: the peer has a reader again by then.
    let live = world.hub.room(&bob.room).expect("a room");
    let late = live.tick(world.hub.now());
    assert_eq!(late.len(), 1);
    let _reader = world.open(&bob, Door::Events);
    for entry in late {
        world.hub.append_aside(&live, entry);
    }
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
}

#[test]
fn a_client_that_proved_to_be_alive_and_then_falls_silent_is_closed() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let (mut quiet, mut ghost) = (
        world.open(&alice, Door::Events),
        world.open(&bob, Door::Events),
    );
    world.hub.alive(&bob).expect("present");
    world.pass(89_900);
    assert_eq!(ghost.read().1, None);
    world.pass(200);
    assert_eq!(ghost.read().1, Some(Reason::Silent));
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Queued));
    world.pass(2_000);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Away));
    drop(ghost);
    world.pass(30_000);
    assert_eq!(
        world.hello(&alice, &bob),
        Err(Refusal::PeerLeft(Reason::Timeout))
    );
    assert_eq!(
        quiet.read().1,
        None,
        "who never posted it is not judged by it"
    );
}

#[test]
fn a_page_that_closes_as_it_said_has_left_and_one_that_stays_has_not() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let _alice = world.open(&alice, Door::Events);
    let reader = world.open(&bob, Door::Events);
    world.hub.announce_closing(&bob);
    world.pass(9_000);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
    drop(reader);
    world.pass(1_900);
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Queued));
    world.pass(200);
    assert_eq!(
        world.hello(&alice, &bob),
        Err(Refusal::PeerLeft(Reason::Left))
    );
    let carol = world.join("carol");
    let reader = world.open(&carol, Door::Events);
    world.hub.announce_closing(&carol);
    // The user has thought better of it, and the page goes on.
    world.hub.alive(&carol).expect("present");
    drop(reader);
    world.pass(2_100);
    assert_eq!(world.hello(&alice, &carol), Ok(Presence::Away));
    // The word that comes after the loss.
    world.hub.announce_closing(&carol);
    assert_eq!(
        world.hello(&alice, &carol),
        Err(Refusal::PeerLeft(Reason::Left))
    );
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
fn draining_ends_each_reader_at_its_own_time_and_refuses_new_ones() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let (mut first, mut second) = (
        world.open(&alice, Door::Events),
        world.open(&bob, Door::Events),
    );
    first.read();
    second.read();
    let mut times = [Duration::from_secs(1), Duration::from_secs(4)].into_iter();
    world.hub.drain(Duration::from_secs(5), |_| {
        times.next().expect("two readers")
    });
    assert_eq!((first.read().1, second.read().1), (None, None));
    world.pass(1_020);
    let ended = [first.read().1, second.read().1];
    assert_eq!(ended.iter().flatten().count(), 1);
    world.pass(3_000);
    assert_eq!(
        (first.read().1, second.read().1),
        (Some(Reason::Drain), Some(Reason::Drain))
    );
    assert!(world.hub.is_draining());
}

#[test]
fn nothing_is_left_of_a_room_when_all_have_gone() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    drop(world.open(&bob, Door::Events));
    world
        .hub
        .leave(&alice, Reason::Left, None)
        .now_or_never()
        .expect("at once");
    assert!(!world.is_forgotten());
    world.pass(31_000);
    assert!(world.is_forgotten());
    let again = world.join("alice");
    assert!(world.hub.check(&again).is_ok());
    assert!(world.hub.check(&alice).is_err());
}

#[test]
fn ends_are_remembered_for_ten_minutes_and_in_a_bounded_number() {
    let mut world = World::new();
    let mut gone = Vec::new();
    for n in 0..4 {
        let peer = world.join(&format!("peer-{n}"));
        world
            .hub
            .leave(&peer, Reason::Left, None)
            .now_or_never()
            .expect("at once");
        gone.push(peer.epoch);
    }
    let known: Vec<_> = gone
        .iter()
        .map(|epoch| world.hub.end(*epoch).is_some())
        .collect();
    assert_eq!(known, [false, true, true, true]);
    world.pass(600_000);
    assert!(world.hub.end(gone[3]).is_none());
    assert!(world.hub.inner.shared.ends.lock().is_empty());
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

#[test]
fn while_the_node_goes_away_leases_stand_still_and_nothing_spins() {
    let mut world = World::new();
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut stream = world.open(&alice, Door::Events);
    drop(world.open(&bob, Door::Events));
    world.hub.drain(Duration::from_secs(60), |window| window);
    world.pass(50_000);
    assert_eq!(
        world.hello(&alice, &bob),
        Ok(Presence::Queued),
        "neither away nor gone"
    );
    let now = world.hub.now();
    world.hub.tick();
    assert!(
        world.hub.inner.shared.timer.due(now).is_empty(),
        "what is past is not set again"
    );
    assert_eq!(stream.read().1, None);
    world.pass(11_000);
    assert_eq!(stream.read().1, Some(Reason::Drain));
}
