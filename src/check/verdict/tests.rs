use std::time::Duration;

use super::*;
use crate::check::facts::{Ice, Outcome};

fn good() -> Outcome {
    Outcome::good(Duration::from_millis(5))
}

/// A path on which all is well.
fn clear() -> Facts {
    let mut facts = Facts {
        server: "https://a.example".into(),
        join: good(),
        stream: good(),
        poll: good(),
        heartbeat_ms: 15_000,
        ..Facts::default()
    };
    (facts.path.get, facts.path.post) = (good(), good());
    facts.ticks.passes = true;
    facts.silences = [5_000, 10_000, 20_000, 30_000]
        .map(|ms| silence(ms, Fate::Kept, ms))
        .into();
    facts
}

fn silence(wanted_ms: u64, fate: Fate, for_ms: u64) -> Silence {
    Silence {
        wanted_ms,
        fate,
        for_ms,
    }
}

#[test]
fn a_clear_path_is_good_and_asks_for_nothing() {
    let verdict = of(&clear());
    assert_eq!((verdict.usable, verdict.level), (Usable::Sse, Level::Good));
    assert!(verdict.advice.is_empty());
}

#[test]
fn the_ways_to_a_relay_are_named() {
    let mut facts = clear();
    let ice = |what, shared, outcome| Ice {
        url: String::new(),
        what,
        shared,
        outcome,
    };
    facts.ice = vec![
        ice("STUN", false, good()),
        ice("TURN over UDP", false, Outcome::bad("no answer")),
        ice("TURN over TCP", false, good()),
        ice("TURN over TCP", false, good()),
        ice("TURN over TLS", true, good()),
    ];
    let media = "A relay for picture and sound can be had, over TCP, TLS on the server's own port.";
    assert_eq!(of(&facts).media, media);
}

#[test]
fn some_lost_posts_do_not_block_what_was_joined_by_one() {
    let mut facts = clear();
    facts.path.post = Outcome::bad("no answer in time");
    let verdict = of(&facts);
    assert_eq!(
        (verdict.usable, verdict.level),
        (Usable::Sse, Level::Limited)
    );
    assert!(verdict.reason.contains("no answer in time") && verdict.advice.is_empty());
    facts.join = Outcome::bad("no answer in time");
    let verdict = of(&facts);
    assert_eq!(verdict.usable, Usable::None);
    assert!(verdict.advice[0].starts_with("Allow POST"));
}

#[test]
fn a_cut_counts_only_above_the_longest_silence_that_was_borne() {
    let mut facts = clear();
    facts.silences[0] = silence(5_000, Fate::Cut, 1_200);
    assert_eq!(idle_cut(&facts), None);
    assert_eq!(of(&facts).level, Level::Good);
    facts.silences[3] = silence(30_000, Fate::Dark, 30_000);
    assert_eq!(idle_cut(&facts), Some(30_000));
    for at in 1..4 {
        facts.silences[at] = silence(facts.silences[at].wanted_ms, Fate::Cut, 5_100);
    }
    facts.silences[0] = silence(5_000, Fate::Kept, 5_000);
    assert_eq!(idle_cut(&facts), Some(5_100));
    assert_eq!(of(&facts).level, Level::Limited);
}

#[test]
fn a_server_that_refuses_the_join_by_itself_is_not_the_fault_of_the_path() {
    let mut facts = clear();
    facts.path.authorization = Some("kept".into());
    facts.join = Outcome::bad("HTTP 401: The credential is missing or wrong");
    facts.join.refused = Some(401);
    let verdict = of(&facts);
    assert!(verdict.title.contains("access token") && verdict.reason.contains("HTTP 401"));
    assert!(verdict.advice.is_empty());
    // Unless the token got lost.
    facts.path.authorization = Some("missing".into());
    let verdict = of(&facts);
    assert!(!verdict.title.contains("access token"));
    assert!(verdict.advice[0].contains("Authorization"));
    facts.join = Outcome::bad("HTTP 409: The room is full");
    facts.join.refused = Some(409);
    let verdict = of(&facts);
    assert!(verdict.title.starts_with("The server refuses the join"));
    assert!(verdict.reason.contains("The room is full"));
}

#[test]
fn a_full_server_is_not_the_fault_of_the_path() {
    let mut facts = clear();
    facts.ticks = crate::check::facts::Ticks {
        busy: true,
        why: Some("HTTP 503".into()),
        ..Default::default()
    };
    assert_eq!(of(&facts).level, Level::Good, "the stream itself was had");
    facts.stream = Outcome::bad(BUSY);
    assert_eq!(of(&facts).usable, Usable::Poll);
    assert!(of(&facts).reason.contains(BUSY));
    facts.poll = Outcome::bad("HTTP 503: The server has as much to do as it may");
    let verdict = of(&facts);
    assert!(verdict.title.contains("full") && verdict.advice.is_empty());
}
