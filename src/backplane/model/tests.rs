//! What the model can be made to do that a test of several nodes needs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::backplane::store::partition as partition_of;
use crate::backplane::store::{Ring, SeatChange, Standing, TOMBSTONE};
use crate::proto::{Door, PeerId};

const LEASE: Duration = Duration::from_secs(15);
const START: Time = Time(1_700_000_000_000);

/// What is ready at once, as all of the model is.
fn now<T>(later: Later<T>) -> T {
    later.now_or_never().expect("ready at once")
}

fn room() -> RoomId {
    RoomId::parse("room").expect("an id")
}

fn append(uid: u64, text: &'static str) -> Append {
    Append {
        uid,
        known: 0,
        entry: Bytes::from_static(text.as_bytes()),
        other_engine: Bytes::from_static(b"another engine"),
        ring: Ring::Everyone,
        seats: Vec::new(),
        keeps: false,
        eases: false,
        asker: None,
    }
}

fn seat(node: &Node, uid: u64) {
    let peer = PeerId::parse(&format!("peer-{uid}")).expect("an id");
    let (door, reader) = (Door::Events, uid);
    let seats = vec![SeatChange::Take { peer, door, reader }];
    let append = Append {
        seats,
        keeps: true,
        ..append(uid, "seat")
    };
    now(node.append(&room(), append)).expect("stored");
}

/// All that a node was told since it was asked last.
fn told(news: &mut Receiver<News>) -> Vec<News> {
    std::iter::from_fn(|| news.try_recv().ok()).collect()
}

/// A node, and what it is told.
type Told = (Arc<Node>, Receiver<News>);

fn two() -> (Engine, [Told; 2]) {
    let engine = Engine::new(LEASE, START);
    let mut nodes = [engine.join(), engine.join()];
    for (uid, (node, _)) in (1..).zip(&nodes) {
        seat(node, uid);
    }
    for (_, news) in &mut nodes {
        told(news);
    }
    (engine, nodes)
}

#[test]
fn a_cut_that_ends_in_time_costs_no_more_than_a_look_at_the_heads() {
    let (engine, [(a, mut of_a), (b, mut of_b)]) = two();
    engine.cut(&a);
    assert_eq!(told(&mut of_a), [News::Standing(Standing::Cut)]);
    let refused = now(a.append(&room(), append(10, "cut")));
    assert_eq!(refused, Err(StoreError::Unavailable));
    assert_eq!(now(a.fetch(&room(), 0)), Err(StoreError::Unavailable));
    now(b.append(&room(), append(11, "meanwhile"))).expect("stored");
    engine.at(START + Duration::from_secs(12));
    engine.mend(&a);
    engine.at(START + Duration::from_secs(13));
    let joined = News::Standing(Standing::Joined(a.node()));
    let missed = News::Missed { partition: None };
    assert_eq!(told(&mut of_a), [joined, missed]);
    assert_eq!(told(&mut of_b), []);
}

#[test]
fn a_cut_that_outlasts_the_lease_makes_another_node_of_it() {
    let (engine, [(a, mut of_a), (b, mut of_b)]) = two();
    let before = a.node();
    engine.cut(&a);
    engine.at(START + Duration::from_secs(14));
    assert_eq!(told(&mut of_b), []);
    let refused = now(a.append(&room(), append(10, "late")));
    assert_eq!(refused, Err(StoreError::Fenced));
    engine.at(START + Duration::from_secs(16));
    let lost = News::Lost {
        room: room(),
        node: before,
    };
    assert_eq!(told(&mut of_b), std::slice::from_ref(&lost));
    engine.at(START + Duration::from_secs(20));
    assert_eq!(told(&mut of_b), [lost]);
    now(b.swept(&room(), before)).expect("done");
    engine.at(START + Duration::from_secs(30));
    assert_eq!(told(&mut of_b), []);
    engine.mend(&a);
    assert!(a.node() > before);
    let [cut, fenced] = [Standing::Cut, Standing::Fenced].map(News::Standing);
    let joined = News::Standing(Standing::Joined(a.node()));
    let missed = News::Missed { partition: None };
    assert_eq!(told(&mut of_a), [cut, fenced, joined, missed]);
    now(a.append(&room(), append(11, "again"))).expect("stored");
}

#[test]
fn a_bell_that_is_not_heard_is_told_of_later() {
    let (engine, [(a, mut of_a), (b, _)]) = two();
    engine.deafen(&a);
    now(b.append(&room(), append(10, "unheard"))).expect("stored");
    let at = now(b.append(&room(), append(11, "heard")))
        .expect("stored")
        .at;
    let heard = told(&mut of_a);
    assert!(matches!(heard[..], [News::Entry { at: heard, .. }] if heard == at));
    engine.at(START);
    let partition = Some(partition_of(&room()));
    assert_eq!(told(&mut of_a), [News::Missed { partition }]);
}

#[test]
fn an_append_whose_answer_is_lost_is_found_by_its_repeat() {
    let (engine, [(a, _), (b, _)]) = two();
    let length = || now(b.fetch(&room(), 0)).expect("an answer").length;
    let before = length();
    engine.trip(&a, Trip::Before);
    let lost = now(a.append(&room(), append(10, "x")));
    assert_eq!((lost, length()), (Err(StoreError::Unavailable), before));
    engine.trip(&a, Trip::After);
    let lost = now(a.append(&room(), append(11, "y")));
    assert_eq!((lost, length()), (Err(StoreError::Unavailable), before + 1));
    let tail = now(a.append(&room(), append(11, "y"))).expect("stored");
    assert_eq!((tail.at, length()), (tail.head, before + 1));
}

#[test]
fn a_log_that_lost_its_end_says_so() {
    let (engine, [(a, _), _]) = two();
    let kept = now(a.append(&room(), append(10, "kept")))
        .expect("stored")
        .at;
    let lost = now(a.append(&room(), append(11, "lost")))
        .expect("stored")
        .at;
    engine.lose_after(&room(), kept);
    let tail = now(a.fetch(&room(), lost)).expect("an answer");
    assert!(tail.set_back && tail.head == kept && tail.length == 3);
    let again = now(a.append(&room(), append(11, "lost"))).expect("stored");
    // The other engine is told of before.
    assert_eq!(again.length, 5);
    engine.lose_all();
    let tail = now(a.fetch(&room(), again.at)).expect("an answer");
    assert!(tail.set_back && tail.head == 0);
}

#[test]
fn rooms_go_in_time() {
    let (engine, [(a, _), _]) = two();
    let at = now(a.append(&room(), append(10, "x"))).expect("stored").at;
    now(a.census(&room(), at, 0)).expect("done");
    engine.at(START + (TOMBSTONE - Duration::from_millis(1)));
    assert_eq!(now(a.heads(vec![room()])), Ok(vec![at]));
    engine.at(START + TOMBSTONE);
    assert_eq!(now(a.heads(vec![room()])), Ok(vec![0]));
}
