//! Joining, joining again, and what is left when all have gone.

use super::*;

#[test]
fn of_two_peers_the_one_who_was_here_first_has_the_lower_order() {
    let mut world = World::with(&["alice", "bob"]);
    world.leave("alice", Reason::Left);
    world.join("alice");
    let order = |world: &World, peer: &str| world.room.member(&id(peer)).expect("here").order;
    assert_eq!((order(&world, "bob"), order(&world, "alice")), (1, 2));
}

#[test]
fn a_new_incarnation_is_not_touched_by_anything_of_the_older() {
    let mut world = World::with(&["alice", "bob"]);
    let old = world.epoch("bob");
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    let rejoin = world.join_as("bob", |join| {
        join.holds = Some(old);
        join.fresh = true;
    });
    let new = rejoin.expect("joined").epoch;
    assert_ne!(new, old);
    assert_eq!(
        world.read("alice"),
        [
            r#"session-ended {"session":"s1","peer":"bob","reason":"rejoined"}"#,
            r#"peer-left {"peer":"bob","reason":"rejoined"}"#,
            r#"peer-joined {"peer":"bob","meta":{},"order":2}"#,
        ]
    );
    // Late signals of the old session, from either side; late entries of the old incarnation.
    let over = Err(Refusal::SessionOver(Reason::Rejoined));
    assert_eq!(world.send("alice", signal("candidate to bob in s1")), over);
    assert_eq!(world.send("bob", signal("candidate to alice in s1")), over);
    let (peer, epoch) = (id("bob"), Some(old));
    world.apply(Entry::Leave {
        peer,
        epoch,
        reason: Reason::Left,
        detail: None,
    });
    let (from, signals) = (id("bob"), vec![signal("hello to alice")]);
    let late = world.apply(Entry::Send {
        from,
        epoch: old,
        signals,
        crowded: Vec::new(),
    });
    assert!(matches!(late, Outcome::Refused(Refusal::Ended(_))));
    assert_eq!(world.epoch("bob"), new);
    assert_eq!(world.read("bob"), [""; 0]);
    assert_eq!(world.read("alice"), [""; 0]);
    // An offer begins anew under the old id: a session belongs to its two incarnations.
    world
        .send("bob", signal("offer to alice in s1"))
        .expect("a new session");
    world
        .send("alice", signal("answer to bob in s1"))
        .expect("in the new session");
    assert_eq!(
        world.sessions("bob"),
        [("s1".into(), "alice".into(), SessionState::Answered)]
    );
}

#[test]
fn a_join_needs_the_token_or_the_key_of_the_peer_that_is_here() {
    let mut world = World::new();
    let alice = world
        .join_as("alice", |join| join.key = Some("k".into()))
        .expect("joined");
    let refused = Err(Refusal::PeerExists);
    assert_eq!(world.join_as("alice", |_| ()), refused);
    assert_eq!(
        world.join_as("alice", |join| join.key = Some("other".into())),
        refused
    );
    assert_eq!(
        world.join_as("alice", |join| join.holds = Some(Epoch(99))),
        refused
    );
    let same = Ok(Joined {
        new: false,
        ..alice.clone()
    });
    assert_eq!(
        world.join_as("alice", |join| join.holds = Some(alice.epoch)),
        same
    );
    assert_eq!(
        world.join_as("alice", |join| join.key = Some("k".into())),
        same
    );
    assert_eq!(world.gone, [""; 0]);
}

#[test]
fn a_lost_answer_with_an_assigned_id_is_found_again_by_its_key() {
    let mut world = World::new();
    let assigned = |join: &mut Join| {
        join.assigned = true;
        join.key = Some("k".into());
    };
    let first = world.join_as("made-1", assigned).expect("joined");
    let second = world.join_as("made-2", assigned).expect("joined");
    assert_eq!(
        second,
        Joined {
            new: false,
            ..first
        }
    );
    assert_eq!(world.room.len(), 1);
}

#[test]
fn a_full_room_takes_its_own_back_and_no_other() {
    let mut world = World::with(&["a", "b", "c", "d"]);
    assert_eq!(world.join_as("e", |_| ()), Err(Refusal::RoomFull));
    let held = world.epoch("a");
    let fresh = world.join_as("a", |join| {
        join.holds = Some(held);
        join.fresh = true;
    });
    assert!(fresh.is_ok_and(|joined| joined.new));
}

#[test]
fn a_closed_room_ends_everyone_with_that_reason() {
    let mut world = World::with(&["alice", "bob"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    world.apply(Entry::Close { detail: None });
    world.gone.sort();
    assert_eq!(world.gone, ["alice room-closed", "bob room-closed"]);
    assert!(world.room.is_empty());
}

#[test]
fn when_all_have_left_and_time_has_passed_nothing_is_held() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    world
        .send("alice", with_id("offer to bob in s1", "m1"))
        .expect("sent");
    world.send("carol", with_id("hello", "m2")).expect("sent");
    for peer in ["alice", "bob", "carol"] {
        world.leave(peer, Reason::Left);
    }
    world.pass(600);
    assert!(world.room.is_empty());
    assert!(world.room.left.is_empty());
}
