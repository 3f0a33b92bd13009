//! The long-poll: complete answers, repeatable, superseded, never losing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Answer, PATIENCE, TestServer, until};

#[tokio::test]
async fn a_poll_is_one_complete_answer_that_may_be_repeated() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    let query = format!("/poll?cursor={}", bob.cursor);
    let first = bob.get(&query).await;
    assert!(!first.header("content-length").is_empty());
    assert!(first.header("cache-control").starts_with("no-store"));
    let after = bob.cursor.replace("-0", "-1");
    let event =
        json!({"id": after, "event": "signal", "data": {"from": "alice", "type": "n", "data": 1}});
    let told = json!({"events": [event], "cursor": after, "more": false, "retry_ms": 0});
    assert_eq!(first.json, told);
    assert_eq!(
        bob.get(&query).await.json,
        told,
        "the same cursor, the same events"
    );
    let next = bob.poll(&format!("cursor={after}&wait=0")).await;
    assert_eq!(next["events"], json!([]));
    assert_eq!(next["cursor"], after);
}

#[tokio::test]
async fn a_poll_without_a_cursor_also_tells_who_is_there() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let told = alice.poll("wait=5").await;
    assert_eq!(told["peers"][0]["peer"], "bob");
    assert_eq!(told["sessions"], json!([]));
    assert_eq!(told["events"][0]["event"], "peer-joined");
    assert!(told.get("gap").is_none());
}

#[tokio::test]
async fn a_held_poll_is_answered_by_the_event_it_waits_for() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let cursor = bob.cursor.clone();
    let held = tokio::spawn(async move { bob.poll(&format!("cursor={cursor}")).await });
    until(async || server.open_readers() == 1).await;
    let told = alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    assert_eq!(told["results"][0]["to"][0]["state"], "live");
    let answer = tokio::time::timeout(PATIENCE, held)
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(answer["events"][0]["data"]["data"], 1);
}

#[tokio::test]
async fn a_poll_that_waits_in_vain_is_empty_and_keeps_its_cursor() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let started = Instant::now();
    let told = bob.poll(&format!("cursor={}&wait=0.3", bob.cursor)).await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(told["events"], json!([]));
    assert_eq!(told["cursor"], bob.cursor);
}

#[tokio::test]
async fn max_bounds_an_answer_and_more_says_that_there_is_more() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let many: Vec<_> = (0..5)
        .map(|n| json!({"to": "bob", "type": "n", "data": n}))
        .collect();
    alice.say(json!(many)).await;
    let (mut cursor, mut seen) = (bob.cursor.clone(), Vec::new());
    loop {
        let told = bob.poll(&format!("cursor={cursor}&max=2")).await;
        let events = told["events"].as_array().expect("events").clone();
        assert!(events.len() <= 2);
        seen.extend(events.iter().map(|event| event["data"]["data"].clone()));
        cursor = told["cursor"].as_str().expect("a cursor").to_owned();
        if told["more"] == false {
            break;
        }
    }
    assert_eq!(seen, (0..5).map(|n| json!(n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_newer_poll_ends_the_older_at_once() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let (one, query) = (bob.clone(), format!("cursor={}", bob.cursor));
    let older_query = query.clone();
    let older = tokio::spawn(async move { one.poll(&older_query).await });
    until(async || server.open_readers() == 1).await;
    let two = bob.clone();
    let newer = tokio::spawn(async move { two.poll(&query).await });
    let told = tokio::time::timeout(PATIENCE, older)
        .await
        .expect("at once")
        .expect("an answer");
    assert_eq!(told["superseded"], true);
    assert_eq!(told["events"], json!([]));
    assert_eq!(told["cursor"], bob.cursor);
    alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    let told = tokio::time::timeout(PATIENCE, newer)
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(told["events"].as_array().map(Vec::len), Some(1));
    assert!(told.get("superseded").is_none());
}

#[tokio::test]
async fn an_aborted_poll_loses_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let query = format!("cursor={}", bob.cursor);
    let (one, held) = (bob.clone(), query.clone());
    let aborted = tokio::spawn(async move { one.poll(&held).await });
    until(async || server.open_readers() == 1).await;
    aborted.abort();
    until(async || server.open_readers() == 0).await;
    alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    let told = bob.poll(&query).await;
    assert_eq!(told["events"][0]["data"]["data"], 1);
}

#[tokio::test]
async fn a_gap_is_told_at_once_and_a_broken_cursor_is_refused() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let told = bob.poll("cursor=00000000000000ff-3&wait=25").await;
    assert_eq!(told["gap"], json!({"reason": "reset"}));
    assert_eq!(told["peers"], json!([]));
    assert_eq!(told["cursor"], bob.cursor);
    bob.get("/poll?cursor=nonsense")
        .await
        .expect_problem(400, "bad-cursor");
}

#[tokio::test]
async fn a_poll_takes_over_from_a_stream_and_the_other_way_round() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    bob.poll("wait=0").await;
    assert_eq!(stream.expect("end").await.data["reason"], "replaced");
    // The reader that is counted next is the poll.
    until(async || server.open_readers() == 0).await;
    let one = bob.clone();
    let poll = tokio::spawn(async move { one.poll(&format!("cursor={}", one.cursor)).await });
    until(async || server.open_readers() == 1).await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let told = tokio::time::timeout(PATIENCE, poll)
        .await
        .expect("at once")
        .expect("an answer");
    assert_eq!(told["superseded"], true);
}

#[tokio::test]
async fn a_held_poll_hears_the_end_and_later_ones_the_same_reason() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let one = bob.clone();
    let held = tokio::spawn(async move { one.poll(&format!("cursor={}", one.cursor)).await });
    until(async || server.open_readers() == 1).await;
    bob.leave().await;
    let told = tokio::time::timeout(PATIENCE, held)
        .await
        .expect("at once")
        .expect("an answer");
    let end = json!({"event": "end", "data": {"reason": "left", "retry": "never"}});
    assert_eq!(told["events"], json!([end]));
    for _ in 0..2 {
        let late = bob.get("/poll").await;
        late.expect_problem(410, "ended");
        assert_eq!(late.json["reason"], "left");
    }
}

#[tokio::test]
async fn what_a_poll_asks_for_must_make_sense() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    for query in [
        "wait=26", "wait=-1", "wait=x", "wait=NaN", "max=0", "max=1001", "max=x",
    ] {
        bob.get(&format!("/poll?{query}"))
            .await
            .expect_problem(422, "bad-request");
    }
}

#[tokio::test]
async fn a_first_poll_tells_who_and_what_is_there_when_it_is_answered() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let one = bob.clone();
    let held = tokio::spawn(async move { one.poll("wait=20").await });
    until(async || server.open_readers() == 1).await;
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    let told = tokio::time::timeout(PATIENCE, held)
        .await
        .expect("in time")
        .expect("an answer");
    assert_eq!(told["events"][0]["data"]["session"], "s1");
    assert_eq!(told["sessions"][0]["session"], "s1");
}

#[tokio::test]
async fn a_poll_by_post_has_its_cursor_in_the_body_and_acknowledges_by_it() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for n in 0..3 {
        alice
            .say(json!({"to": "bob", "type": "n", "data": n}))
            .await;
    }
    let first = bob
        .post("/poll", json!({"cursor": bob.cursor, "max": 2}))
        .await;
    first.expect_status(200);
    assert!(!first.header("content-length").is_empty());
    assert_eq!(first.json["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(first.json["more"], true);
    assert!(
        first.json.get("peers").is_none(),
        "the cursor was understood"
    );
    let cursor = first.json["cursor"].clone();
    let by_header = bob
        .request(reqwest::Method::POST, "/poll")
        .header("last-event-id", &bob.cursor)
        .body(json!({"cursor": cursor, "wait": 0}).to_string());
    let rest = Answer::of(by_header.send().await.expect("an answer")).await;
    assert_eq!(
        rest.json["events"][0]["data"]["data"], 2,
        "the body comes before the header"
    );
    let unread = bob.poll("wait=0").await;
    assert_eq!(
        unread["events"].as_array().map(Vec::len),
        Some(1),
        "what stood before the cursor is acknowledged"
    );
    let started = Instant::now();
    let held = bob
        .post("/poll", json!({"cursor": rest.json["cursor"], "wait": 0.3}))
        .await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(held.json["events"], json!([]));
}

#[tokio::test]
async fn a_poll_by_post_that_makes_no_sense_is_refused_as_a_get_is() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    for body in [
        json!({"wait": 26}),
        json!({"wait": -1}),
        json!({"wait": "1"}),
        json!({"max": 0}),
        json!({"max": 1001}),
        json!([]),
    ] {
        bob.post("/poll", &body)
            .await
            .expect_problem(422, "bad-request");
    }
    bob.post("/poll", json!({"cursor": "nonsense"}))
        .await
        .expect_problem(400, "bad-cursor");
    bob.post("/poll", "{").await.expect_problem(400, "bad-json");
    bob.leave().await;
    let late = bob.post("/poll", "{").await;
    late.expect_problem(410, "ended");
}
