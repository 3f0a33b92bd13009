//! When a stream that has nothing else to write writes a ping.

use super::*;

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
    world.announce_closing(&bob);
    for _ in 0..2 {
        world.pass(1_960);
        assert_eq!(stream.wakes(), 0);
        world.pass(60);
        assert_eq!((stream.wakes(), stream.read()), (1, some(&["ping"])));
    }
    world.alive(&bob);
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
