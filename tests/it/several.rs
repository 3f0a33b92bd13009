//! Rooms in a store that several nodes share: what peers see when a node or the store is away.

use serde_json::json;

use crate::harness::program::Program;
use crate::harness::{TestServer, unique, until};
use crate::store::engine::Server as Engine;

/// A node over `engine`, of those under `prefix`.
async fn node(engine: &Engine, prefix: &str, more: &[&str]) -> TestServer {
    let url = engine.url();
    let mut flags = vec!["--backplane", &url, "--backplane-prefix", prefix];
    flags.extend(["--secret", "a secret that all nodes of a test have"]);
    flags.extend(more);
    TestServer::with(&flags).await
}

#[tokio::test]
async fn while_the_store_does_not_answer_readers_are_told_and_what_is_sent_is_refused() {
    let engine = Engine::redis(&[]);
    let server = node(&engine, "paused", &[]).await;
    let alice = server.join("demo", "alice").await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    assert_eq!(server.get("/readyz").await.status, 200);
    engine.pause();
    assert_eq!(
        stream.expect("store").await.data,
        json!({"available": false})
    );
    let hello = json!({"to": "bob", "type": "hello", "id": "h-1"});
    let refused = alice.signal(hello.clone()).await;
    refused.expect_problem(503, "store-unavailable");
    let refused = server.get("/rooms/demo/peers").await;
    refused.expect_problem(503, "store-unavailable");
    let late = server.post("/rooms/demo/peers", "{}").await;
    late.expect_problem(503, "store-unavailable");
    let unready = server.get("/readyz").await;
    unready.expect_problem(503, "store-unavailable");
    assert_eq!(server.get("/livez").await.status, 200);
    engine.resume();
    assert_eq!(
        stream.expect("store").await.data,
        json!({"available": true})
    );
    until(async || server.get("/readyz").await.status == 200).await;
    alice.say(hello).await;
    assert_eq!(stream.expect("signal").await.data["id"], "h-1");
}

#[tokio::test]
async fn a_node_that_goes_away_hands_its_peers_over_and_nobody_is_told_that_they_left() {
    let engine = Engine::redis(&[]);
    let prefix = unique("handed-over");
    let mut first = node(&engine, &prefix, &["--grace", "5s"]).await;
    let second = node(&engine, &prefix, &["--grace", "5s"]).await;
    let alice = first.join("demo", "alice").await;
    let bob = second.join("demo", "bob").await;
    let carol = first.join("demo", "carol").await;
    let mut bobs = bob.events().await;
    let mut alices = alice.events().await;
    let mut carols = carol.events().await;
    for stream in [&mut bobs, &mut alices, &mut carols] {
        stream.expect("ready").await;
    }
    first.ask_to_stop();
    assert_eq!(alices.skip_to("end").await.data["reason"], "drain");
    assert_eq!(carols.skip_to("end").await.data["reason"], "drain");
    first.gone().await;
    // Alice goes on elsewhere; carol does not come back.
    let alice = alice.at(&second);
    let mut alices = alice.events_after(&alice.cursor).await;
    assert_eq!(alices.expect("ready").await.data["resumed"], true);
    bob.say(json!({"to": "alice", "type": "hello"})).await;
    alices.skip_to("signal").await;
    let left = bobs.skip_to("peer-left").await.data;
    assert_eq!(left, json!({"peer": "carol", "reason": "timeout"}));
    let states = second.get("/rooms/demo/peers").await.json;
    let names: Vec<_> = states["peers"].as_array().expect("peers").iter().collect();
    assert_eq!(names.len(), 2, "{states}");
}

#[tokio::test]
async fn what_was_answered_outlives_every_node() {
    let engine = Engine::redis(&[]);
    let prefix = unique("outlived");
    let first = node(&engine, &prefix, &[]).await;
    let (alice, bob) = (
        first.join("demo", "alice").await,
        first.join("demo", "bob").await,
    );
    for n in 0..300 {
        let signal = json!({"to": "bob", "type": "n", "data": n, "id": format!("n-{n}")});
        if n % 100 == 99 {
            bob.poll(&format!("cursor={}&wait=0&max=1000", bob.cursor))
                .await;
        }
        alice.say(signal).await;
    }
    drop(first);
    let second = node(&engine, &prefix, &[]).await;
    let (alice, bob) = (alice.at(&second), bob.at(&second));
    let again = json!({"to": "bob", "type": "n", "data": 299, "id": "n-299"});
    assert_eq!(alice.say(again).await["results"][0]["duplicate"], true);
    let told = bob
        .poll(&format!("cursor={}&wait=0&max=1000", bob.cursor))
        .await;
    let events = told["events"].as_array().expect("events");
    let last = events.last().expect("some");
    assert_eq!(last["data"]["data"], 299);
    assert!(events.len() > 200, "{}", events.len());
}

#[tokio::test]
async fn a_node_with_another_secret_than_the_one_before_says_so_at_its_start() {
    let engine = Engine::redis(&[]);
    let url = engine.url();
    let said = |secrets: &str| {
        let flags = ["--backplane", &url, "--secret", secrets];
        Program::start(&flags).end()
    };
    let warns = |said: &str| said.contains("signs with another --secret");
    let (old, new) = ("the secret of before", "the secret from now on");
    assert!(!warns(&said(old)), "the first");
    assert!(!warns(&said(old)), "the same");
    assert!(!warns(&said(&format!("{new},{old}"))), "both are honoured");
    assert!(warns(&said(old)), "what is signed now is not");
    assert!(warns(&said("the secret of another")));
    let kept: String = engine.ask(&["HGET", "switchboard:{cfg}", "signer"]);
    assert_eq!(kept.len(), 8, "a name, and no secret");
}

#[tokio::test]
async fn nodes_that_would_read_each_other_wrongly_or_cannot_reach_the_store_do_not_start() {
    let engine = Engine::redis(&[]);
    let _: i64 = engine.ask(&["HSET", "other:{cfg}", "format", "99", "partitions", "64"]);
    let started = |url: String, prefix: &'static str| async move {
        use clap::Parser as _;
        let args = ["switchboard", "--listen", "127.0.0.1:0", "--secret"];
        let more = ["a long enough secret", "--backplane", &url];
        let prefix = ["--backplane-prefix", prefix];
        let args = args.iter().chain(&more).chain(&prefix);
        let config = switchboard::config::Cli::parse_from(args).into_config();
        let server = switchboard::Server::open(&config).await;
        server.err().expect("a refusal").to_string()
    };
    let said = started(engine.url(), "other").await;
    assert!(said.contains("format 99"), "{said}");
    let said = started("redis://user:hush@127.0.0.1:1".into(), "x").await;
    assert!(
        said.contains("127.0.0.1:1") && !said.contains("hush"),
        "{said}"
    );
}
