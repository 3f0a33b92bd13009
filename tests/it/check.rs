//! The doors of the check: what they tell, what they refuse, and that nothing there is unbounded.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::{WebSocketStream, tungstenite};

use crate::harness::{PATIENCE, Stream, TestServer, client};

/// The handshake of RFC 6455, with the key of its section 1.3.
fn handshake(server: &TestServer) -> reqwest::RequestBuilder {
    client()
        .get(server.url("/check/websocket"))
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

async fn websocket(server: &TestServer) -> WebSocketStream<reqwest::Upgraded> {
    let response = handshake(server).send().await.expect("an answer");
    assert_eq!(response.status(), 101);
    let accept = &response.headers()["sec-websocket-accept"];
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let upgraded = response.upgrade().await.expect("a connection");
    WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await
}

async fn next(socket: &mut WebSocketStream<reqwest::Upgraded>) -> Option<Message> {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await;
    message.expect("in time").and_then(Result::ok)
}

#[tokio::test]
async fn a_request_is_told_what_arrived_of_it_and_no_secret() {
    let server = TestServer::start().await;
    for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
        let answer = server
            .request(method.clone(), "/check/request", |request| {
                request
                    .header("authorization", "Bearer switchboard-check")
                    .header("last-event-id", "switchboard-check")
                    .header("via", "1.1 proxy.example")
                    .header("x-forwarded-for", "192.0.2.7")
                    .body("four")
            })
            .await;
        answer.expect_status(200);
        assert!(answer.header("cache-control").contains("no-store"));
        assert!(
            answer.json["time_ms"]
                .as_u64()
                .is_some_and(|ms| ms > 1_700_000_000_000)
        );
        let mut told = answer.json.clone();
        told["time_ms"] = json!(0);
        let wanted = json!({
            "method": method.as_str(), "version": "HTTP/1.1", "via": "1.1 proxy.example",
            "forwarded": ["x-forwarded-for"], "authorization": "kept", "last_event_id": "kept",
            "body_bytes": 4, "time_ms": 0,
        });
        assert_eq!(told, wanted);
        assert!(!answer.text.contains("192.0.2.7"));
    }
    let other = server
        .request(Method::GET, "/check/request", |request| {
            let request = request.header("authorization", "Basic c2VjcmV0OnBhc3M=");
            request.header("via", "x".repeat(5000))
        })
        .await;
    assert_eq!(other.json["authorization"], "changed");
    assert_eq!(other.json["last_event_id"], "missing");
    assert_eq!(other.json["via"].as_str().map(str::len), Some(300));
    assert!(!other.text.contains("c2VjcmV0"));
}

#[tokio::test]
async fn what_the_doors_of_the_check_do_not_take_is_refused_as_a_problem() {
    let server = TestServer::start().await;
    let put = server.request(Method::PUT, "/check/request", |r| r).await;
    put.expect_problem(405, "wrong-method");
    assert_eq!(put.header("allow"), "GET, POST, PATCH, DELETE");
    let long = server.post("/check/request", &"x".repeat(4097)).await;
    long.expect_problem(413, "too-large");
    server
        .get("/check/websocket")
        .await
        .expect_problem(422, "bad-request");
    server
        .post("/check/websocket", "")
        .await
        .expect_problem(405, "wrong-method");
    server
        .post("/check", "")
        .await
        .expect_problem(405, "wrong-method");
    for query in [
        "ticks=0",
        "ticks=101",
        "gap=49",
        "ticks=2&gap=120001",
        "ticks=x",
    ] {
        let refused = server.get(&format!("/probe?{query}")).await;
        refused.expect_problem(422, "bad-request");
    }
}

#[tokio::test]
async fn a_probe_is_as_long_and_as_silent_as_it_was_asked_to_be() {
    let server = TestServer::start().await;
    let mut stream = Stream::open(client().get(server.url("/probe?ticks=3&gap=400"))).await;
    let began = Instant::now();
    for n in 0..3 {
        let tick = stream.expect("tick").await;
        assert_eq!((&tick.data["n"], &tick.data["of"]), (&json!(n), &json!(3)));
    }
    assert!(began.elapsed() >= Duration::from_millis(700), "two gaps");
    assert!(stream.any().await.is_none(), "and no more");
    let mut usual = Stream::open(client().get(server.url("/probe"))).await;
    assert_eq!(usual.expect("tick").await.data["of"], 8);
}

#[tokio::test]
async fn a_silent_probe_does_not_hold_up_the_end_of_the_server() {
    let mut server = TestServer::start().await;
    let mut stream = Stream::open(client().get(server.url("/probe?ticks=2&gap=100000"))).await;
    stream.expect("tick").await;
    server.ask_to_stop();
    assert!(
        stream.any().await.is_none(),
        "the stream ends with the server"
    );
    server.gone().await;
}

#[tokio::test]
async fn a_websocket_says_one_message_back_and_closes() {
    let server = TestServer::start().await;
    for message in [Message::text("hello"), Message::binary(vec![7; 64])] {
        let mut socket = websocket(&server).await;
        socket.send(message.clone()).await.expect("sent");
        assert_eq!(next(&mut socket).await, Some(message));
        assert!(matches!(
            next(&mut socket).await,
            Some(Message::Close(_)) | None
        ));
    }
    let mut socket = websocket(&server).await;
    socket
        .send(Message::text("x".repeat(65)))
        .await
        .expect("sent");
    assert!(matches!(
        next(&mut socket).await,
        Some(Message::Close(_)) | None
    ));
}

#[tokio::test]
async fn a_websocket_that_says_nothing_is_closed_after_ten_seconds() {
    let server = TestServer::start().await;
    let (mut socket, began) = (websocket(&server).await, Instant::now());
    let end = next(&mut socket).await;
    assert!(matches!(end, Some(Message::Close(_)) | None), "{end:?}");
    assert!(began.elapsed() >= Duration::from_secs(9));
    let closed = socket.send(Message::text("late")).await;
    assert!(matches!(
        closed,
        Err(tungstenite::Error::AlreadyClosed | tungstenite::Error::Protocol(_))
    ));
}

#[tokio::test]
async fn the_page_is_there_and_the_demo_leads_there() {
    let server = TestServer::start().await;
    let page = server.get("/check").await;
    page.expect_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let demo = server
        .request(Method::GET, "/", |r| r.header("accept", "text/html"))
        .await;
    assert!(demo.text.contains(r#"href="check""#));
}
