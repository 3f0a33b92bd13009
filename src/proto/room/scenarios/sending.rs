//! Sending: repeats, arrays, full mailboxes.

use super::*;

#[test]
fn a_repeated_id_gets_the_first_answer_and_delivers_once() {
    let mut world = World::with(&["alice", "bob"]);
    let offer = with_id("offer to bob", "m1");
    let (first, _) = world.send_all("alice", vec![offer.clone()]);
    let again = Signal {
        spare: SessionId::parse("another").ok(),
        ..offer
    };
    let (second, _) = world.send_all("alice", vec![again.clone()]);
    assert_eq!(
        second,
        [Sent {
            duplicate: true,
            ..first[0].clone()
        }]
    );
    assert_eq!(world.read("bob").len(), 1);
    let conflict = world.send("alice", with_id("offer to bob in s2", "m1"));
    assert_eq!(conflict, Err(Refusal::IdempotencyConflict));
    let other_sender = world.send_all("bob", vec![with_id("hello to alice", "m1")]);
    assert!(!other_sender.0[0].duplicate);
    world.pass(300);
    assert!(
        world.send("alice", with_id("hello to bob", "m1")).is_ok(),
        "forgotten after 5 min"
    );
}

#[test]
fn a_refused_signal_is_not_remembered() {
    let mut world = World::with(&["alice"]);
    let hello = with_id("hello to bob", "m1");
    assert_eq!(
        world.send("alice", hello.clone()),
        Err(Refusal::UnknownPeer)
    );
    world.join("bob");
    let (sent, _) = world.send_all("alice", vec![hello]);
    assert!(!sent[0].duplicate);
    assert_eq!(world.read("bob").len(), 1);
}

#[test]
fn an_array_is_taken_up_to_the_first_refusal() {
    let mut world = World::with(&["alice", "bob"]);
    let texts = [
        "offer to bob in s1",
        "hello to nobody",
        "candidate to bob in s1",
    ];
    let (sent, refused) = world.send_all("alice", texts.map(signal).to_vec());
    assert_eq!(sent.len(), 1);
    assert_eq!(refused, Some((1, Refusal::UnknownPeer)));
    assert_eq!(world.read("bob").len(), 1);
}

#[test]
fn one_sender_fills_half_a_mailbox_and_all_together_the_whole() {
    let mut world = World::with(&["alice", "bob", "carol", "dave"]);
    for _ in 0..4 {
        world.send("alice", signal("hello to bob")).expect("sent");
    }
    assert_eq!(
        world.send("alice", signal("hello to bob")),
        Err(Refusal::MailboxFull)
    );
    for _ in 0..4 {
        world.send("carol", signal("hello to bob")).expect("sent");
    }
    assert_eq!(
        world.send("dave", signal("hello to bob")),
        Err(Refusal::MailboxFull)
    );
    let cast = world.send("dave", signal("hello")).expect("sent");
    let refused: Vec<_> = cast
        .to
        .iter()
        .map(|to| (to.peer.as_str(), to.refused))
        .collect();
    assert_eq!(refused, [("alice", false), ("bob", true), ("carol", false)]);
    let heard: Vec<_> = world.read("bob");
    assert_eq!(heard.len(), 8, "nothing accepted was thrown out");
    assert!(heard[..4].iter().all(|line| line.contains("alice")));
    world
        .send("alice", signal("hello to bob"))
        .expect("there is room again");
}

#[test]
fn bytes_bound_a_mailbox_too() {
    let mut world = World::with(&["alice", "bob"]);
    let large = Json::compact(&format!("\"{}\"", "x".repeat(1500)));
    let big = Signal {
        data: Some(large),
        ..signal("hello to bob")
    };
    world.send("alice", big.clone()).expect("sent");
    assert_eq!(world.send("alice", big), Err(Refusal::MailboxFull));
    world
        .send("alice", signal("hello to bob"))
        .expect("a small one fits");
}

#[test]
fn ends_come_also_to_a_mailbox_that_is_full_of_signals() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    for from in [
        "alice", "carol", "carol", "carol", "carol", "alice", "alice",
    ] {
        world.send(from, signal("hello to bob")).expect("sent");
    }
    world
        .send("alice", signal("bye to bob in s1"))
        .expect("a bye is never refused");
    let lines = world.read("bob");
    assert_eq!(lines.len(), 9);
    assert!(lines[8].starts_with("session-ended"));
}

#[test]
fn an_entry_applied_twice_changes_nothing() {
    let mut world = World::with(&["alice", "bob"]);
    let (from, epoch) = (id("alice"), world.epoch("alice"));
    let send = Entry::Send {
        from,
        epoch,
        signals: vec![signal("hello to bob")],
        crowded: Vec::new(),
    };
    let position = world.room.applied() + 1;
    world.room.apply(position, world.now, send.clone());
    let again = world.room.apply(position, world.now, send);
    assert!(matches!(again.outcome, Outcome::Done) && again.calls.is_empty());
    assert_eq!(world.read("bob").len(), 1);
}
