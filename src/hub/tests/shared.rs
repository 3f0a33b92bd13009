//! The hub of one node over a store that loses what it was told, or tells of it late.

use std::pin::pin;

use tokio::sync::mpsc::Receiver;

use super::*;
use crate::backplane::model::{Engine, Node, Trip};
use crate::backplane::store::{Later, News, Standing};

const LEASE: Duration = Duration::from_secs(30);
/// The microseconds of a millisecond: positions of the log are such.
const MICROS: u64 = 1000;

/// A node whose tasks are done when the test says so.
struct Shared {
    engine: Engine,
    hub: Hub,
    tasks: Arc<Mutex<Vec<Later<()>>>>,
    news: Receiver<News>,
    node: Arc<Node>,
}

impl Shared {
    fn new() -> Self {
        Self::at(Engine::new(LEASE, Time(1_000_000)))
    }

    /// A further node of an engine.
    fn at(engine: Engine) -> Self {
        let (node, news) = engine.join();
        let tasks: Arc<Mutex<Vec<Later<()>>>> = Arc::default();
        let hub = Hub::sharing(
            LIMITS,
            timings(Duration::ZERO),
            node.clone(),
            Tasks::Queue(tasks.clone()),
        );
        Self {
            engine,
            hub,
            tasks,
            news,
            node,
        }
    }

    /// Does all that is to be done now.
    fn work(&mut self) {
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.hub.hear(news);
            }
            let tasks = std::mem::take(&mut *self.tasks.lock());
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                task.now_or_never().expect("the model answers at once");
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        for _ in 0..millis / 100 {
            let now = self.engine.now() + Duration::from_millis(100);
            self.engine.at(now);
            self.hub.tick();
            self.work();
        }
    }

    fn done<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return done;
            }
            self.work();
        }
    }

    fn join(&mut self, peer: &str, epoch: u64) -> Caller {
        let hub = self.hub.clone();
        let room = RoomId::parse("demo").expect("an id");
        let joined = self.done(hub.join(&room, joining(peer, epoch)));
        joined.expect("joined").caller
    }

    fn open(&mut self, caller: &Caller) -> Open {
        let hub = self.hub.clone();
        let attached = self.done(hub.attach(caller, stream(Door::Events)));
        Open {
            reader: attached.expect("a reader").0,
            woken: Arc::default(),
        }
    }

    fn send(&mut self, from: &Caller, to: &Caller) {
        let sending = self.hub.send(from, vec![hello(to)]).expect("present");
        self.done(sending).expect("accepted");
    }

    fn peers(&self) -> Vec<String> {
        let peers = self.hub.peers(&RoomId::parse("demo").expect("an id"));
        let names = peers.into_iter().map(|view| view.peer.as_str().to_owned());
        names.collect()
    }
}

#[test]
fn a_reader_whose_client_goes_while_it_is_opened_keeps_nobody_present() {
    let mut shared = Shared::new();
    let (_, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    let hub = shared.hub.clone();
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut attaching = pin!(hub.attach(&bob, stream(Door::Events)));
        assert!(attaching.as_mut().poll(&mut cx).is_pending());
    }
    shared.work();
    shared.pass(40_000);
    assert_eq!(shared.peers(), ["alice"]);
}

#[test]
fn a_signal_that_is_seen_in_the_log_is_not_accepted_until_the_store_says_so() {
    let mut shared = Shared::new();
    let (alice, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    let mut reader = shared.open(&bob);
    shared.engine.trip(&shared.node, Trip::After);
    let mut sending = shared.hub.send(&alice, vec![hello(&bob)]).expect("present");
    let hub = shared.hub.clone();
    let synced = hub.sync(&alice.room).now_or_never().expect("at once");
    synced.expect("the store answers");
    assert_eq!(reader.read(), some(&["signal"]));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(sending.poll_unpin(&mut cx).is_pending());
    assert!(matches!(shared.done(sending), Err(Refused::Unavailable)));
}

#[test]
fn readers_of_a_log_that_was_set_back_go_on() {
    let mut shared = Shared::new();
    let (alice, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    let mut reader = shared.open(&bob);
    let kept = shared.engine.now().0 * MICROS + MICROS;
    shared.pass(1000);
    shared.send(&alice, &bob);
    assert_eq!(reader.read().0, ["signal", "ping"]);
    shared.engine.lose_after(&alice.room, kept);
    shared.send(&alice, &bob);
    assert_eq!(reader.read(), some(&["signal"]));
    drop(reader);
    shared.pass(40_000);
    assert_eq!(shared.peers(), ["alice"]);
}

#[test]
fn a_reader_whose_opening_a_log_has_lost_is_sent_to_read_anew() {
    let mut shared = Shared::new();
    let (alice, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    let kept = shared.engine.now().0 * MICROS + MICROS;
    shared.pass(1000);
    let mut reader = shared.open(&bob);
    shared.engine.lose_after(&alice.room, kept);
    shared.send(&alice, &bob);
    assert_eq!(reader.read().1, Some(Reason::Drain));
}

#[test]
fn a_peer_whose_grace_ran_out_while_nobody_was_judged_has_left() {
    let mut shared = Shared::new();
    let (_, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    drop(shared.open(&bob));
    shared.pass(1000);
    let node = shared.node.node();
    shared.hub.hear(News::Standing(Standing::Cut));
    shared.hub.hear(News::Standing(Standing::Joined(node)));
    shared.pass(40_000);
    assert_eq!(shared.peers(), ["alice"]);
}

#[test]
fn a_room_is_not_forgotten_between_its_fetch_and_the_request_that_it_was_fetched_for() {
    let mut home = Shared::new();
    let (alice, bob) = (home.join("alice", 1), home.join("bob", 2));
    let mut other = Shared::at(home.engine.clone());
    for round in 0..3 {
        let hub = other.hub.clone();
        // The first time it is fetched; later it is there, and was last used long enough ago.
        if let Some(reaching) = hub.reach(&alice) {
            assert_eq!(round, 0);
            other.done(reaching).expect("the store answers");
        }
        hub.forget_unused();
        other.send(&alice, &bob);
        other.pass(60_000);
    }
}

#[test]
fn a_reader_hears_on_after_another_node_was_shown_a_ticket_that_opens_none() {
    let mut home = Shared::new();
    let (alice, bob) = (home.join("alice", 1), home.join("bob", 2));
    let mut other = Shared::at(home.engine.clone());
    let reaching = other.hub.reach(&bob).expect("it is to be fetched");
    other.done(reaching).expect("the store answers");
    let issued = home.hub.calendar();
    let shown = || Attach {
        ticket: Some((TicketId { nonce: 1, issued }, issued)),
        ..stream(Door::Events)
    };
    let hub = home.hub.clone();
    let (reader, _) = home.done(hub.attach(&bob, shown())).expect("a reader");
    home.work();
    let mut reader = Open {
        reader,
        woken: Arc::default(),
    };
    assert_eq!(reader.read(), (vec![], None));
    let hub = other.hub.clone();
    let refused = other.done(hub.attach(&bob, shown())).err();
    assert_eq!(refused, Some(Refused::Ticket(TicketRefused::Spent)));
    home.work();
    other.send(&alice, &bob);
    home.work();
    assert_eq!(reader.read(), some(&["signal"]));
}

#[test]
fn a_reader_that_reconnects_with_its_ticket_is_taken_by_a_node_that_was_behind() {
    let mut home = Shared::new();
    let bob = home.join("bob", 2);
    let mut other = Shared::at(home.engine.clone());
    let reaching = other.hub.reach(&bob).expect("it is to be fetched");
    other.done(reaching).expect("the store answers");
    let shown = (
        TicketId {
            nonce: 1,
            issued: home.hub.calendar(),
        },
        home.hub.calendar(),
    );
    let hub = home.hub.clone();
    let opening = Attach {
        ticket: Some(shown),
        ..stream(Door::Events)
    };
    let (_reader, opening) = home.done(hub.attach(&bob, opening)).expect("a reader");
    home.pass(61_000);
    let hub = other.hub.clone();
    let again = Attach {
        ticket: Some((shown.0, hub.calendar())),
        cursor: Some(Ok(opening.cursor)),
        reconnect: true,
        ..stream(Door::Events)
    };
    assert!(other.done(hub.attach(&bob, again)).is_ok());
}

#[test]
fn what_was_never_read_waits_on_after_an_opening_that_was_given_up() {
    let mut shared = Shared::new();
    let (alice, bob) = (shared.join("alice", 1), shared.join("bob", 2));
    shared.send(&alice, &bob);
    let hub = shared.hub.clone();
    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut attaching = pin!(hub.attach(&bob, stream(Door::Events)));
        assert!(attaching.as_mut().poll(&mut cx).is_pending());
    }
    shared.work();
    shared.pass(2000);
    let waiting = |state: &mut State, _| {
        let member = state.room.incarnation(&bob.peer, bob.epoch)?;
        Some(member.mailbox.waiting())
    };
    assert_eq!(shared.hub.look(&bob, waiting), Ok(1));
}
