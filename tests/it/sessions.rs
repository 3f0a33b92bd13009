//! Sessions and their tombstones.

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_session_is_seen_by_both_parties_until_and_after_its_end() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .get("/sessions/s1")
        .await
        .expect_problem(404, "unknown-session");
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    let offered = |peer: &str| json!({"session": "s1", "peer": peer, "state": "offered"});
    assert_eq!(alice.get("/sessions/s1").await.json, offered("bob"));
    assert_eq!(
        bob.get("/sessions").await.json,
        json!({"sessions": [offered("alice")]})
    );
    bob.say(json!({"to": "alice", "type": "answer", "session": "s1"}))
        .await;
    assert_eq!(alice.get("/sessions/s1").await.json["state"], "answered");
    bob.say(json!({"to": "alice", "type": "bye", "session": "s1"}))
        .await;
    for (peer, other) in [(&alice, "bob"), (&bob, "alice")] {
        let view = peer.get("/sessions/s1").await.json;
        assert_eq!(
            (&view["state"], &view["reason"]),
            (&json!("ended"), &json!("hangup"))
        );
        assert_eq!(view["peer"], other);
        assert!(view["ended_ms_ago"].as_u64().is_some_and(|ms| ms < 20_000));
    }
    let late = alice
        .signal(json!({"to": "bob", "type": "candidate", "session": "s1"}))
        .await;
    late.expect_problem(410, "session-over");
    assert_eq!(late.json["reason"], "hangup");
}

#[tokio::test]
async fn a_session_id_in_use_with_a_third_peer_is_taken() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    for name in ["bob", "carol"] {
        server.join("demo", name).await;
    }
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    let taken = alice
        .signal(json!({"to": "carol", "type": "offer", "session": "s1"}))
        .await;
    taken.expect_problem(409, "session-taken");
}

#[tokio::test]
async fn a_peer_that_left_is_410_with_its_reason() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    bob.leave().await;
    let late = alice
        .signal(json!({"to": "bob", "type": "candidate", "session": "s1"}))
        .await;
    late.expect_problem(410, "peer-left");
    assert_eq!(late.json["reason"], "left");
    assert_eq!(alice.get("/sessions/s1").await.json["reason"], "left");
}

#[tokio::test]
async fn open_sessions_of_one_peer_are_bounded() {
    let server = TestServer::with(&["--max-sessions-per-peer", "1"]).await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1"}))
        .await;
    let refused = alice
        .signal(json!({"to": "bob", "type": "offer", "session": "s2"}))
        .await;
    refused.expect_problem(429, "rate-limited");
    assert_eq!(refused.json["limit"], "sessions");
    // Within an array as well, where other signals go on.
    let signals =
        json!([{"to": "bob", "type": "note"}, {"to": "bob", "type": "offer", "session": "s3"}]);
    let partly = alice.signal(signals).await;
    partly.expect_status(202);
    assert_eq!(partly.json["refused"]["problem"]["limit"], "sessions");
}
