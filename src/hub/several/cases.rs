//! Single cases of several nodes, in virtual time.

use super::asking::Answer;
mod faults;

use super::net::Slot;
use super::reading::plain;
use super::sending::Told;
use super::world::{Bell, World};
use super::*;

/// What a reader gave: names and data of events, and the reason of its end.
#[derive(Default)]
struct Taken(Vec<(u64, String, String)>);

impl Sink for Taken {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.0
            .push((id.seq, text(frame.name()), text(frame.data())));
    }

    fn control(&mut self, _: &Frame) {}

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A reader that is read by hand.
struct Hand {
    reader: Reader,
    bell: Arc<Bell>,
}

impl Hand {
    /// What has come, and why it ended, if it did.
    fn read(&mut self) -> (Vec<(u64, String, String)>, Option<Reason>) {
        let mut taken = Taken::default();
        loop {
            let waker = std::task::Waker::from(self.bell.clone());
            match self
                .reader
                .poll_pull(&mut Context::from_waker(&waker), &mut taken)
            {
                Poll::Ready(Flow::Ended(reason)) => return (taken.0, Some(reason)),
                Poll::Ready(Flow::More) => {}
                Poll::Ready(Flow::Wrote) | Poll::Pending => return (taken.0, None),
            }
        }
    }

    fn names(&mut self) -> Vec<String> {
        self.read().0.into_iter().map(|(_, name, _)| name).collect()
    }
}

fn world(nodes: usize) -> World {
    let mut world = World::bare(nodes);
    world.pass(100);
    world
}

impl World {
    /// Has something done at a node, and waits for it.
    fn done<T: 'static>(&mut self, node: usize, work: impl AsyncFnOnce(Hub) -> T + 'static) -> T {
        let slot = Slot::new();
        let (hub, put) = (self.nodes[node].hub().clone(), slot.clone());
        let future = Box::pin(async move {
            put.put(work(hub).await);
            Answer::Aside
        });
        self.begin(node, None, future);
        let mut slot = slot.boxed_local();
        for _ in 0..20_000 {
            self.pass(1);
            if let Some(done) = (&mut slot).now_or_never() {
                return done;
            }
        }
        panic!("it is never done");
    }

    fn enter(&mut self, node: usize, peer: &str) -> Caller {
        let join = Join {
            peer: PeerId::parse(peer).expect("an id"),
            epoch: Epoch(self.serial()),
            meta: None,
            key: None,
            assigned: false,
            holds: None,
            fresh: false,
        };
        let room = RoomId::parse("r").expect("an id");
        let joined = self.done(node, async move |hub| {
            hub.sync(&room).await?;
            hub.join(&room, join).await
        });
        joined.expect("joined").caller
    }

    fn listen(&mut self, node: usize, caller: &Caller, attach: Attach) -> Result<Hand, Refused> {
        let caller = caller.clone();
        let opened = self.done(node, async move |hub| {
            if let Some(reaching) = hub.reach(&caller) {
                reaching.await?;
            }
            hub.attach(&caller, attach).await
        });
        let (reader, _) = opened?;
        let bell = Bell::rung();
        Ok(Hand { reader, bell })
    }

    fn events(&mut self, node: usize, caller: &Caller) -> Hand {
        let attach = plain(Door::Events, None, true);
        self.listen(node, caller, attach).expect("a reader")
    }

    fn hello(&mut self, node: usize, from: &Caller, to: &Caller) -> Result<Told, Refused> {
        let signal = Signal {
            to: Some(to.peer.clone()),
            kind: Kind::parse("hello").expect("a type"),
            session: None,
            data: None,
            id: None,
            spare: None,
        };
        let from = from.clone();
        self.done(node, async move |hub| {
            if let Some(reaching) = hub.reach(&from) {
                reaching.await?;
            }
            hub.send(&from, vec![signal])?.await
        })
    }

    /// Nobody judges what single cases do.
    fn head(&self) -> u64 {
        let room = RoomId::parse("r").expect("an id");
        self.truths.with(&room, |truth| truth.room.applied())
    }
}

fn count_of(names: &[String], name: &str) -> usize {
    names.iter().filter(|other| *other == name).count()
}

#[test]
fn a_reader_that_moves_is_replaced_where_it_was() {
    let mut world = world(2);
    let a = world.enter(0, "a");
    let mut first = world.events(0, &a);
    assert_eq!(first.read().1, None);
    let mut second = world.events(1, &a);
    world.pass(100);
    assert_eq!(first.read().1, Some(Reason::Replaced));
    assert_eq!(second.read().1, None);
    drop(first);
    world.pass(10_000);
    assert_eq!(second.read().1, None);
}

#[test]
fn a_ticket_that_was_spent_at_one_node_is_refused_at_another() {
    let mut world = world(2);
    let a = world.enter(1, "a");
    let issued = world.nodes[0].hub().calendar();
    let ticket = || {
        let mut attach = plain(Door::Events, None, true);
        attach.ticket = Some((TicketId { nonce: 7, issued }, issued));
        attach
    };
    let first = world.listen(0, &a, ticket());
    assert!(first.is_ok());
    world.pass(100);
    let again = world.listen(1, &a, ticket());
    assert_eq!(again.err(), Some(Refused::Ticket(TicketRefused::Spent)));
}

#[test]
fn others_hear_at_once_of_who_comes_back_at_a_node_that_did_not_know_it_was_away() {
    let mut world = world(3);
    let (a, b, c) = (
        world.enter(1, "a"),
        world.enter(0, "b"),
        world.enter(1, "c"),
    );
    let reader = world.events(0, &a);
    let mut there = world.events(2, &b);
    drop(reader);
    for _ in 0..5 {
        world.pass(1_000);
    }
    let names = there.names();
    assert_eq!(
        count_of(&names, "peer-away"),
        1,
        "{names:?} {:?}",
        world.truths.last(&a.room, 20)
    );
    assert!(world.hello(1, &a, &c).is_ok());
    world.pass(200);
    assert_eq!(there.names(), ["peer-back"]);
}

#[test]
fn a_node_that_was_behind_takes_a_snapshot_and_agrees() {
    let mut world = world(3);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let mut reader = world.events(1, &b);
    for _ in 0..400 {
        assert!(world.hello(0, &a, &b).is_ok());
        let _ = reader.names();
    }
    let c = world.enter(2, "c");
    let room = c.room.clone();
    for _ in 0..300 {
        assert!(world.hello(0, &a, &b).is_ok());
        let _ = reader.names();
    }
    world
        .done(2, async move |hub| hub.sync(&room).await)
        .expect("it answers");
    world.compare(false);
    drop(reader);
    world.agree();
}

#[test]
fn that_much_was_read_is_told_at_once() {
    let mut world = world(2);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let mut reader = world.events(1, &b);
    for _ in 0..LIMITS.room.mailbox.events / 2 {
        assert!(world.hello(0, &a, &b).is_ok());
    }
    world.pass(100);
    reader.names();
    world.pass(100);
    let (sent, refused) = world.hello(0, &a, &b).expect("an answer");
    assert_eq!((sent.len(), refused), (1, None));
}

#[test]
fn who_read_last_elsewhere_than_first_is_judged_all_the_same() {
    let mut world = world(3);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let notices = plain(Door::Notices, None, true);
    let ends = world.listen(2, &a, notices).expect("a reader");
    let events = world.events(0, &a);
    let mut there = world.events(1, &b);
    drop(events);
    world.pass(5_000);
    assert_eq!(count_of(&there.names(), "peer-away"), 0);
    drop(ends);
    let mut names = Vec::new();
    for _ in 0..34 {
        world.pass(1_000);
        names.extend(there.names());
    }
    assert_eq!(count_of(&names, "peer-away"), 1);
    assert_eq!(count_of(&names, "peer-left"), 1);
}

#[test]
fn a_room_with_something_to_forget_is_not_looked_at_again_and_again() {
    let mut world = world(1);
    let (a, b) = (world.enter(0, "a"), world.enter(0, "b"));
    let mut reader = world.events(0, &b);
    assert!(world.hello(0, &a, &b).is_ok());
    world.pass(20_000);
    assert_eq!(reader.names(), ["signal"]);
    // The events fall due for forgetting by the clock of the log somewhat later than by the node's.
    for _ in 0..220 {
        world.pass(1_000);
        let _ = reader.read();
    }
}
