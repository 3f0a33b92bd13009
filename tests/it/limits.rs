//! Bounds of one address and of one peer: what is over them is refused, with when to come again, and nothing else suffers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Peer, Stream, TestServer, client, until};

/// Asks as who comes from that address, through a proxy that says so.
async fn from(
    server: &TestServer,
    address: &str,
    method: Method,
    path: &str,
    body: &str,
) -> Answer {
    let with = |request: reqwest::RequestBuilder| {
        request
            .header("x-forwarded-for", address)
            .body(body.to_owned())
    };
    server.request(method, path, with).await
}

async fn join(server: &TestServer, address: &str) -> Answer {
    from(server, address, Method::POST, "/rooms/demo/peers", "{}").await
}

const TRUSTED: [&str; 2] = ["--trusted-proxy", "127.0.0.0/8"];

#[tokio::test]
async fn joins_are_counted_by_address_and_refused_with_when_to_come_again() {
    let server = TestServer::with(&[&TRUSTED[..], &["--joins-per-second", "2"]].concat()).await;
    for _ in 0..2 {
        join(&server, "192.0.2.1").await.expect_status(201);
    }
    let third = join(&server, "192.0.2.1").await;
    third.expect_problem(429, "rate-limited");
    assert_eq!(third.header("retry-after"), "1");
    join(&server, "192.0.2.2").await.expect_status(201);
    // Of IPv6 a user has a /64, and another has another.
    for _ in 0..2 {
        join(&server, "2001:db8::1").await.expect_status(201);
    }
    join(&server, "2001:db8::2")
        .await
        .expect_problem(429, "rate-limited");
    join(&server, "2001:db8:0:1::1").await.expect_status(201);
    until(async || join(&server, "192.0.2.1").await.status == 201).await;
}

#[tokio::test]
async fn whom_no_proxy_is_trusted_to_name_is_counted_by_where_he_connects_from() {
    let server = TestServer::with(&["--joins-per-second", "2"]).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        join(&server, address).await.expect_status(201);
    }
    join(&server, "192.0.2.3")
        .await
        .expect_problem(429, "rate-limited");
}

#[tokio::test]
async fn signals_are_counted_by_peer_and_what_is_refused_is_not_sent() {
    let server = TestServer::with(&["--signals-per-second", "10"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let signal = |n: usize| json!({"to": "bob", "type": "count", "data": n});
    let hundred: Vec<Value> = (0..100).map(signal).collect();
    alice.signal(Value::Array(hundred)).await.expect_status(202);
    let over = alice.signal(signal(100)).await;
    over.expect_problem(429, "rate-limited");
    assert!(
        over.json["retry_after"]
            .as_u64()
            .is_some_and(|seconds| (1..=2).contains(&seconds)),
        "{over:?}"
    );
    // Another peer is not concerned, and the refused one is heard again soon.
    bob.signal(json!({"to": "alice", "type": "fine"}))
        .await
        .expect_status(202);
    until(async || alice.signal(signal(101)).await.status == 202).await;
    let polled = bob.poll("?wait=0&max=1000").await;
    let counts: Vec<u64> = polled["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["data"]["data"].as_u64())
        .collect();
    assert_eq!(counts, (0..100).chain([101]).collect::<Vec<u64>>());
}

#[tokio::test]
async fn signals_of_one_address_are_counted_together_where_that_is_wanted() {
    let server = TestServer::with(&["--signals-per-second-per-ip", "10"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let hundred = vec![json!({"to": "bob", "type": "count"}); 100];
    alice.signal(Value::Array(hundred)).await.expect_status(202);
    bob.signal(json!({"to": "alice", "type": "x"}))
        .await
        .expect_problem(429, "rate-limited");
}

#[tokio::test]
async fn readers_are_counted_by_address_and_refused_softly_on_streams() {
    let server = TestServer::with(&[&TRUSTED[..], &["--max-readers-per-ip", "1"]].concat()).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let open = async |peer: &Peer, address: &str| {
        let request = client().get(peer.url("/events")).bearer_auth(&peer.token);
        Stream::open(
            request
                .header("x-forwarded-for", address)
                .header("accept", "text/event-stream"),
        )
        .await
    };
    let mut first = open(&alice, "192.0.2.1").await;
    first.expect("ready").await;
    let mut second = open(&bob, "192.0.2.1").await;
    assert_eq!(
        second.skip_to("end").await.data,
        json!({"reason": "busy", "retry": "later"})
    );
    let poll = client()
        .get(bob.url("/poll?wait=0"))
        .bearer_auth(&bob.token)
        .header("x-forwarded-for", "192.0.2.1");
    let poll = Answer::of(poll.send().await.expect("an answer")).await;
    poll.expect_problem(503, "overloaded");
    let mut elsewhere = open(&bob, "192.0.2.2").await;
    elsewhere.expect("ready").await;
    drop((first, elsewhere));
    until(async || {
        let mut again = open(&bob, "192.0.2.1").await;
        again.next().await.name == "ready"
    })
    .await;
}
