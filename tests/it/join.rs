//! Joining: new, again, afresh, with a key; and discovery.

use serde_json::json;

use crate::harness::{Peer, TestServer};

#[tokio::test]
async fn a_join_answers_with_everything_a_peer_needs() {
    let server = TestServer::with(&["--ice-server", "stun:stun.example.org:3478"]).await;
    let bob = server
        .join_with("demo", json!({"peer": "bob", "meta": {"name": "Bob"}}))
        .await;
    let alice = server.join("demo", "alice").await;
    let joined = &alice.joined;
    assert_eq!(joined["room"], "demo");
    assert_eq!(joined["peer"], "alice");
    assert_eq!(joined["order"], 1);
    assert_eq!(bob.joined["order"], 0);
    let known = json!([{"peer": "bob", "meta": {"name": "Bob"}, "state": "queued", "order": 0}]);
    assert_eq!(joined["peers"], known);
    assert_eq!(
        joined["iceServers"],
        json!([{"urls": ["stun:stun.example.org:3478"]}])
    );
    assert_eq!(joined["ttl"], 3600);
    assert_eq!(joined["heartbeat_ms"], 15_000);
    assert_eq!(joined["grace_ms"], 30_000);
    let (epoch, seq) = alice.cursor.split_once('-').expect("EPOCH-SEQ");
    assert!(epoch.len() == 16 && epoch.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    assert_eq!(seq, "0");
}

#[tokio::test]
async fn a_join_without_a_body_gets_a_made_id() {
    let server = TestServer::start().await;
    let answer = server.post("/rooms/demo/peers", "").await;
    answer.expect_status(201);
    let peer = answer.json["peer"].as_str().expect("an id");
    assert_eq!(peer.len(), 36, "a UUID");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_peer_id_that_is_present_is_refused_without_its_token() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let again = server
        .post("/rooms/demo/peers", r#"{"peer":"alice"}"#)
        .await;
    again.expect_problem(409, "peer-exists");
    let other = server.join("demo", "bob").await;
    let body = json!({"peer": "alice", "token": other.token}).to_string();
    server
        .post("/rooms/demo/peers", &body)
        .await
        .expect_problem(403, "not-allowed");
    let body = json!({"peer": "alice", "token": format!("{}x", alice.token)}).to_string();
    server
        .post("/rooms/demo/peers", &body)
        .await
        .expect_problem(401, "bad-token");
}

#[tokio::test]
async fn its_token_finds_the_same_incarnation_again() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    for body in [
        json!({"peer": "alice", "token": alice.token}),
        json!({"token": alice.token}),
    ] {
        let again = server.post("/rooms/demo/peers", &body.to_string()).await;
        again.expect_status(200);
        let again = Peer::of(&server, &again.json);
        assert_eq!(
            (again.name.as_str(), &again.cursor),
            ("alice", &alice.cursor)
        );
        again.get("/sessions").await.expect_status(200);
    }
    let request = alice.request(reqwest::Method::POST, "");
    drop(request);
    let in_header = server
        .request(reqwest::Method::POST, "/rooms/demo/peers", |request| {
            request
                .bearer_auth(&alice.token)
                .body(r#"{"peer":"alice"}"#)
        })
        .await;
    in_header.expect_status(200);
}

#[tokio::test]
async fn fresh_begins_a_new_incarnation_and_ends_the_older_with_its_reason() {
    let server = TestServer::start().await;
    let old = server.join("demo", "alice").await;
    let bob = server.join("demo", "bob").await;
    let mut old_stream = old.events().await;
    let mut bobs = bob.events().await;
    bobs.expect("ready").await;
    let body = json!({"peer": "alice", "token": old.token, "fresh": true}).to_string();
    let answer = server.post("/rooms/demo/peers", &body).await;
    answer.expect_status(201);
    let new = Peer::of(&server, &answer.json);
    assert_ne!(new.cursor, old.cursor);
    assert_eq!(
        bobs.expect("peer-left").await.data,
        json!({"peer": "alice", "reason": "rejoined"})
    );
    assert_eq!(bobs.expect("peer-joined").await.data["peer"], "alice");
    let end = old_stream.skip_to("end").await;
    assert_eq!(end.data, json!({"reason": "rejoined", "retry": "never"}));
    assert!(old_stream.any().await.is_none(), "nothing follows an end");
    let late = old.signal(json!({"to": "bob", "type": "hello"})).await;
    late.expect_problem(410, "ended");
    assert_eq!(late.json["reason"], "rejoined");
    // A late beacon of the older incarnation does not touch the newer one.
    let beacon = server
        .post("/rooms/demo/peers/alice/leave", &old.token)
        .await;
    beacon.expect_status(204);
    new.get("/sessions").await.expect_status(200);
}

#[tokio::test]
async fn a_token_whose_incarnation_has_ended_joins_anew() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    alice.leave().await;
    let body = json!({"peer": "alice", "token": alice.token, "fresh": true}).to_string();
    server
        .post("/rooms/demo/peers", &body)
        .await
        .expect_status(201);
}

#[tokio::test]
async fn a_repeated_key_answers_the_lost_join_again() {
    let server = TestServer::start().await;
    for body in [r#"{"peer":"alice","key":"k1"}"#, r#"{"key":"k2"}"#] {
        let first = server.post("/rooms/demo/peers", body).await;
        first.expect_status(201);
        let second = server.post("/rooms/demo/peers", body).await;
        second.expect_status(200);
        assert_eq!(second.json["peer"], first.json["peer"]);
        assert_eq!(second.json["cursor"], first.json["cursor"]);
    }
    assert_eq!(
        server.get("/rooms/demo/peers").await.json["peers"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn a_room_holds_so_many_and_no_more() {
    let server = TestServer::with(&["--max-peers-per-room", "2"]).await;
    server.join("demo", "a").await;
    let b = server.join("demo", "b").await;
    let full = server.post("/rooms/demo/peers", r#"{"peer":"c"}"#).await;
    full.expect_problem(409, "room-full");
    b.leave().await;
    server.join("demo", "c").await;
}

#[tokio::test]
async fn a_server_holds_so_many_rooms_and_no_more() {
    let server = TestServer::with(&["--max-rooms", "1"]).await;
    let a = server.join("one", "a").await;
    let full = server.post("/rooms/two/peers", r#"{"peer":"a"}"#).await;
    full.expect_problem(503, "overloaded");
    a.leave().await;
    server.join("two", "a").await;
}

#[tokio::test]
async fn a_server_holds_so_many_peers_in_all_its_rooms_and_no_more() {
    let server = TestServer::with(&["--max-peers", "2"]).await;
    let (a, b) = (server.join("one", "a").await, server.join("two", "b").await);
    let full = server.post("/rooms/three/peers", r#"{"peer":"c"}"#).await;
    full.expect_problem(503, "overloaded");
    // Who is there may join again.
    let again = json!({"peer": "b", "token": b.token}).to_string();
    server
        .post("/rooms/two/peers", &again)
        .await
        .expect_status(200);
    a.leave().await;
    server.join("three", "c").await;
}

#[tokio::test]
async fn discovery_lists_who_is_there_and_a_room_that_is_not_is_empty() {
    let server = TestServer::start().await;
    assert_eq!(
        server.get("/rooms/nowhere/peers").await.json,
        json!({"peers": []})
    );
    let alice = server.join("demo", "alice").await;
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    server.join("demo", "bob").await;
    let list = server.get("/rooms/demo/peers").await;
    let peers = list.json["peers"].as_array().expect("a list");
    let seen: Vec<_> = peers
        .iter()
        .map(|p| (p["peer"].clone(), p["state"].clone()))
        .collect();
    assert_eq!(
        seen,
        [
            (json!("alice"), json!("live")),
            (json!("bob"), json!("queued"))
        ]
    );
    assert!(
        peers
            .iter()
            .all(|peer| peer["joined_ms_ago"].as_u64().is_some_and(|ms| ms < 20_000))
    );
}

#[tokio::test]
async fn meta_is_replaced_by_its_peer_and_told_to_the_others() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let patched = alice
        .request(reqwest::Method::PATCH, "")
        .body(r#"{"n": 1.50}"#);
    assert_eq!(patched.send().await.expect("an answer").status(), 204);
    let event = stream.expect("peer-updated").await;
    assert_eq!(event.raw, r#"{"peer":"alice","meta":{"n":1.50},"order":0}"#);
    alice
        .post("/meta", r#"["any", "JSON"]"#)
        .await
        .expect_status(204);
    assert_eq!(
        stream.expect("peer-updated").await.data["meta"],
        json!(["any", "JSON"])
    );
    let large = format!("\"{}\"", "x".repeat(5000));
    alice
        .post("/meta", large)
        .await
        .expect_problem(413, "too-large");
    alice
        .post("/meta", "{")
        .await
        .expect_problem(400, "bad-json");
    let list = server.get("/rooms/demo/peers").await;
    assert_eq!(
        list.json["peers"][0]["meta"],
        json!(["any", "JSON"]),
        "refusals change nothing"
    );
}
