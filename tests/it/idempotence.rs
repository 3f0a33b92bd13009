//! A repeated send is answered as the first, and delivered once.

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_repeated_id_is_a_duplicate_and_is_delivered_once() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let offer = json!({"to": "bob", "type": "offer", "data": {"a": 1}, "id": "m-17"});
    let first = alice.say(offer.clone()).await;
    let second = alice.say(offer).await;
    assert_eq!(first["results"][0]["id"], "m-17");
    assert_eq!(second["results"][0]["duplicate"], true);
    assert_eq!(
        second["results"][0]["session"],
        first["results"][0]["session"]
    );
    assert!(first["results"][0].get("duplicate").is_none());
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    let told = bob.poll("wait=0").await;
    let events = told["events"].as_array().expect("events").clone();
    let types: Vec<_> = events.iter().map(|event| &event["data"]["type"]).collect();
    assert_eq!(types, [&json!("offer"), &json!("marker")]);
}

#[tokio::test]
async fn the_same_id_for_another_signal_is_a_conflict() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "a", "data": 1, "id": "m"}))
        .await;
    for other in [
        json!({"to": "bob", "type": "b", "data": 1, "id": "m"}),
        json!({"to": "bob", "type": "a", "data": 2, "id": "m"}),
        json!({"type": "a", "data": 1, "id": "m"}),
        json!({"to": "bob", "type": "a", "data": 1, "session": "s", "id": "m"}),
    ] {
        alice
            .signal(other)
            .await
            .expect_problem(422, "idempotency-conflict");
    }
    let spaced = r#"{ "id": "m", "data": 1 , "type": "a", "to": "bob" }"#;
    assert_eq!(
        alice.post("/signals", spaced).await.json["results"][0]["duplicate"],
        true
    );
}

#[tokio::test]
async fn a_header_can_hold_the_id_of_a_single_signal() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for (duplicate, key) in [(false, "k1"), (true, "k1"), (true, "\"k1\"")] {
        let request = alice
            .request(reqwest::Method::POST, "/signals")
            .header("idempotency-key", key)
            .body(r#"{"to":"bob","type":"hello"}"#);
        let answer = crate::harness::Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(answer.json["results"][0]["id"], "k1");
        assert_eq!(answer.json["results"][0]["duplicate"] == true, duplicate);
    }
}

#[tokio::test]
async fn an_array_repeated_after_a_partial_answer_goes_on_where_it_stopped() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let one = json!({"to": "bob", "type": "a", "id": "m1"});
    let two = json!({"to": "carol", "type": "b", "id": "m2"});
    assert_eq!(alice.say(json!([one, two])).await["refused"]["index"], 1);
    server.join("demo", "carol").await;
    let told = alice.say(json!([one, two])).await;
    assert_eq!(told["results"][0]["duplicate"], true);
    assert!(told["results"][1].get("duplicate").is_none());
    let told = bob.poll("wait=0").await;
    let signals = told["events"].as_array().expect("events").clone();
    assert_eq!(
        signals
            .iter()
            .filter(|event| event["event"] == "signal")
            .count(),
        1
    );
}
