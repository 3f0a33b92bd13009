//! Sessions, from offer to bye, and their ends.

use super::*;

#[test]
fn a_call_from_offer_to_bye() {
    let mut world = World::new();
    world.join("alice");
    world.join("bob");
    assert_eq!(
        world.read("alice"),
        [r#"peer-joined {"peer":"bob","meta":{},"order":1}"#]
    );
    assert_eq!(world.read("bob"), [""; 0]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    assert_eq!(
        world.read("bob"),
        [r#"signal {"from":"alice","type":"offer","session":"s1","data":1}"#]
    );
    assert_eq!(
        world.sessions("bob"),
        [("s1".into(), "alice".into(), SessionState::Offered)]
    );
    world
        .send("bob", signal("answer to alice in s1"))
        .expect("sent");
    world
        .send("bob", signal("candidate to alice in s1"))
        .expect("sent");
    assert_eq!(
        world.read("alice"),
        [
            r#"signal {"from":"bob","type":"answer","session":"s1","data":1}"#,
            r#"signal {"from":"bob","type":"candidate","session":"s1","data":1}"#,
        ]
    );
    assert_eq!(
        world.sessions("alice"),
        [("s1".into(), "bob".into(), SessionState::Answered)]
    );
    world.pass(5);
    world
        .send("bob", signal("bye to alice in s1"))
        .expect("sent");
    assert_eq!(
        world.read("alice"),
        [r#"session-ended {"session":"s1","peer":"bob","reason":"hangup","data":1}"#]
    );
    assert_eq!(world.read("bob"), [""; 0], "who hangs up is not told so");
    let ended = SessionState::Ended {
        reason: Reason::Hangup,
        at: Time(5_000),
    };
    assert_eq!(
        world.sessions("alice"),
        [("s1".into(), "bob".into(), ended)]
    );
    assert_eq!(
        world.sessions("bob"),
        [("s1".into(), "alice".into(), ended)]
    );
    let over = Err(Refusal::SessionOver(Reason::Hangup));
    for late in [
        "candidate to bob in s1",
        "offer to bob in s1",
        "bye to bob in s1",
    ] {
        assert_eq!(world.send("alice", signal(late)), over, "{late}");
    }
    world.pass(600);
    assert_eq!(world.sessions("alice"), []);
}

#[test]
fn an_offer_without_a_session_gets_a_made_one_and_a_second_offer_renegotiates() {
    let mut world = World::with(&["alice", "bob"]);
    let receipt = world.send("alice", signal("offer to bob")).expect("sent");
    assert_eq!(
        receipt.session.as_ref().map(SessionId::as_str),
        Some("spare")
    );
    world
        .send("bob", signal("answer to alice in spare"))
        .expect("sent");
    world
        .send("bob", signal("offer to alice in spare"))
        .expect("sent");
    let answered = ("spare".into(), "bob".into(), SessionState::Answered);
    assert_eq!(world.sessions("alice"), [answered]);
}

#[test]
fn a_session_id_is_taken_while_one_party_has_it_open_with_a_third() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    let taken = Err(Refusal::SessionTaken);
    assert_eq!(world.send("alice", signal("offer to carol in s1")), taken);
    assert_eq!(world.send("carol", signal("offer to bob in s1")), taken);
    assert_eq!(world.send("carol", signal("candidate to bob in s1")), taken);
    assert_eq!(world.send("carol", signal("bye to bob in s1")), taken);
    world.read("carol");
    assert_eq!(world.read("carol"), [""; 0]);
    world
        .send("bob", signal("bye to alice in s1"))
        .expect("sent");
    world
        .send("carol", signal("offer to bob in s1"))
        .expect("the id is free again");
    let over = Err(Refusal::SessionOver(Reason::Hangup));
    world
        .send("carol", signal("bye to bob in s1"))
        .expect("sent");
    assert_eq!(world.send("alice", signal("candidate to bob in s1")), over);
}

#[test]
fn signals_of_a_session_that_was_never_opened_pass_and_open_nothing() {
    let mut world = World::with(&["alice", "bob"]);
    world
        .send("alice", signal("candidate to bob in s9"))
        .expect("sent");
    world
        .send("alice", signal("answer to bob in s9"))
        .expect("sent");
    assert_eq!(world.read("bob").len(), 2);
    assert_eq!(world.sessions("bob"), []);
    assert_eq!(
        world.send("alice", signal("bye to bob in s9")),
        Err(Refusal::UnknownSession)
    );
    assert_eq!(
        world.send("alice", signal("bye to bob")),
        Err(Refusal::UnknownSession)
    );
}

#[test]
fn a_bye_without_a_session_ends_all_with_that_peer_and_no_other() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    for offer in [
        "offer to bob in s1",
        "offer to bob in s2",
        "offer to carol in s3",
    ] {
        world.send("alice", signal(offer)).expect("sent");
    }
    world.read("bob");
    world.read("carol");
    world.send("alice", signal("bye to bob")).expect("sent");
    let ended = |session| {
        format!(
            r#"session-ended {{"session":"{session}","peer":"alice","reason":"hangup","data":1}}"#
        )
    };
    assert_eq!(world.read("bob"), [ended("s1"), ended("s2")]);
    assert_eq!(world.read("carol"), [""; 0]);
    assert_eq!(world.sessions("carol")[0].2, SessionState::Offered);
}

#[test]
fn who_leaves_ends_its_sessions_first_and_then_itself_once() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    world.read("bob");
    world.leave("alice", Reason::Timeout);
    world.leave("alice", Reason::Left);
    let left = r#"peer-left {"peer":"alice","reason":"timeout"}"#;
    let ended = r#"session-ended {"session":"s1","peer":"alice","reason":"timeout"}"#;
    assert_eq!(world.read("bob"), [ended, left]);
    assert_eq!(world.read("carol"), [left]);
    assert_eq!(world.gone, ["alice timeout"]);
    let refused = world.send("bob", signal("candidate to alice in s1"));
    assert_eq!(refused, Err(Refusal::PeerLeft(Reason::Timeout)));
    assert_eq!(
        world.send("bob", signal("hello to dave")),
        Err(Refusal::UnknownPeer)
    );
    world.pass(600);
    assert_eq!(
        world.send("bob", signal("hello to alice")),
        Err(Refusal::UnknownPeer)
    );
}

#[test]
fn the_data_of_byes_does_not_make_ends_go_missing() {
    let mut world = World::with(&["alice", "bob"]);
    for n in 0..3 {
        world
            .send("alice", signal(&format!("offer to bob in s{n}")))
            .expect("sent");
    }
    world.read("bob");
    let large = Json::compact(&format!("\"{}\"", "x".repeat(1_500)));
    let bye = Signal {
        data: Some(large),
        ..signal("bye to bob")
    };
    world.send("alice", bye).expect("never refused");
    let lines = world.read("bob");
    let with_data: Vec<_> = lines.iter().map(|line| line.contains("xxx")).collect();
    assert_eq!(with_data, [true, false, false]);
    let told =
        r#"session-ended {"session":"s2","peer":"alice","reason":"hangup","data_lost":true}"#;
    assert_eq!(lines[2], told);
}

#[test]
fn a_session_that_is_open_again_with_another_can_be_named_in_a_broadcast() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    world
        .send("alice", signal("bye to bob in s1"))
        .expect("sent");
    let over = Err(Refusal::SessionOver(Reason::Hangup));
    assert_eq!(world.send("alice", signal("hello in s1")), over);
    world
        .send("alice", signal("offer to carol in s1"))
        .expect("sent");
    world
        .send("alice", signal("hello in s1"))
        .expect("it is open");
}

#[test]
fn a_refused_offer_opens_no_session() {
    let mut world = World::with(&["alice", "bob"]);
    for _ in 0..4 {
        world.send("alice", signal("hello to bob")).expect("sent");
    }
    let refused = world.send("alice", signal("offer to bob in s1"));
    assert_eq!(refused, Err(Refusal::MailboxFull));
    assert_eq!(world.sessions("alice"), []);
    assert_eq!(world.sessions("bob"), []);
}

#[test]
fn open_sessions_are_bounded_on_both_sides() {
    let mut world = World::with(&["alice", "bob", "carol"]);
    for n in 0..3 {
        world
            .send("alice", signal(&format!("offer to bob in s{n}")))
            .expect("sent");
    }
    let many = Err(Refusal::TooManySessions);
    assert_eq!(world.send("alice", signal("offer to carol in t")), many);
    assert_eq!(world.send("carol", signal("offer to bob in t")), many);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("an open one can be renegotiated");
    world
        .send("bob", signal("bye to alice in s2"))
        .expect("sent");
    world
        .send("carol", signal("offer to bob in t"))
        .expect("sent");
}

#[test]
fn the_end_of_a_session_waits_for_a_peer_that_is_away() {
    let mut world = World::with(&["alice", "bob"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    world.read("bob");
    world.goes_away("bob");
    world.leave("alice", Reason::Left);
    world.pass(25);
    assert_eq!(
        world.read("bob"),
        [
            r#"session-ended {"session":"s1","peer":"alice","reason":"left"}"#,
            r#"peer-left {"peer":"alice","reason":"left"}"#,
        ]
    );
}
