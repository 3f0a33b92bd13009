//! Who is away, who has left, what the node remembers of it, and how it goes away itself.

use super::*;

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
    world.alive(&bob);
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
    world.announce_closing(&bob);
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
    world.announce_closing(&carol);
    // The user has thought better of it, and the page goes on.
    world.alive(&carol);
    drop(reader);
    world.pass(2_100);
    assert_eq!(world.hello(&alice, &carol), Ok(Presence::Away));
    // The word that comes after the loss.
    world.announce_closing(&carol);
    assert_eq!(
        world.hello(&alice, &carol),
        Err(Refusal::PeerLeft(Reason::Left))
    );
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
        .expect("at once")
        .expect("done");
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
            .expect("at once")
            .expect("done");
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
