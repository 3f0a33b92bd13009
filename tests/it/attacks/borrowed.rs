//! A peer's token used for another peer, another room, or another incarnation.

use reqwest::Method;
use serde_json::json;

use super::{DOORS, waiting};
use crate::harness::{Answer, Peer, TestServer, client};

/// Knocks at a door of `named` with the token of `bearer`.
async fn knock(named: &Peer, (verb, tail, body): (&str, &str, &str), bearer: &str) -> Answer {
    let method = Method::from_bytes(verb.as_bytes()).expect("a method");
    let request = client()
        .request(method, named.url(tail))
        .bearer_auth(bearer)
        .header("accept", "application/x-ndjson")
        .body(body.to_owned());
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_token_opens_no_door_of_another_peer_or_room() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let elsewhere = server.join("other", "alice").await;
    for borrowed in [&bob.token, &elsewhere.token] {
        for door in DOORS.iter().chain(&[("DELETE", "", "")]) {
            knock(&alice, *door, borrowed)
                .await
                .expect_problem(403, "not-allowed");
        }
        let leave = client().post(alice.url("/leave")).body(borrowed.clone());
        let leave = Answer::of(leave.send().await.expect("an answer")).await;
        leave.expect_problem(403, "not-allowed");
        let join = json!({"peer": "alice", "token": borrowed, "fresh": true});
        let join = server.post("/rooms/demo/peers", &join.to_string()).await;
        join.expect_problem(403, "not-allowed");
        let with = |request: reqwest::RequestBuilder| {
            request
                .bearer_auth(borrowed)
                .body(r#"{"peer":"alice","fresh":true}"#)
        };
        let join = server
            .request(Method::POST, "/rooms/demo/peers", with)
            .await;
        join.expect_problem(409, "peer-exists");
    }
    for key in ["", "guess", "demo alice"] {
        let join = json!({"peer": "alice", "key": key}).to_string();
        let join = server.post("/rooms/demo/peers", &join).await;
        assert!([409, 422].contains(&join.status), "{join:?}");
    }
    // She is there as before, and the same.
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    let told = bob.poll("wait=0").await;
    let names: Vec<_> = told["events"].as_array().expect("events").iter().collect();
    let names: Vec<_> = names.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["signal"], "{told}");
}

#[tokio::test]
async fn a_token_of_an_older_incarnation_touches_nothing_of_the_newer_one() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let older = server.join("demo", "alice").await;
    older
        .say(json!({"to": "bob", "type": "x", "data": "older"}))
        .await;
    let fresh = json!({"peer": "alice", "token": older.token, "fresh": true});
    let newer = server.join_with("demo", fresh).await;
    bob.say(json!({"to": "alice", "type": "offer", "session": "s1", "data": "for the newer"}))
        .await;
    for door in DOORS {
        let refused = knock(&newer, *door, &older.token).await;
        refused.expect_problem(410, "ended");
        assert_eq!(refused.json["reason"], "rejoined", "{door:?}");
    }
    // To leave is done already, whoever asks again: the newer one stays.
    knock(&newer, ("DELETE", "", ""), &older.token)
        .await
        .expect_status(204);
    older.post("/leave", &older.token).await.expect_status(204);
    let ticket = client().get(newer.url(&format!("/events?ticket={}", older.ticket)));
    assert_eq!(ticket.send().await.expect("an answer").status(), 204);
    let join = json!({"peer": "alice", "token": older.token, "fresh": true}).to_string();
    server
        .post("/rooms/demo/peers", &join)
        .await
        .expect_problem(409, "peer-exists");
    let told = waiting(&newer).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"], "for the newer");
    newer
        .say(json!({"to": "bob", "type": "x", "data": "newer"}))
        .await;
    let polled = bob.poll("wait=0").await;
    let names: Vec<_> = polled["events"]
        .as_array()
        .expect("events")
        .iter()
        .collect();
    let names: Vec<_> = names.iter().map(|event| &event["event"]).collect();
    // The older one's membership ended once, by the fresh join.
    assert_eq!(
        names,
        [
            "peer-joined",
            "signal",
            "peer-left",
            "peer-joined",
            "signal"
        ],
        "{polled}"
    );
}
