//! What any engine does while all is well.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join_all;
use switchboard::backplane::store::{Append, INLINE, Ring};
use switchboard::proto::Door;

use super::world::{World, call, entry, leave, peer, room, take, texts};

pub async fn every_node_reads_the_same_order(world: &World) {
    let nodes = [world.node().await, world.node().await, world.node().await];
    let to = room("order");
    let appends = (0..150).map(|n| {
        let (node, to) = (&nodes[n % 3], &to);
        async move {
            let text = format!("entry {n}");
            let tail = node.append(to, entry(&text)).await;
            assert!(tail.entries.contains(&(tail.at, text.clone().into())));
            assert!(tail.head >= tail.at);
            (tail.at, text)
        }
    });
    let told: BTreeMap<_, _> = join_all(appends).await.into_iter().collect();
    let told: Vec<_> = told
        .into_iter()
        .map(|(at, text)| (at, text.into()))
        .collect();
    assert_eq!(told.len(), 150);
    for node in &nodes {
        let tail = node.fetch(&to, 0).await;
        assert_eq!(tail.entries, told);
        assert_eq!((tail.head, tail.length), (told[149].0, 150));
        assert_eq!(tail.snapshot, None);
    }
    let later = nodes[1].fetch(&to, told[100].0).await;
    assert_eq!(later.entries, told[101..]);
    assert!(!later.set_back);
}

pub async fn a_repeat_is_stored_once(world: &World) {
    let (one, other) = (world.node().await, world.node().await);
    let to = room("repeat");
    let append = entry("once");
    let first = one.append(&to, append.clone()).await;
    other.say(&to, "between").await;
    let again = one.append(&to, append.clone()).await;
    assert_eq!(again.at, first.at);
    assert!(again.head > again.at);
    assert_eq!(texts(&again), ["once", "between"]);
    let known = Append {
        known: first.at,
        ..append
    };
    assert_eq!(texts(&one.append(&to, known).await), ["between"]);
    assert_eq!(texts(&other.fetch(&to, 0).await), ["once", "between"]);
}

pub async fn bells_reach_the_nodes_concerned_and_no_other(world: &World) {
    let (mut a, mut b, mut c) = (world.node().await, world.node().await, world.node().await);
    let to = room("bells");
    a.seat(&to, "ann", 1).await;
    b.seat(&to, "ben", 2).await;
    c.seat(&to, "cho", 3).await;
    let before = a.say(&to, "quiet").await;
    let for_ben = Append {
        ring: Ring::Peers(vec![peer("ben"), peer("ann"), peer("nobody")]),
        ..entry("for ben")
    };
    let first = a.append(&to, for_ben).await.at;
    let second = a.append(&to, call("for all")).await.at;
    let third = b.append(&to, call("for all, from another")).await.at;
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    assert_eq!(b.bell().await, (to.clone(), before, first, text("for ben")));
    assert_eq!(b.bell().await, (to.clone(), first, second, text("for all")));
    // What comes first is not what others were rung for before.
    assert_eq!(c.bell().await, (to.clone(), first, second, text("for all")));
    let from_b = text("for all, from another");
    assert_eq!(c.bell().await, (to.clone(), second, third, from_b.clone()));
    assert_eq!(a.bell().await, (to.clone(), second, third, from_b));
}

pub async fn large_entries_are_rung_without_their_content(world: &World) {
    let (a, mut b) = (world.node().await, world.node().await);
    let to = room("large");
    b.seat(&to, "ben", 1).await;
    let sizes = [INLINE, INLINE + 1, 300_000];
    for size in sizes {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let append = Append {
            entry: bytes.into(),
            ..call("")
        };
        a.append(&to, append.clone()).await;
        let (_, prev, at, inline) = b.bell().await;
        assert_eq!(inline, (size == INLINE).then(|| append.entry.clone()));
        let tail = b.fetch(&to, prev).await;
        assert_eq!(tail.entries, [(at, append.entry)]);
    }
}

pub async fn a_seat_is_left_by_its_own_reader_only(world: &World) {
    let (a, mut b, mut c) = (world.node().await, world.node().await, world.node().await);
    let to = room("seats");
    b.seat(&to, "ben", 7).await;
    c.seat(&to, "cho", 8).await;
    // Of another reader, at another door, by another node: it says who goes, not who says it.
    let stale = Append {
        seats: vec![leave("ben", 6)],
        ..entry("stale")
    };
    a.append(&to, stale).await;
    let notices = take_notices("ben", 9);
    let append = Append {
        seats: vec![notices],
        ..entry("notices")
    };
    c.append(&to, append).await;
    let first = a.append(&to, call("both")).await.at;
    assert_eq!(b.bell().await.2, first);
    assert_eq!(c.bell().await.2, first);
    let gone = Append {
        seats: vec![leave("ben", 7)],
        ..entry("gone")
    };
    a.append(&to, gone).await;
    a.append(&to, call("one")).await;
    b.seat(&to, "ben", 10).await;
    let third = a.append(&to, call("both again")).await.at;
    assert_eq!(b.bell().await.2, third);
}

fn take_notices(of: &str, reader: u64) -> switchboard::backplane::store::SeatChange {
    switchboard::backplane::store::SeatChange::Take {
        peer: peer(of),
        door: Door::Notices,
        reader,
    }
}

pub async fn whoever_lost_a_seat_hears_of_it(world: &World) {
    let (mut a, mut b) = (world.node().await, world.node().await);
    let to = room("moved");
    a.seat(&to, "ann", 1).await;
    let moves = Append {
        ring: Ring::Peers(vec![peer("ann")]),
        seats: vec![take("ann", 2)],
        ..entry("moves")
    };
    let at = b.append(&to, moves).await.at;
    assert_eq!(a.bell().await.2, at);
    let ring = Append {
        ring: Ring::Peers(vec![peer("ann")]),
        ..entry("ring")
    };
    let at = a.append(&to, ring).await.at;
    assert_eq!(b.bell().await.2, at);
}

pub async fn a_snapshot_stands_for_the_entries_before_it(world: &World) {
    let node = world.node().await;
    let to = room("snapshot");
    let mut at = Vec::new();
    for n in 0..6 {
        at.push(node.say(&to, &n.to_string()).await);
    }
    let compact = async |at, text: &'static str| {
        let snapshot = Bytes::from_static(text.as_bytes());
        node.store.compact(&to, at, snapshot).await.expect("done");
    };
    compact(at[2], "0 1 2").await;
    let snapshot = Some((at[2], Bytes::from_static(b"0 1 2")));
    for known in [0, at[0], at[1]] {
        let tail = node.fetch(&to, known).await;
        assert_eq!(
            (&tail.snapshot, texts(&tail)),
            (&snapshot, vec!["3", "4", "5"])
        );
        assert_eq!((tail.length, tail.head, tail.set_back), (3, at[5], false));
    }
    for (known, rest) in [(2, vec!["3", "4", "5"]), (4, vec!["5"]), (5, vec![])] {
        let tail = node.fetch(&to, at[known]).await;
        assert_eq!((&tail.snapshot, texts(&tail)), (&None, rest));
        assert!(!tail.set_back);
    }
    // Older ones, one as old, and one of no position at all are ignored.
    let none = [at[3] + 1, at[5] + 1];
    let none = none.into_iter().filter(|none| !at.contains(none));
    for ignored in [at[1], at[2]].into_iter().chain(none) {
        compact(ignored, "ignored").await;
        assert_eq!(node.fetch(&to, 0).await.snapshot, snapshot);
    }
    compact(at[5], "all").await;
    let tail = node.fetch(&to, 0).await;
    assert_eq!(tail.snapshot, Some((at[5], Bytes::from_static(b"all"))));
    assert_eq!((texts(&tail), tail.length, tail.head), (vec![], 0, at[5]));
    let tail = node.append(&to, entry("6")).await;
    assert!(tail.at > at[5]);
    assert_eq!(tail.snapshot, Some((at[5], Bytes::from_static(b"all"))));
    assert_eq!((texts(&tail), tail.length), (vec!["6"], 1));
}

pub async fn a_position_that_is_none_means_that_the_log_was_set_back(world: &World) {
    let node = world.node().await;
    let to = room("set-back");
    let first = node.say(&to, "a").await;
    let second = node.say(&to, "b").await;
    for known in [first + 1, second + 1] {
        // Two entries cannot follow each other so closely that this one is of the log.
        if known == second {
            continue;
        }
        let tail = node.fetch(&to, known).await;
        assert!(tail.set_back);
        assert_eq!((texts(&tail), tail.head), (vec!["a", "b"], second));
    }
    let append = Append {
        known: second + 1,
        ..entry("c")
    };
    let tail = node.append(&to, append).await;
    assert!(tail.set_back);
    assert_eq!(texts(&tail), ["a", "b", "c"]);
    let append = Append {
        known: tail.at,
        ..entry("d")
    };
    let tail = node.append(&to, append).await;
    assert!(!tail.set_back);
    assert_eq!(texts(&tail), ["d"]);
    let never = node.fetch(&room("never"), 7).await;
    assert_eq!((never.set_back, never.head), (true, 0));
    assert!(!node.fetch(&room("never"), 0).await.set_back);
}

pub async fn the_census_lists_rooms_with_members(world: &World) {
    let node = world.node().await;
    let count = async |n: usize| {
        let to = room(&format!("room-{n}"));
        let at = node.say(&to, "hello").await;
        let done = node.store.census(&to, at, n).await;
        done.expect("done");
    };
    join_all((0..700).map(count)).await;
    let mut found = BTreeMap::new();
    let (mut page, mut pages) = (Some(0), 0);
    while let Some(number) = page {
        let (next, rooms) = node.store.rooms(number).await.expect("a page");
        found.extend(rooms);
        page = next;
        pages += 1;
    }
    assert!(pages > 1, "all on one page");
    let all = (1..700).map(|n| (room(&format!("room-{n}")), n)).collect();
    assert_eq!(found, all);
}

pub async fn an_older_census_is_ignored(world: &World) {
    let node = world.node().await;
    let to = room("census");
    let first = node.say(&to, "a").await;
    let second = node.say(&to, "b").await;
    let count = async |at, members| {
        node.store.census(&to, at, members).await.expect("done");
        let (_, rooms) = node.store.rooms(0).await.expect("a page");
        rooms.first().map(|(_, members)| *members)
    };
    assert_eq!(count(second, 2).await, Some(2));
    assert_eq!(count(first, 1).await, Some(2));
    assert_eq!(count(second + 1, 9).await, Some(2));
    assert_eq!(count(second, 0).await, None);
}

pub async fn heads_are_told_of_many_rooms(world: &World) {
    let node = world.node().await;
    let say = async |n: usize| {
        let to = room(&format!("room-{n}"));
        let at = if n.is_multiple_of(3) {
            0
        } else {
            node.say(&to, "x").await
        };
        (to, at)
    };
    let told: Vec<_> = join_all((0..1000).map(say)).await;
    let (rooms, heads): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    assert_eq!(node.store.heads(rooms).await, Ok(heads));
    assert_eq!(node.store.heads(Vec::new()).await, Ok(Vec::new()));
}

pub async fn the_time_goes_on(world: &World) {
    let (one, other) = (world.node().await, world.node().await);
    let (a, b) = (one.store.now(), other.store.now());
    assert!(a.since(b).max(b.since(a)).as_millis() < 500, "{a:?} {b:?}");
    let at = one.say(&room("time"), "x").await;
    let ahead = (at / 1000).abs_diff(one.store.now().0);
    assert!(ahead < 500, "{ahead}");
    assert!(one.store.now() >= a);
}
