//! An operator's doors: list, close, kick.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestServer};

const TOKEN: &str = "an operator's long secret";

async fn ask(server: &TestServer, method: Method, path: &str, token: &str) -> Answer {
    server
        .request(method, path, |request| request.bearer_auth(token))
        .await
}

#[tokio::test]
async fn without_an_operator_the_doors_are_not_there() {
    let server = TestServer::start().await;
    server.join("demo", "alice").await;
    ask(&server, Method::GET, "/rooms", TOKEN)
        .await
        .expect_problem(404, "unknown-path");
    ask(&server, Method::DELETE, "/rooms/demo", TOKEN)
        .await
        .expect_problem(404, "unknown-path");
    let kick = ask(&server, Method::DELETE, "/rooms/demo/peers/alice", TOKEN).await;
    kick.expect_problem(401, "bad-token");
}

#[tokio::test]
async fn rooms_are_listed_and_closed_with_a_detail() {
    let server = TestServer::with(&["--operator-token", TOKEN]).await;
    let alice = server.join("demo", "alice").await;
    server.join("demo", "bob").await;
    ask(&server, Method::GET, "/rooms", "wrong")
        .await
        .expect_problem(401, "bad-token");
    let list = ask(&server, Method::GET, "/rooms", TOKEN).await;
    assert_eq!(list.json, json!({"rooms": [{"room": "demo", "peers": 2}]}));
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    stream.expect("peer-joined").await;
    let closed = ask(
        &server,
        Method::DELETE,
        "/rooms/demo?detail=it%20is%20late",
        TOKEN,
    )
    .await;
    closed.expect_status(204);
    let end = stream.skip_to("end").await;
    let told = json!({"reason": "room-closed", "retry": "never", "detail": "it is late"});
    assert_eq!(end.data, told);
    let late = alice.get("/sessions").await;
    late.expect_problem(410, "ended");
    assert_eq!(late.json["reason"], "room-closed");
    ask(&server, Method::DELETE, "/rooms/demo", TOKEN)
        .await
        .expect_problem(404, "unknown-room");
    assert_eq!(
        ask(&server, Method::GET, "/rooms", TOKEN).await.json,
        json!({"rooms": []})
    );
}

#[tokio::test]
async fn a_kicked_peer_and_the_others_are_told() {
    let server = TestServer::with(&["--operator-token", TOKEN]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let (mut alices, mut bobs) = (alice.events().await, bob.events().await);
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    bobs.expect("ready").await;
    let path = "/rooms/demo/peers/bob?detail=%22quoted%22";
    ask(&server, Method::DELETE, path, TOKEN)
        .await
        .expect_status(204);
    let left = alices.expect("peer-left").await;
    assert_eq!(left.data, json!({"peer": "bob", "reason": "kicked"}));
    let end = bobs.expect("end").await.data;
    assert_eq!(
        end,
        json!({"reason": "kicked", "retry": "never", "detail": "\"quoted\""})
    );
    ask(&server, Method::DELETE, path, TOKEN)
        .await
        .expect_status(204);
}
