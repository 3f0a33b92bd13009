//! Scenarios of the core: input, exact outputs, move the clock.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::proto::entry::{Receipt, Sent};
use crate::proto::id::{SessionId, SignalId};
use crate::proto::mailbox::Door;
use crate::proto::member::Presence;
use crate::proto::session::SessionState;
use crate::proto::signal::{Kind, Signal};

const LIMITS: RoomLimits = RoomLimits {
    peers: 4,
    sessions: 3,
    remembered: 8,
    mailbox: MailboxLimits {
        events: 8,
        bytes: 4096,
        control_events: 6,
        control_bytes: 4096,
    },
};

const TIMINGS: Timings = Timings {
    away_after: Duration::from_secs(2),
    grace: Duration::from_secs(30),
    join_grace: Duration::from_secs(120),
    resume_window: Duration::from_secs(180),
    heartbeat: Duration::from_secs(15),
};

/// A room, the time, and where each peer's reader stands.
struct World {
    room: Room,
    now: Time,
    epochs: u64,
    at: HashMap<String, u64>,
    gone: Vec<String>,
}

impl World {
    fn new() -> Self {
        let room = Room::new(RoomId::parse("demo").expect("an id"), LIMITS, &TIMINGS);
        Self {
            room,
            now: Time(0),
            epochs: 0,
            at: HashMap::new(),
            gone: Vec::new(),
        }
    }

    /// A room with these peers, who have read of each other's arrival.
    fn with(peers: &[&str]) -> Self {
        let mut world = Self::new();
        for peer in peers {
            world.join(peer);
        }
        for peer in peers {
            world.read(peer);
        }
        world
    }

    fn apply(&mut self, entry: Entry) -> Outcome {
        let applied = self.room.apply(self.room.applied() + 1, self.now, entry);
        let line = |gone: &Gone| format!("{} {}", gone.peer, gone.reason);
        self.gone.extend(applied.gone.iter().map(line));
        applied.outcome
    }

    fn join_as(&mut self, peer: &str, change: impl FnOnce(&mut Join)) -> Result<Joined, Refusal> {
        self.epochs += 1;
        let mut join = Join {
            peer: id(peer),
            epoch: Epoch(self.epochs),
            meta: None,
            key: None,
            assigned: false,
            holds: None,
            fresh: false,
        };
        change(&mut join);
        match self.apply(Entry::Join(join)) {
            Outcome::Joined(joined) => {
                if joined.new {
                    self.at.insert(joined.peer.to_string(), 0);
                }
                Ok(joined)
            }
            Outcome::Refused(refusal) => Err(refusal),
            other @ (Outcome::Sent(..) | Outcome::Done) => panic!("{other:?}"),
        }
    }

    fn join(&mut self, peer: &str) -> Epoch {
        self.join_as(peer, |_| ()).expect("room for one more").epoch
    }

    fn epoch(&self, peer: &str) -> Epoch {
        self.room.member(&id(peer)).expect("a member").epoch
    }

    fn leave(&mut self, peer: &str, reason: Reason) {
        let (peer, epoch) = (id(peer), None);
        self.apply(Entry::Leave {
            peer,
            epoch,
            reason,
            detail: None,
        });
    }

    fn send_all(
        &mut self,
        from: &str,
        signals: Vec<Signal>,
    ) -> (Vec<Sent>, Option<(usize, Refusal)>) {
        let epoch = self.epoch(from);
        match self.apply(Entry::Send {
            from: id(from),
            epoch,
            signals,
        }) {
            Outcome::Sent(sent, refused) => (sent, refused),
            other @ (Outcome::Joined(_) | Outcome::Done | Outcome::Refused(_)) => {
                panic!("{other:?}")
            }
        }
    }

    fn send(&mut self, from: &str, signal: Signal) -> Result<Receipt, Refusal> {
        match self.send_all(from, vec![signal]) {
            (sent, None) => Ok(sent.into_iter().next().expect("one result").receipt),
            (_, Some((_, refusal))) => Err(refusal),
        }
    }

    /// All that a reader of this peer's gets now, each event as `name data`.
    fn read(&mut self, peer: &str) -> Vec<String> {
        let now = self.now;
        let at = self.at.get(peer).copied().unwrap_or_default();
        let epoch = self.epoch(peer);
        let member = self.room.incarnation(&id(peer), epoch).expect("a member");
        let mut lines = Vec::new();
        for (_, frame) in member.mailbox.after(Door::Events, None, at) {
            let (name, data) = (frame.name().to_vec(), frame.data().to_vec());
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            lines.push(format!("{} {}", text(name), text(data)));
        }
        let head = member.mailbox.head();
        member
            .mailbox
            .wrote(Door::Events, head, now, &LIMITS.mailbox);
        self.at.insert(peer.to_owned(), head);
        lines
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.room.expire(self.now, TIMINGS.resume_window);
    }

    fn sessions(&self, peer: &str) -> Vec<(String, String, SessionState)> {
        let member = self.room.member(&id(peer)).expect("a member");
        let all = member.all_sessions(self.now).into_iter();
        all.map(|view| (view.session.to_string(), view.peer.to_string(), view.state))
            .collect()
    }
}

fn id(peer: &str) -> PeerId {
    PeerId::parse(peer).expect("an id")
}

/// A signal in the form `TYPE to PEER in SESSION`; `to` and `in` may be left out.
fn signal(text: &str) -> Signal {
    let mut words = text.split(' ');
    let kind = Kind::parse(words.next().unwrap_or_default()).expect("a type");
    let (mut to, mut session) = (None, None);
    while let (Some(what), Some(name)) = (words.next(), words.next()) {
        match what {
            "to" => to = Some(id(name)),
            "in" => session = SessionId::parse(name).ok(),
            other => panic!("{other}"),
        }
    }
    let data = Some(Json::compact("1"));
    Signal {
        to,
        kind,
        session,
        data,
        id: None,
        spare: SessionId::parse("spare").ok(),
    }
}

fn with_id(text: &str, name: &str) -> Signal {
    Signal {
        id: SignalId::parse(name).ok(),
        ..signal(text)
    }
}

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
fn of_two_peers_the_one_who_was_here_first_has_the_lower_order() {
    let mut world = World::with(&["alice", "bob"]);
    world.leave("alice", Reason::Left);
    world.join("alice");
    let order = |world: &World, peer: &str| world.room.member(&id(peer)).expect("here").order;
    assert_eq!((order(&world, "bob"), order(&world, "alice")), (1, 2));
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
        let away = n % 2 == 0;
        world.apply(Entry::Absence {
            peer: id("bob"),
            epoch,
            away,
        });
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
    let epoch = world.epoch("bob");
    let absence = |away| Entry::Absence {
        peer: id("bob"),
        epoch,
        away,
    };
    world.apply(absence(true));
    world.apply(absence(true));
    assert_eq!(
        world.read("alice"),
        [r#"peer-away {"peer":"bob","grace_ms":30000}"#]
    );
    let receipt = world.send("alice", signal("hello to bob")).expect("kept");
    assert_eq!(receipt.to[0].state, Presence::Away);
    world.apply(absence(false));
    world.apply(absence(false));
    assert_eq!(world.read("alice"), [r#"peer-back {"peer":"bob"}"#]);
}

#[test]
fn the_end_of_a_session_waits_for_a_peer_that_is_away() {
    let mut world = World::with(&["alice", "bob"]);
    world
        .send("alice", signal("offer to bob in s1"))
        .expect("sent");
    world.read("bob");
    let epoch = world.epoch("bob");
    world.apply(Entry::Absence {
        peer: id("bob"),
        epoch,
        away: true,
    });
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

#[test]
fn an_entry_applied_twice_changes_nothing() {
    let mut world = World::with(&["alice", "bob"]);
    let (from, epoch) = (id("alice"), world.epoch("alice"));
    let send = Entry::Send {
        from,
        epoch,
        signals: vec![signal("hello to bob")],
    };
    let position = world.room.applied() + 1;
    world.room.apply(position, world.now, send.clone());
    let again = world.room.apply(position, world.now, send);
    assert!(matches!(again.outcome, Outcome::Done) && again.touched.is_empty());
    assert_eq!(world.read("bob").len(), 1);
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
