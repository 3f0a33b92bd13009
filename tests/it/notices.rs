//! The termination channel: ends only, with an acknowledgement of its own.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestServer, until};

#[tokio::test]
async fn notices_tell_ends_and_nothing_else() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut notices = bob.stream("/notices", None).await;
    assert_eq!(
        notices.expect("ready").await.data["peers"][0]["peer"],
        "alice"
    );
    assert_eq!(notices.expect("wake").await.data, json!({"pending": 0}));
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    let wake = notices.expect("wake").await;
    assert_eq!((wake.id, wake.data), (None, json!({"pending": 1})));
    alice
        .say(json!({"to": "bob", "type": "candidate", "session": "s1"}))
        .await;
    alice.post("/meta", "{}").await.expect_status(204);
    alice
        .say(json!({"to": "bob", "type": "bye", "session": "s1", "data": 1}))
        .await;
    let ended = notices.expect("session-ended").await;
    assert_eq!(ended.data["reason"], "hangup");
    assert_eq!(
        ended.id,
        Some(bob.cursor.replace("-0", "-4")),
        "the same ids as at /events"
    );
    alice.leave().await;
    notices.expect("peer-left").await;
    bob.leave().await;
    let end = notices.expect("end").await;
    assert_eq!(end.data, json!({"reason": "left", "retry": "never"}));
    assert!(notices.any().await.is_none());
}

#[tokio::test]
async fn who_holds_only_the_notices_is_present_and_its_signals_wait() {
    let server = TestServer::with(&["--away-after", "100ms", "--grace", "300ms"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut events = bob.events().await;
    events.expect("ready").await;
    let mut notices = bob.stream("/notices", None).await;
    notices.expect("ready").await;
    notices.expect("wake").await;
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    drop(events);
    until(async || server.open_readers() == 2).await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let told = alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    assert_eq!(told["results"][0]["to"][0]["state"], "queued");
    assert_eq!(notices.expect("wake").await.data, json!({"pending": 1}));
    let mut events = bob.events().await;
    events.expect("ready").await;
    events.expect("signal").await;
    alice.post("/meta", "1").await.expect_status(204);
    events.expect("peer-updated").await;
    // Nothing was said to alice of an absence.
    bob.say(json!({"to": "alice", "type": "marker"})).await;
    assert_eq!(alices.next().await.name, "signal");
}

#[tokio::test]
async fn notices_resume_at_a_cursor_of_their_own() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for session in ["s1", "s2"] {
        alice
            .say(json!({"to": "bob", "type": "offer", "session": session}))
            .await;
        alice
            .say(json!({"to": "bob", "type": "bye", "session": session}))
            .await;
    }
    // Read and acknowledged at the other door.
    let all = bob.poll("wait=0").await;
    let cursor = all["cursor"].as_str().expect("a cursor").to_owned();
    bob.poll(&format!("wait=0&cursor={cursor}")).await;
    let mut notices = bob.stream("/notices", Some(&bob.cursor)).await;
    assert_eq!(notices.expect("ready").await.data["replayed"], 2);
    for session in ["s1", "s2"] {
        assert_eq!(
            notices.expect("session-ended").await.data["session"],
            session
        );
    }
    notices.expect("wake").await;
}

#[tokio::test]
async fn notices_may_be_narrowed_to_one_session() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut narrow = bob.stream("/notices?session=s2", None).await;
    narrow.expect("ready").await;
    narrow.expect("wake").await;
    for session in ["s1", "s2"] {
        alice
            .say(json!({"to": "bob", "type": "offer", "session": session}))
            .await;
    }
    narrow.expect("wake").await;
    alice.leave().await;
    let ended = narrow.expect("session-ended").await;
    assert_eq!(
        ended.data,
        json!({"session": "s2", "peer": "alice", "reason": "left"})
    );
    bob.leave().await;
    narrow.expect("end").await;
}

#[tokio::test]
async fn notices_can_be_polled_and_read_as_ndjson() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let one = bob.clone();
    let cursor = bob.cursor.clone();
    let held =
        tokio::spawn(async move { one.get(&format!("/notices?wait=20&cursor={cursor}")).await });
    until(async || server.open_readers() == 1).await;
    alice.leave().await;
    let told = held.await.expect("an answer").json;
    assert_eq!(told["events"][0]["event"], "peer-left");
    let request = bob
        .request(Method::GET, "/notices")
        .header("accept", "application/x-ndjson");
    let response = request.send().await.expect("an answer");
    let reading = tokio::spawn(async move { Answer::of(response).await });
    bob.leave().await;
    let text = reading.await.expect("a body").text;
    let names: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].clone())
        .collect();
    assert_eq!(
        names,
        [
            json!("ready"),
            json!("peer-left"),
            json!("wake"),
            json!("end")
        ]
    );
}

#[tokio::test]
async fn a_polled_wake_is_told_once_and_does_not_hurry_the_next_poll() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice.say(json!({"to": "bob", "type": "n"})).await;
    let first = bob.get("/notices?wait=5").await.json;
    assert_eq!(
        first["events"][0],
        json!({"event": "wake", "data": {"pending": 1}})
    );
    let second = bob.get("/notices?wait=0.2").await.json;
    assert_eq!(second["events"], json!([]));
}
