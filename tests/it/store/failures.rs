//! What a server of an engine may do to its nodes, and what a network may.

use std::time::Duration;

use switchboard::backplane::redis::Options;
use switchboard::backplane::store::partition as partition_of;
use switchboard::backplane::store::{Append, News, Standing, StoreError};
use tokio::time::{Instant, sleep};

use super::engine::{Server, until};
use super::gate::{Gate, Way};
use super::world::{LEASE, Node, World, brief, call, entry, key, room, texts};

fn missed(partition: Option<u16>) -> impl Fn(&News) -> Option<()> {
    move |news| (*news == News::Missed { partition }).then_some(())
}

#[tokio::test]
async fn a_subscription_that_was_cut_off_is_made_again() {
    let world = World::redis();
    let (a, mut b) = (world.node().await, world.node().await);
    let to = room("cut-off");
    b.seat(&to, "ben", 1).await;
    let killed: u32 = world.server().ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(killed, 2);
    let meanwhile = a.append(&to, call("meanwhile")).await.at;
    // Either is heard, or that something was missed is.
    let heard = |news: &News| match news {
        News::Entry { at, .. } => Some(*at == meanwhile),
        News::Missed { partition: None } => Some(true),
        News::Missed { .. } | News::Lost { .. } | News::Standing(_) => None,
    };
    assert!(b.hear(heard).await);
    until(|| subscribers(world.server()) == 2).await;
    let at = a.append(&to, call("afterwards")).await.at;
    while b.bell().await.2 != at {}
}

fn subscribers(server: &Server) -> usize {
    let list: String = server.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    list.lines().filter(|line| line.contains(" sub=1")).count()
}

#[tokio::test]
async fn a_bell_that_was_not_heard_is_noticed_at_the_next() {
    let world = World::redis();
    let (a, mut b) = (world.node().await, world.node().await);
    let to = room("gap");
    b.seat(&to, "ben", 1).await;
    let bells = key(&world.options(), "gap", "bells");
    let node = b.id().0.to_string();
    let () = world.server().ask(&["HINCRBY", &bells, &node, "1"]);
    let at = a.append(&to, call("next")).await.at;
    b.hear(missed(Some(partition_of(&to)))).await;
    assert_eq!(b.bell().await.2, at);
}

#[tokio::test]
async fn a_bell_that_was_not_heard_is_noticed_without_another() {
    let world = World::redis();
    let mut node = world.node().await;
    let partition = partition_of(&room("silence"));
    let bells = key(&world.options(), "silence", "bells");
    let id = node.id().0.to_string();
    let () = world.server().ask(&["HINCRBY", &bells, &id, "3"]);
    node.hear(missed(Some(partition))).await;
}

#[tokio::test]
async fn a_subscription_that_is_open_and_deaf_is_made_again() {
    let world = World::redis();
    let gate = Gate::to(world.server().port).await;
    let through = Options {
        url: gate.url(),
        ..world.options()
    };
    let (a, mut b) = (world.node().await, Node::open(through).await);
    let to = room("deaf");
    b.seat(&to, "ben", 1).await;
    gate.set(Way::Deaf);
    let unheard = a.append(&to, call("unheard")).await.at;
    // The bell has gone by once another connection has answered.
    assert_eq!(b.store.heads(vec![to.clone()]).await, Ok(vec![unheard]));
    gate.set(Way::Open);
    b.hear(missed(None)).await;
    let at = a.append(&to, call("heard")).await.at;
    assert_eq!(b.bell().await.2, at);
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_fenced_and_joins_as_another() {
    let world = World::redis();
    let gate = Gate::to(world.server().port).await;
    let through = Options {
        url: gate.url(),
        ..brief(world.options())
    };
    let mut cut = Node::open(through).await;
    let mut other = world.brief_node().await;
    let to = room("fenced");
    let at = cut.keep(&to).await;
    let before = cut.id();
    gate.set(Way::Silent);
    let began = Instant::now();
    let late = cut.store.append(&to, entry("late"));
    let late = tokio::spawn(late);
    // With a lease as short as this, its end may come before the cut is noticed.
    while cut.standing().await != Standing::Fenced {}
    assert!(began.elapsed() < LEASE);
    assert_eq!(
        cut.try_append(&to, entry("too late")).await,
        Err(StoreError::Fenced)
    );
    assert_eq!(other.lost().await, (to.clone(), before));
    assert!(began.elapsed() > LEASE / 2);
    other.store.swept(&to, before).await.expect("done");
    gate.set(Way::Open);
    let Standing::Joined(after) = cut.standing().await else {
        panic!("joined");
    };
    assert!(after > before && cut.id() == after);
    // What was under way arrived after the fence, or never.
    let late = late.await.expect("no panic");
    assert_eq!(late, Err(StoreError::Fenced));
    assert_eq!(texts(&cut.fetch(&to, at).await), [""; 0]);
    cut.say(&to, "as another").await;
    assert_eq!(texts(&other.fetch(&to, at).await), ["as another"]);
}

#[tokio::test]
async fn a_short_pause_of_the_engine_is_waited_for() {
    let world = World::redis();
    let options = Options {
        lease: Duration::from_secs(12),
        ..world.options()
    };
    let (mut a, mut b) = (Node::open(options.clone()).await, Node::open(options).await);
    let to = room("pause");
    a.keep(&to).await;
    b.seat(&to, "ben", 1).await;
    let (before, was) = (a.id(), b.id());
    world.server().pause();
    let appends: Vec<_> = (0..20)
        .map(|n| tokio::spawn(a.store.append(&to, call(&format!("{n}")))))
        .collect();
    assert_eq!(a.standing().await, Standing::Cut);
    // Longer than commands are waited for before they are sent again.
    sleep(Duration::from_millis(1700)).await;
    world.server().resume();
    let mut told = Vec::new();
    for append in appends {
        told.push(append.await.expect("no panic").expect("stored").at);
    }
    assert_eq!(a.standing().await, Standing::Joined(before));
    told.sort_unstable();
    let tail = b.fetch(&to, 0).await;
    let mut stored: Vec<_> = tail.entries.iter().map(|(at, _)| *at).collect();
    stored.retain(|at| told.contains(at));
    assert_eq!((stored, tail.length), (told, 22));
    for _ in 0..20 {
        b.bell().await;
    }
    assert_eq!((a.id(), b.id()), (before, was));
}

#[tokio::test]
async fn after_a_long_pause_of_the_engine_nobody_is_swept_too_early() {
    let world = World::redis();
    let (mut a, b) = (world.brief_node().await, world.brief_node().await);
    let to = room("outage");
    b.keep(&to).await;
    let (first, gone) = (a.id(), b.id());
    world.server().pause();
    while a.standing().await != Standing::Fenced {}
    sleep(LEASE).await;
    world.server().resume();
    let Standing::Joined(second) = a.standing().await else {
        panic!("joined");
    };
    let joined = Instant::now();
    assert_ne!(first, second);
    let mut a_lost = a;
    let mut b_lost = b;
    // The leases of both ran out; whoever joined again has to see a whole lease pass first.
    let (lost, by) = tokio::select! {
        lost = a_lost.lost() => (lost, &a_lost),
        lost = b_lost.lost() => (lost, &b_lost),
    };
    assert_eq!(lost, (to.clone(), gone));
    assert!(joined.elapsed() > LEASE * 2 / 3, "{:?}", joined.elapsed());
    by.store.swept(&to, gone).await.expect("done");
}

#[tokio::test]
async fn what_was_stored_outlives_the_server() {
    let mut world = World::redis();
    let (a, mut b) = (world.node().await, world.node().await);
    let to = room("restart");
    b.seat(&to, "ben", 1).await;
    let before = a.say(&to, "before").await;
    world.server_mut().kill();
    let under_way = tokio::spawn(a.store.append(&to, call("under way")));
    world.server_mut().restart();
    let at = under_way.await.expect("no panic").expect("stored").at;
    assert!(at > before);
    let tail = b.fetch(&to, before).await;
    // The server that was started again may have lacked something.
    assert_eq!(texts(&tail), ["another engine", "under way"]);
    assert!(!tail.set_back);
    let heard = |news: &News| match news {
        News::Entry { at: heard, .. } => Some(*heard == at),
        News::Missed { partition: None } => Some(true),
        News::Missed { .. } | News::Lost { .. } | News::Standing(_) => None,
    };
    assert!(b.hear(heard).await);
}

#[tokio::test]
async fn scripts_that_were_forgotten_are_told_again() {
    let world = World::redis();
    let node = world.node().await;
    let to = room("flushed");
    node.say(&to, "before").await;
    for n in 0..3 {
        let () = world.server().ask(&["SCRIPT", "FLUSH"]);
        let appends = (0..10).map(|k| node.store.append(&to, entry(&format!("{n} {k}"))));
        for tail in futures_util::future::join_all(appends).await {
            tail.expect("stored");
        }
    }
    assert_eq!(node.fetch(&to, 0).await.length, 31);
}

#[tokio::test]
async fn a_full_engine_stores_nothing_by_halves() {
    let world = World::redis();
    let node = world.brief_node().await;
    let to = room("full");
    let before = node.keep(&to).await;
    let () = world.server().ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let append = Append {
        keeps: true,
        ..call("too much")
    };
    let refused = node.try_append(&to, append.clone()).await;
    assert_eq!(refused, Err(StoreError::Full));
    let refused = node.try_append(&room("another"), append.clone()).await;
    assert_eq!(refused, Err(StoreError::Full));
    let tail = node.fetch(&to, 0).await;
    assert_eq!((tail.head, tail.length), (before, 1));
    let keys: Vec<String> = world.server().ask(&["KEYS", "*another*"]);
    assert!(keys.is_empty(), "{keys:?}");
    // What makes room is taken, and whoever is there stays there.
    let leaving = Append {
        eases: true,
        ..entry("leave")
    };
    assert_eq!(texts(&node.append(&to, leaving).await), ["keep", "leave"]);
    let head = node.fetch(&to, 0).await.head;
    let kept = node.store.compact(&to, head, "all".into()).await;
    assert_eq!(kept, Ok(()));
    assert_eq!(node.fetch(&to, 0).await.length, 0);
    let id = node.store.node();
    sleep(LEASE * 2).await;
    assert_eq!(node.store.node(), id);
    let another = world.node().await;
    assert_eq!(another.fetch(&to, 0).await.head, head);
    let () = world.server().ask(&["CONFIG", "SET", "maxmemory", "0"]);
    let known = Append {
        known: head,
        ..append
    };
    assert_eq!(texts(&node.append(&to, known).await), ["too much"]);
}

#[tokio::test]
async fn an_entry_counts_once_enough_replicas_have_it() {
    let world = World::redis();
    let port = world.server().port.to_string();
    let replica = Server::redis(&["--replicaof", "127.0.0.1", &port]);
    until(|| {
        let info: String = replica.ask(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    })
    .await;
    let options = Options {
        wait: 1,
        ..world.options()
    };
    let node = Node::open(options).await;
    let to = room("replicated");
    node.say(&to, "on both").await;
    replica.pause();
    let append = entry("on one");
    let began = Instant::now();
    let refused = node.try_append(&to, append.clone()).await;
    assert_eq!(refused, Err(StoreError::Unavailable));
    assert!(began.elapsed() > Duration::from_secs(4));
    // What needs no replica goes on.
    assert_eq!(node.fetch(&to, 0).await.length, 2);
    replica.resume();
    let tail = node.append(&to, append).await;
    assert_eq!(texts(&tail), ["on both", "on one"]);
    let stored: u64 = replica.ask(&["DBSIZE"]);
    assert!(stored > 0);
}
