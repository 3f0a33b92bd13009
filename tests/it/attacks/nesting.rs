//! JSON that is 10,000 deep.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::waiting;
use crate::access::{SECRET, join, keyed, may, soon};
use crate::harness::{Answer, TestServer, client};

const DEPTH: usize = 10_000;

fn arrays() -> String {
    "[".repeat(DEPTH) + &"]".repeat(DEPTH)
}

fn objects() -> String {
    "{\"a\":".repeat(DEPTH) + "1" + &"}".repeat(DEPTH)
}

/// Opened, and never closed.
fn open() -> String {
    "[{\"a\":".repeat(DEPTH)
}

/// Taken, or refused with a reason: a decision, and no failure.
#[track_caller]
fn decided(answer: &Answer) {
    let refused = [400, 413, 422].contains(&answer.status) && answer.json["detail"].is_string();
    assert!(
        [200, 201, 202, 204].contains(&answer.status) || refused,
        "{answer:?}"
    );
}

#[tokio::test]
async fn json_ten_thousand_deep_is_decided_on_at_every_door_and_the_server_goes_on() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut taken = 0;
    for deep in [arrays(), objects()] {
        let signal = format!(r#"{{"to":"bob","type":"x","data":{deep}}}"#);
        let in_array = format!("[{signal}]");
        for body in [signal, in_array] {
            let answer = alice.post("/signals", body).await;
            decided(&answer);
            taken += usize::from(answer.status == 202);
        }
        for body in [
            deep.clone(),
            format!(r#"{{"to":"bob","type":"x","more":{deep}}}"#),
            format!(r#"{{"to":{deep},"type":"x"}}"#),
            format!(r#"{{"to":"bob","type":{deep}}}"#),
            format!(r#"{{"to":"bob","type":"x","from":{deep}}}"#),
        ] {
            let answer = alice.post("/signals", body).await;
            decided(&answer);
            taken += usize::from(answer.status == 202);
        }
        for door in ["/meta", "/tickets", "/poll"] {
            decided(&alice.post(door, &deep).await);
            decided(
                &alice
                    .post(door, format!(r#"{{"wait":0,"more":{deep}}}"#))
                    .await,
            );
        }
        // A leave's body is a token, which that is not.
        let leave = alice.post("/leave", &deep).await;
        assert!([401, 413].contains(&leave.status), "{leave:?}");
        for body in [
            deep.clone(),
            format!(r#"{{"meta":{deep}}}"#),
            format!(r#"{{"peer":{deep}}}"#),
            format!(r#"{{"more":{deep}}}"#),
        ] {
            decided(&server.post("/rooms/elsewhere/peers", &body).await);
        }
    }
    // As deep as a meta's bytes allow.
    let meta = "[".repeat(2000) + &"]".repeat(2000);
    decided(&alice.post("/meta", &meta).await);
    for body in [
        open(),
        format!(r#"{{"to":"bob","type":"x","data":{}"#, open()),
    ] {
        let refused = alice.post("/signals", &body).await;
        refused.expect_problem(400, "bad-json");
        let refused = server.post("/rooms/elsewhere/peers", &body).await;
        assert!([400, 413].contains(&refused.status), "{refused:?}");
    }
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    // What was taken is told, each reader's encoding in its turn.
    let polled = client()
        .get(bob.url("/poll?wait=0&max=1000"))
        .bearer_auth(&bob.token);
    let polled = Answer::of(polled.send().await.expect("an answer")).await;
    assert_eq!(
        polled.text.matches(r#""event":"signal""#).count(),
        taken + 1
    );
    assert!(polled.text.contains(r#""type":"marker""#));
    let mut stream = bob.events().await;
    for _ in 0..taken {
        stream.skip_to("signal").await;
    }
    assert!(stream.skip_to("signal").await.raw.contains("marker"));
}

#[tokio::test]
async fn an_access_token_ten_thousand_deep_is_decided_on_too() {
    let server = keyed(&[]).await;
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let good = may(&["join"], "*");
    let joined = join(&server, "demo", &good, json!({"peer": "alice"})).await;
    joined.expect_status(201);
    for deep in [arrays(), objects()] {
        for claim in ["more", "room", "aud", "rights", "exp"] {
            let claims = format!(
                r#"{{"room":"*","rights":["join"],"exp":{},"{claim}":{deep}}}"#,
                soon(60)
            );
            let claims = serde_json::value::RawValue::from_string(claims).expect("JSON");
            let token = encode(&Header::default(), &claims, &key).expect("a token");
            let answer = join(&server, "demo", &token, json!({"peer": "bob"})).await;
            assert!(
                [201, 401, 409].contains(&answer.status),
                "{claim} {answer:?}"
            );
        }
    }
    let bob = crate::harness::Peer::of(&server, &joined.json);
    assert_eq!(waiting(&bob).await, [json!(null); 0]);
}
