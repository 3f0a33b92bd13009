//! Signals: what arrives, what the sender is told, and what is refused.

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_call_is_played_from_offer_to_bye() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let alice = server.join("demo", "alice").await;
    let (mut alices, mut bobs) = (alice.events().await, bob.events().await);
    alices.expect("ready").await;
    bobs.expect("ready").await;
    bobs.expect("peer-joined").await;
    let offer = json!({"to": "bob", "type": "offer", "session": "s1", "data": {"sdp": "v=0"}});
    let answer = alice.signal(offer).await;
    answer.expect_status(202);
    let told = json!({"results": [{"session": "s1", "to": [{"peer": "bob", "state": "live"}]}]});
    assert_eq!(answer.json, told);
    let event = bobs.expect("signal").await;
    let sent = json!({"from": "alice", "type": "offer", "session": "s1", "data": {"sdp": "v=0"}});
    assert_eq!(event.data, sent);
    bob.say(json!({"to": "alice", "type": "answer", "session": "s1", "data": 1}))
        .await;
    let candidates = json!([
        {"to": "alice", "type": "candidate", "session": "s1", "data": "a", "id": "c1"},
        {"to": "alice", "type": "candidate", "session": "s1", "data": "b", "id": "c2"},
    ]);
    assert_eq!(
        bob.say(candidates).await["results"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(alices.expect("signal").await.data["type"], "answer");
    for (data, id) in [("a", "c1"), ("b", "c2")] {
        let event = alices.expect("signal").await;
        assert_eq!(
            (&event.data["data"], &event.data["id"]),
            (&json!(data), &json!(id))
        );
    }
    alice
        .say(json!({"to": "bob", "type": "bye", "session": "s1", "data": {"why": "done"}}))
        .await;
    let ended = bobs.expect("session-ended").await;
    let told =
        json!({"session": "s1", "peer": "alice", "reason": "hangup", "data": {"why": "done"}});
    assert_eq!(ended.data, told);
    alice.leave().await;
    let left = bobs.expect("peer-left").await;
    assert_eq!(left.data, json!({"peer": "alice", "reason": "left"}));
}

#[tokio::test]
async fn an_offer_without_a_session_is_told_the_one_that_was_made() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let told = alice
        .say(json!({"to": "bob", "type": "offer", "data": 1}))
        .await;
    let session = &told["results"][0]["session"];
    let events = bob.poll("wait=5").await;
    let signal = events["events"]
        .as_array()
        .expect("events")
        .last()
        .expect("one")
        .clone();
    assert_eq!(&signal["data"]["session"], session);
    assert!(session.as_str().is_some_and(|id| id.len() > 8));
}

#[tokio::test]
async fn the_sender_is_told_whether_the_peer_is_live_or_its_signal_queued() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let hello = json!({"to": "bob", "type": "hello", "data": 1});
    let state = |told: serde_json::Value| told["results"][0]["to"][0]["state"].clone();
    assert_eq!(state(alice.say(hello.clone()).await), "queued");
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    stream.expect("signal").await;
    assert_eq!(state(alice.say(hello).await), "live");
}

#[tokio::test]
async fn a_broadcast_reaches_every_other_peer_and_not_its_sender() {
    let server = TestServer::start().await;
    let mut peers = Vec::new();
    for name in ["a", "b", "c"] {
        peers.push(server.join("demo", name).await);
    }
    let told = peers[0].say(json!({"type": "hello", "data": "all"})).await;
    let to: Vec<_> = told["results"][0]["to"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|to| &to["peer"])
        .collect();
    assert_eq!(to, [&json!("b"), &json!("c")]);
    for peer in &peers[1..] {
        let told = peer.poll("wait=5").await;
        let events = told["events"].as_array().expect("events").clone();
        assert!(
            events
                .iter()
                .any(|e| e["event"] == "signal" && e["data"]["data"] == "all")
        );
    }
    let own = peers[0].poll("wait=0").await;
    let own = own["events"].as_array().expect("events").clone();
    assert!(own.iter().all(|event| event["event"] == "peer-joined"));
}

#[tokio::test]
async fn signals_stay_in_their_room() {
    let server = TestServer::start().await;
    let alice = server.join("one", "alice").await;
    server.join("two", "bob").await;
    let refused = alice.signal(json!({"to": "bob", "type": "hello"})).await;
    refused.expect_problem(404, "unknown-peer");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for (body, status, slug) in [
        (r#"{"to":"bob","type":"offer""#, 400, "bad-json"),
        ("", 400, "bad-json"),
        ("hello", 400, "bad-json"),
        (r#"{"to":"bob"}"#, 422, "bad-signal"),
        (r#"{"to":"bob","type":7}"#, 422, "bad-signal"),
        (r#"{"to":"bob","type":"Offer"}"#, 422, "bad-signal"),
        (r#"{"to":"bob","type":"a b"}"#, 422, "bad-signal"),
        (r#"{"type":"offer"}"#, 422, "bad-signal"),
        (r#"{"type":"answer"}"#, 422, "bad-signal"),
        (r#"{"type":"bye"}"#, 422, "bad-signal"),
        (
            r#"{"to":"bob","type":"offer","from":"carol"}"#,
            422,
            "bad-signal",
        ),
        (
            r#"{"to":"bob","type":"offer","from":null}"#,
            422,
            "bad-signal",
        ),
        (r#"{"to":"alice","type":"offer"}"#, 422, "bad-signal"),
        (
            r#"{"to":"bob","type":"hello","type":"hello"}"#,
            422,
            "bad-signal",
        ),
        (r#"{"to":"b/b","type":"offer"}"#, 422, "bad-id"),
        (r#"{"to":"..","type":"offer"}"#, 422, "bad-id"),
        (
            r#"{"to":"bob","type":"offer","session":"a b"}"#,
            422,
            "bad-id",
        ),
        (r#"{"to":"bob","type":"hello","id":""}"#, 422, "bad-id"),
        (r#"{"to":"nobody","type":"hello"}"#, 404, "unknown-peer"),
        (
            r#"{"to":"bob","type":"bye","session":"s"}"#,
            404,
            "unknown-session",
        ),
        (r#"{"to":"bob","type":"bye"}"#, 404, "unknown-session"),
        ("[]", 422, "bad-signal"),
        ("7", 422, "bad-signal"),
        ("[7]", 422, "bad-signal"),
    ] {
        alice
            .post("/signals", body)
            .await
            .expect_problem(status, slug);
    }
    let many = format!("[{}]", vec![r#"{"type":"hello"}"#; 101].join(","));
    alice
        .post("/signals", many)
        .await
        .expect_problem(413, "too-large");
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    let told = bob.poll("wait=5").await;
    let events = told["events"].as_array().expect("events").clone();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["data"]["type"], "marker");
}

#[tokio::test]
async fn an_array_says_which_was_refused_and_why() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for bad in [
        json!({"to": "x y", "type": "hello"}),
        json!({"to": "nobody", "type": "hello"}),
    ] {
        let answer = alice
            .signal(json!([
                {"to": "bob", "type": "hello", "id": crate::harness::unique("m")},
                bad,
                {"to": "bob", "type": "never"},
            ]))
            .await;
        answer.expect_status(202);
        assert_eq!(answer.json["results"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer.json["refused"]["index"], 1);
        assert!(
            answer.json["refused"]["problem"]["status"]
                .as_u64()
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_full_mailbox_refuses_the_sender_and_says_when_to_come_again() {
    let server = TestServer::with(&["--mailbox-events", "4"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let hello = json!({"to": "bob", "type": "hello", "data": 1});
    alice.say(json!([hello, hello])).await;
    alice
        .signal(hello.clone())
        .await
        .expect_problem(429, "mailbox-full");
    let told = bob.poll("wait=5").await;
    assert_eq!(told["events"].as_array().map(Vec::len), Some(2));
    alice.say(hello).await;
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_any_content_type_is_taken() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json",
        "x/y",
    ] {
        let request = alice
            .request(reqwest::Method::POST, "/signals")
            .header("content-type", kind)
            .body(r#"{"to":"bob","type":"hello","colour":"red","ttl":{"a":[]}}"#);
        assert_eq!(
            request.send().await.expect("an answer").status(),
            202,
            "{kind}"
        );
    }
}
