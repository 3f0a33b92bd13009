//! Bounds of what is kept: mailboxes, the reserve for control events, and memories. Each has its one consequence.

use serde_json::{Value, json};

use crate::harness::{Peer, TestServer, unique};

async fn peers<const N: usize>(server: &TestServer, names: [&str; N]) -> [Peer; N] {
    let mut all = Vec::new();
    for name in names {
        all.push(server.join("demo", name).await);
    }
    all.try_into().expect("as many as names")
}

fn signal(bytes: usize, id: &str) -> Value {
    json!({"to": "bob", "type": "some", "id": id, "data": "x".repeat(bytes)})
}

#[tokio::test]
async fn a_mailbox_holds_so_many_bytes_of_signals_and_half_of_them_from_one_sender() {
    let server = TestServer::with(&["--mailbox-bytes", "8KiB"]).await;
    let [alice, bob, carol, dave] = peers(&server, ["alice", "bob", "carol", "dave"]).await;
    alice.say(signal(3_000, "1")).await;
    let refused = alice.signal(signal(3_000, "2")).await;
    refused.expect_problem(429, "mailbox-full");
    carol.say(signal(3_000, "3")).await;
    let refused = dave.signal(signal(3_000, "4")).await;
    refused.expect_problem(429, "mailbox-full");
    let read = bob.poll("wait=0").await;
    assert_eq!(signals(&read), ["1", "3"]);
    // Nothing was lost: what is read makes room for what was refused.
    alice.say(signal(3_000, "2")).await;
    let more = bob.poll(&format!("wait=0&cursor={}", cursor(&read))).await;
    assert_eq!(signals(&more), ["2"]);
}

fn signals(polled: &Value) -> Vec<&str> {
    let events = polled["events"].as_array().expect("events").iter();
    events
        .filter(|event| event["event"] == "signal")
        .map(|event| event["data"]["id"].as_str().expect("an id"))
        .collect()
}

fn cursor(polled: &Value) -> &str {
    polled["cursor"].as_str().expect("a cursor")
}

#[tokio::test]
async fn past_the_reserve_for_control_events_the_reader_is_told_of_a_gap() {
    let large = "x".repeat(1_000);
    for (flag, most, meta) in [
        ("--control-events", "3", json!({})),
        ("--control-bytes", "3500", json!({"about": large})),
    ] {
        let server = TestServer::with(&[flag, most]).await;
        let [alice] = peers(&server, ["alice"]).await;
        for n in 0..3 {
            let body = json!({"peer": format!("peer-{n}"), "meta": meta});
            server.join_with("demo", body).await;
        }
        let whole = alice.poll(&format!("wait=0&cursor={}", alice.cursor)).await;
        assert_eq!(whole.get("gap"), None, "{flag}");
        for n in 3..7 {
            let body = json!({"peer": format!("peer-{n}"), "meta": meta});
            server.join_with("demo", body).await;
        }
        let told = alice
            .poll(&format!("wait=0&cursor={}", cursor(&whole)))
            .await;
        assert_eq!(told["gap"], json!({"reason": "overflow"}), "{flag}");
        let present = told["peers"].as_array().expect("who is there");
        assert_eq!(present.len(), 7, "{flag}");
    }
}

#[tokio::test]
async fn past_the_memory_for_signal_ids_the_oldest_is_delivered_again() {
    let server = TestServer::with(&["--max-remembered-signals", "2"]).await;
    let [alice, bob] = peers(&server, ["alice", "bob"]).await;
    for id in ["1", "2", "3"] {
        alice.say(signal(1, id)).await;
    }
    let is_duplicate =
        async |id: &str| alice.say(signal(1, id)).await["results"][0]["duplicate"] == true;
    assert!(is_duplicate("3").await && is_duplicate("2").await && !is_duplicate("1").await);
    assert_eq!(signals(&bob.poll("wait=0").await), ["1", "2", "3", "1"]);
}

#[tokio::test]
async fn what_went_to_a_whole_room_takes_more_of_that_memory() {
    let server = TestServer::with(&["--max-remembered-signals", "3"]).await;
    let [alice, _bob] = peers(&server, ["alice", "bob"]).await;
    for _ in 0..16 {
        server.join("demo", &unique("other")).await;
    }
    alice.say(signal(1, "first")).await;
    let to_all = json!({"type": "some", "id": "to-all"});
    // Three of three: to 17 others.
    alice.say(to_all.clone()).await;
    assert_eq!(alice.say(to_all).await["results"][0]["duplicate"], true);
    let again = alice.say(signal(1, "first")).await;
    assert_eq!(again["results"][0].get("duplicate"), None);
}

#[tokio::test]
async fn past_the_memory_for_ends_the_oldest_is_told_unknown() {
    let server = TestServer::with(&["--max-remembered-ends", "1"]).await;
    let [alice, bob] = peers(&server, ["alice", "bob"]).await;
    alice.leave().await;
    let told = alice.get("/poll?wait=0").await;
    assert_eq!(told.expect_problem(410, "ended").json["reason"], "left");
    bob.leave().await;
    for (peer, reason) in [(alice, "unknown"), (bob, "left")] {
        let told = peer.get("/poll?wait=0").await;
        assert_eq!(told.expect_problem(410, "ended").json["reason"], reason);
    }
}
