//! Away, back, left: leases counted from the loss.

use serde_json::json;

use crate::harness::{Answer, TestServer};

const QUICK: &[&str] = &[
    "--away-after",
    "150ms",
    "--grace",
    "700ms",
    "--join-grace",
    "5s",
];

#[tokio::test]
async fn a_lost_reader_is_away_and_then_left_with_timeout_for_good() {
    let server = TestServer::with(QUICK).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    let mut bobs = bob.events().await;
    bobs.expect("ready").await;
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    drop(bobs);
    assert_eq!(
        alices.expect("peer-away").await.data,
        json!({"peer": "bob", "grace_ms": 700})
    );
    let told = alice
        .say(json!({"to": "bob", "type": "candidate", "session": "s1"}))
        .await;
    assert_eq!(told["results"][0]["to"][0]["state"], "away");
    let ended = alices.expect("session-ended").await.data;
    assert_eq!(
        ended,
        json!({"session": "s1", "peer": "bob", "reason": "timeout"})
    );
    let left = alices.expect("peer-left").await.data;
    assert_eq!(left, json!({"peer": "bob", "reason": "timeout"}));
    let late = bob.get("/sessions").await;
    late.expect_problem(410, "ended");
    assert_eq!(late.json["reason"], "timeout");
    bob.leave().await;
}

#[tokio::test]
async fn a_peer_that_comes_back_within_the_grace_has_lost_nothing() {
    let server = TestServer::with(&["--away-after", "100ms", "--grace", "20s"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    let mut bobs = bob.events().await;
    let cursor = bobs.expect("ready").await.id.expect("an id");
    drop(bobs);
    alices.expect("peer-away").await;
    alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    let mut bobs = bob.events_after(&cursor).await;
    bobs.expect("ready").await;
    assert_eq!(bobs.expect("signal").await.data["data"], 1);
    assert_eq!(
        alices.expect("peer-back").await.data,
        json!({"peer": "bob"})
    );
}

#[tokio::test]
async fn requests_without_a_reader_keep_a_peer_and_bring_it_back() {
    let server = TestServer::with(&["--away-after", "200ms", "--grace", "20s"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    drop(bob.events().await);
    alices.expect("peer-away").await;
    bob.say(json!({"to": "alice", "type": "n"})).await;
    alices.expect("peer-back").await;
    alices.expect("signal").await;
    alices.expect("peer-away").await;
    // One that cannot be understood is a sign of life all the same.
    bob.post("/signals", "{")
        .await
        .expect_problem(400, "bad-json");
    alices.expect("peer-back").await;
}

#[tokio::test]
async fn a_peer_that_never_read_has_the_join_grace() {
    let server = TestServer::with(&[
        "--away-after",
        "50ms",
        "--grace",
        "100ms",
        "--join-grace",
        "1500ms",
    ])
    .await;
    let started = std::time::Instant::now();
    let alice = server.join("demo", "alice").await;
    server.join("demo", "bob").await;
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    // Not away before: it has not been here in the first place.
    assert_eq!(
        alices.next().await.data,
        json!({"peer": "bob", "reason": "timeout"})
    );
    assert!(started.elapsed() >= std::time::Duration::from_millis(1500));
}

#[tokio::test]
async fn proof_of_life_is_taken_from_those_who_are_here() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    alice.post("/alive", "").await.expect_status(204);
    let anonymous = crate::harness::client()
        .post(alice.url("/alive"))
        .send()
        .await
        .expect("one");
    Answer::of(anonymous).await.expect_problem(401, "bad-token");
    alice.leave().await;
    alice.post("/alive", "").await.expect_problem(410, "ended");
}

#[tokio::test]
async fn a_beacon_leaves_with_the_token_in_a_plain_text_body() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut bobs = bob.events().await;
    bobs.expect("ready").await;
    let beacon = |token: String| {
        crate::harness::client()
            .post(alice.url("/leave"))
            .header("content-type", "text/plain;charset=UTF-8")
            .body(token)
            .send()
    };
    let wrong = Answer::of(beacon(bob.token.clone()).await.expect("one")).await;
    wrong.expect_problem(403, "not-allowed");
    let forged = Answer::of(beacon("nonsense".into()).await.expect("one")).await;
    forged.expect_problem(401, "bad-token");
    for _ in 0..2 {
        assert_eq!(
            beacon(alice.token.clone()).await.expect("one").status(),
            204
        );
    }
    let left = bobs.expect("peer-left").await;
    assert_eq!(left.data, json!({"peer": "alice", "reason": "left"}));
    // With its reader held, carol is told the detail of her own leaving.
    let carol = server.join("demo", "carol").await;
    let mut carols = carol.events().await;
    carols.expect("ready").await;
    carol
        .post("/leave?detail=tired", &carol.token)
        .await
        .expect_status(204);
    assert_eq!(carols.skip_to("end").await.data["detail"], "tired");
}

#[tokio::test]
async fn a_page_that_says_it_is_about_to_close_has_left_once_its_reader_is_gone() {
    let server = TestServer::with(&["--away-after", "300ms"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut bobs = bob.events().await;
    bobs.expect("ready").await;
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alice
        .post("/leave?if=closed", &alice.token)
        .await
        .expect_status(204);
    drop(alices);
    let left = bobs.skip_to("peer-left").await;
    assert_eq!(left.data, json!({"peer": "alice", "reason": "left"}));
    for odd in ["if=perhaps", "if=closed&detail=tired"] {
        bob.post(&format!("/leave?{odd}"), &bob.token)
            .await
            .expect_problem(422, "bad-request");
    }
}

#[tokio::test]
async fn a_beacon_is_heard_though_its_connection_closes_at_once() {
    use tokio::io::AsyncWriteExt as _;
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut bobs = bob.events().await;
    bobs.expect("ready").await;
    let address = server.base.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let request = format!(
        "POST /rooms/demo/peers/alice/leave HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}",
        alice.token.len(),
        alice.token
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    drop(socket);
    assert_eq!(bobs.expect("peer-left").await.data["reason"], "left");
}
