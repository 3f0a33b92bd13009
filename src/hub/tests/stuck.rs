//! Readers whose connection takes nothing.

use super::*;

const SLOW_AFTER: Duration = Duration::from_secs(10);

#[test]
fn a_stream_that_takes_nothing_for_ten_seconds_is_slow_and_its_mailbox_intact() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut alices = world.open(&alice, Door::Events);
    let mut stuck = world.open(&bob, Door::Events);
    stuck.read();
    world.pass(320);
    stuck.read();
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
    world.pass(9_900);
    // It is looked at with the room's next ping, at the latest.
    let mut waited = 0;
    let mut sent = 1;
    while world.hello(&alice, &bob) == Ok(Presence::Live) {
        alices.read();
        world.pass(200);
        waited += 200;
        sent += 1;
        assert!(waited <= 5_200);
    }
    assert_eq!(stuck.read(), (vec![], Some(Reason::Slow)));
    world.pass(2_020);
    assert_eq!(alices.read(), some(&["peer-away"]));
    let mut next = world.open(&bob, Door::Events);
    assert_eq!(next.read(), some(&vec!["signal"; sent + 1]));
    assert_eq!(alices.read(), some(&["peer-back"]));
}

#[test]
fn a_stream_with_nothing_to_take_is_not_slow() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let (mut alices, mut bobs) = (
        world.open(&alice, Door::Events),
        world.open(&bob, Door::Events),
    );
    for _ in 0..20 {
        world.pass(5_000);
        let (names, end) = bobs.read();
        assert!(end.is_none(), "{names:?}");
        alices.read();
    }
    assert_eq!(world.hello(&alice, &bob), Ok(Presence::Live));
}

#[test]
fn a_slow_peer_that_does_not_come_back_has_left_after_its_grace() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut alices = world.open(&alice, Door::Events);
    let mut stuck = world.open(&bob, Door::Events);
    stuck.read();
    world.hello(&alice, &bob).expect("sent");
    let mut seen = Vec::new();
    for _ in 0..46 {
        world.pass(1_000);
        seen.extend(alices.read().0);
    }
    seen.retain(|name| name != "ping");
    assert_eq!(seen, ["peer-joined", "peer-away", "peer-left"]);
    assert_eq!(stuck.read(), (vec![], Some(Reason::Timeout)));
}

#[test]
fn a_stuck_stream_that_was_replaced_is_not_asked_to_come_back() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut stuck = world.open(&bob, Door::Events);
    stuck.read();
    world.hello(&alice, &bob).expect("sent");
    let mut next = world.open(&bob, Door::Events);
    assert_eq!(next.read(), some(&["signal"]));
    world.hello(&alice, &bob).expect("sent");
    world.pass(16_000);
    assert_eq!(stuck.read(), (vec![], Some(Reason::Replaced)));
    assert_eq!(next.read(), (vec![], Some(Reason::Slow)));
}

#[test]
fn a_stuck_notices_stream_is_slow_too() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let mut alices = world.open(&alice, Door::Events);
    let mut stuck = world.open(&bob, Door::Notices);
    stuck.read();
    world.hello(&alice, &bob).expect("sent");
    let mut seen = Vec::new();
    for _ in 0..18 {
        world.pass(1_000);
        seen.extend(alices.read().0);
    }
    assert!(seen.contains(&"peer-away".to_owned()));
    assert_eq!(stuck.read(), (vec![], Some(Reason::Slow)));
}

#[test]
fn a_stuck_stream_that_was_replaced_takes_its_ticket_with_it() {
    let mut world = World::with(SLOW_AFTER);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let open = |world: &World, nonce: u64| {
        let issued = 1_000_000;
        let cursor = Cursor {
            epoch: bob.epoch,
            seq: 0,
        };
        let attach = Attach {
            door: Door::Events,
            only: None,
            cursor: Some(Ok(cursor)),
            reconnect: true,
            cursor_shown: false,
            ticket: Some((TicketId { nonce, issued }, issued + 1)),
            transport: Transport::Sse,
            left: None,
            place: None,
        };
        let attached = world.hub.attach(&bob, attach).now_or_never();
        attached.expect("at once").map(|(reader, _)| reader)
    };
    let stuck = open(&world, 1).expect("a reader");
    world.hello(&alice, &bob).expect("sent");
    world.pass(16_000);
    // The browser's own reconnect, and that one is stuck too.
    let again = open(&world, 1).expect("a reader");
    world.pass(16_000);
    let _next = open(&world, 2).expect("a reader");
    drop((stuck, again));
    let dead = open(&world, 1).err();
    assert!(matches!(
        dead,
        Some(Refused::Ticket(TicketRefused::Replaced))
    ));
}
