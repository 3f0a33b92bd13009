//! Presence: what others are told, and what waits for who is away.

use super::*;

#[test]
fn presence_that_was_not_read_collapses_to_its_latest_but_leaving_stays() {
    let mut world = World::with(&["alice"]);
    world.join("bob");
    let epoch = world.epoch("bob");
    for n in 0..20 {
        let meta = Json::compact(&format!("{{\"n\": {n}}}"));
        world.apply(Entry::Meta {
            peer: id("bob"),
            epoch,
            meta,
        });
        world.goes_away("bob");
        world.comes_back("bob");
    }
    assert_eq!(
        world.read("alice"),
        [
            r#"peer-joined {"peer":"bob","meta":{"n":19},"order":1}"#,
            r#"peer-back {"peer":"bob"}"#,
        ]
    );
    world.leave("bob", Reason::Left);
    world.join("bob");
    world.leave("bob", Reason::Left);
    let lines = world.read("alice");
    let names: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["peer-left", "peer-joined", "peer-left"]);
}

#[test]
fn away_and_back_are_told_once_each() {
    let mut world = World::with(&["alice", "bob"]);
    world.goes_away("bob");
    world.is_away("bob");
    assert_eq!(
        world.read("alice"),
        [r#"peer-away {"peer":"bob","grace_ms":30000}"#]
    );
    let receipt = world.send("alice", signal("hello to bob")).expect("kept");
    assert_eq!(receipt.to[0].state, Presence::Away);
    world.comes_back("bob");
    world.comes_back("bob");
    assert_eq!(world.read("alice"), [r#"peer-back {"peer":"bob"}"#]);
}

#[test]
fn who_is_heard_of_meanwhile_is_neither_away_nor_gone() {
    let mut world = World::with(&["alice", "bob"]);
    let (peer, epoch) = (id("bob"), world.epoch("bob"));
    world.is_lost("bob");
    world.now = world.now + TIMINGS.grace;
    world.comes_back("bob");
    world.is_away("bob");
    world.apply(Entry::Lapse {
        peer,
        epoch,
        reason: Reason::Timeout,
    });
    assert!(world.read("alice").is_empty());
    assert!(world.gone.is_empty());
}

#[test]
fn an_idle_mailbox_shrinks_to_nothing_after_the_resume_window() {
    let mut world = World::with(&["alice", "bob"]);
    world
        .send("alice", with_id("hello to bob", "m1"))
        .expect("sent");
    world.read("bob");
    world.pass(179);
    assert_eq!(
        world.room.member(&id("bob")).expect("here").mailbox.len(),
        1
    );
    world.pass(1);
    assert!(
        world
            .room
            .member(&id("bob"))
            .expect("here")
            .mailbox
            .is_empty()
    );
    world.pass(120);
    assert!(
        world
            .room
            .member(&id("alice"))
            .expect("here")
            .outbox
            .is_empty()
    );
}
