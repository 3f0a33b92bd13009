//! Cases in which a node dies, the engine is out, or a log loses its end.

use super::*;

#[test]
fn the_peers_of_a_node_that_died_leave_once_and_in_time() {
    let mut world = world(3);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let _gone = world.events(0, &a);
    let mut there = world.events(1, &b);
    drop(_gone);
    world.crash(0);
    let mut names = Vec::new();
    for _ in 0..60 {
        world.pass(1_000);
        names.extend(there.names());
    }
    assert_eq!(count_of(&names, "peer-away"), 1);
    assert_eq!(count_of(&names, "peer-left"), 1);
}

#[test]
fn who_comes_back_elsewhere_in_time_does_not_leave() {
    let mut world = world(3);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let reader = world.events(0, &a);
    let mut there = world.events(1, &b);
    drop(reader);
    world.crash(0);
    let mut back = world.events(2, &a);
    let mut names = Vec::new();
    for _ in 0..60 {
        world.pass(1_000);
        names.extend(there.names());
        back.names();
    }
    assert_eq!(count_of(&names, "peer-left"), 0);
}

#[test]
fn open_readers_go_on_when_the_log_has_lost_its_end() {
    let mut world = world(2);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let mut reader = world.events(1, &b);
    world.pass(5_000);
    assert!(world.hello(0, &a, &b).is_ok());
    world.pass(10);
    assert_eq!(reader.names(), ["signal"]);
    world.fail_over();
    world.pass(10_000);
    assert_eq!(reader.read().1, None);
    assert!(world.hello(0, &a, &b).is_ok());
    world.pass(100);
    assert_eq!(reader.names(), ["signal"]);
    world.agree();
}

#[test]
fn a_reader_whose_opening_the_log_has_lost_ends_and_is_to_come_again() {
    let mut world = world(2);
    let _a = world.enter(0, "a");
    let b = world.enter(1, "b");
    world.pass(5_000);
    let mut reader = world.events(1, &b);
    world.fail_over();
    world.pass(10_000);
    assert_eq!(reader.read().1, Some(Reason::Drain));
}

#[test]
fn a_reader_that_went_while_the_engine_was_out_is_told_of_afterwards() {
    let mut world = world(2);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let reader = world.events(0, &a);
    let mut there = world.events(1, &b);
    for node in 0..2 {
        world.cut(node, 8_000);
    }
    world.pass(2_000);
    drop(reader);
    world.pass(10_000);
    assert_eq!(there.read().1, None);
    let mut names = Vec::new();
    for _ in 0..70 {
        world.pass(1_000);
        names.extend(there.names());
    }
    assert_eq!(count_of(&names, "peer-left"), 1);
}

#[test]
fn a_mailbox_that_was_read_while_the_engine_was_out_takes_signals_afterwards() {
    let mut world = world(2);
    let (a, b) = (world.enter(0, "a"), world.enter(1, "b"));
    let mut reader = world.events(1, &b);
    let most = LIMITS.room.mailbox.events;
    for _ in 0..most / 2 {
        assert!(world.hello(0, &a, &b).is_ok());
    }
    world.pass(100);
    for node in 0..2 {
        world.cut(node, 8_000);
    }
    world.pass(1_000);
    assert_eq!(reader.names().len(), most / 2);
    for _ in 0..30 {
        world.pass(1_000);
        assert_eq!(reader.read().1, None);
    }
    let (sent, refused) = world.hello(0, &a, &b).expect("an answer");
    assert_eq!((sent.len(), refused), (1, None));
}

#[test]
fn a_node_that_comes_after_an_outage_gives_peers_the_time_to_come_back() {
    let mut world = world(2);
    let (a, _b) = (world.enter(0, "a"), world.enter(1, "b"));
    let reader = world.events(0, &a);
    for node in 0..2 {
        world.cut(node, 50_000);
    }
    world.pass(1_000);
    drop(reader);
    world.pass(45_000);
    let new = world.add_node();
    world.pass(25_000);
    let back = world.listen(new, &a, plain(Door::Events, None, true));
    assert!(back.is_ok(), "{:?}", back.err());
}

#[test]
fn a_room_whose_last_peer_left_at_a_node_that_died_then_is_not_listed() {
    let mut world = world(2);
    let a = world.enter(0, "a");
    world.pass(1_000);
    let before = world.head();
    let (hub, caller) = (world.nodes[0].hub().clone(), a.clone());
    let leaving = Box::pin(async move {
        let _ = hub.leave(&caller, Reason::Left, None).await;
        Answer::Aside
    });
    world.begin(0, None, leaving);
    while world.head() == before {
        world.pass(1);
    }
    world.crash(0);
    world.pass(30_000);
    let rooms = world.done(1, async move |hub| hub.all_rooms().await);
    assert!(rooms.expect("it answers").is_empty());
}
