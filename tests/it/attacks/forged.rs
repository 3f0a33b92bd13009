//! A `from` of one's own making.

use reqwest::Method;
use serde_json::{Value, json};

use super::waiting;
use crate::harness::TestServer;

#[tokio::test]
async fn who_a_signal_is_from_is_for_the_server_to_say() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    server.join("demo", "carol").await;
    for from in [
        json!("carol"),
        json!("alice"),
        json!(null),
        json!({"peer": "carol"}),
    ] {
        let forged = json!({"to": "bob", "type": "x", "from": from});
        alice
            .signal(forged.clone())
            .await
            .expect_problem(422, "bad-signal");
        let first = json!({"to": "bob", "type": "x", "data": "before"});
        let partly = alice.signal(json!([first, forged, first])).await;
        partly.expect_status(202);
        assert_eq!(partly.json["refused"]["index"], 1);
        assert_eq!(
            partly.json["refused"]["problem"]["type"],
            "/problems/bad-signal"
        );
    }
    for forged in [
        r#"{"to":"bob","type":"x","fr\u006fm":"carol"}"#,
        r#"{"from":"carol","to":"bob","type":"x","from":"alice"}"#,
        r#"{"to":"bob","type":"bye","session":"s1","from":"carol"}"#,
    ] {
        alice
            .post("/signals", forged)
            .await
            .expect_problem(422, "bad-signal");
    }
    // What is no `from` of the envelope's is nobody's name for the sender.
    let inside = json!({"from": "carol", "peer": "carol"});
    let odd = json!({"to": "bob", "type": "x", "peer": "carol", "From": "carol", "sender": "carol", "data": inside});
    alice.say(odd).await;
    let told = waiting(&bob).await;
    let (last, before) = told.split_last().expect("signals");
    assert_eq!(
        last,
        &json!({"from": "alice", "type": "x", "data": inside}),
        "data is the sender's own business"
    );
    let one = json!({"from": "alice", "type": "x", "data": "before"});
    assert_eq!(before, vec![one; 4]);
}

#[tokio::test]
async fn a_meta_and_a_bye_that_name_somebody_else_speak_for_their_sender_alone() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let carol = server.join("demo", "carol").await;
    let mut stream = bob.events().await;
    stream.skip_to("peer-joined").await;
    for peer in [&alice, &carol] {
        peer.say(json!({"to": "bob", "type": "offer", "session": peer.name}))
            .await;
        stream.expect("signal").await;
    }
    let posing = json!({"peer": "carol", "from": "carol", "order": 0});
    let set = alice
        .request(Method::PATCH, "")
        .body(posing.to_string())
        .send();
    assert_eq!(set.await.expect("an answer").status(), 204);
    let updated = stream.expect("peer-updated").await.data;
    assert_eq!(
        (&updated["peer"], &updated["meta"]),
        (&json!("alice"), &posing)
    );
    // The session is carol's: alice can neither end it nor say anything in it.
    for kind in ["bye", "candidate", "offer"] {
        let meddling = json!({"to": "bob", "type": kind, "session": "carol", "peer": "carol"});
        let refused = alice.signal(meddling).await;
        assert!((400..500).contains(&refused.status), "{refused:?}");
    }
    alice
        .say(json!({"to": "bob", "type": "bye", "peer": "carol", "data": {"peer": "carol"}}))
        .await;
    let ended = stream.expect("session-ended").await.data;
    assert_eq!(
        (&ended["peer"], &ended["session"]),
        (&json!("alice"), &json!("alice"))
    );
    let open = bob.get("/sessions").await.json;
    let sessions = open["sessions"].as_array().expect("sessions").iter();
    let sessions: Vec<(&Value, &Value)> = sessions
        .map(|session| (&session["peer"], &session["state"]))
        .collect();
    let (alices, carols) = (
        (json!("alice"), json!("ended")),
        (json!("carol"), json!("offered")),
    );
    assert_eq!(sessions, [(&alices.0, &alices.1), (&carols.0, &carols.1)]);
}
