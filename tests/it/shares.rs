//! What one client may take of what is there for all, and when it is given back.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{Answer, PATIENCE, Peer, Stream, TestServer, client, until};

const TRUSTED: [&str; 2] = ["--trusted-proxy", "127.0.0.0/8"];

fn address(server: &TestServer) -> SocketAddr {
    let address = server.base.trim_start_matches("http://");
    address.parse().expect("an address")
}

#[tokio::test]
async fn peers_are_counted_by_address_until_they_have_left() {
    let server = TestServer::with(&[&TRUSTED[..], &["--max-peers-per-ip", "2"]].concat()).await;
    let join = async |address: &str, body: serde_json::Value| {
        let with = |request: reqwest::RequestBuilder| {
            request
                .header("x-forwarded-for", address)
                .body(body.to_string())
        };
        server
            .request(Method::POST, "/rooms/demo/peers", with)
            .await
    };
    let here = "192.0.2.1";
    let alice = join(here, json!({"peer": "alice"})).await;
    alice.expect_status(201);
    let alice = Peer::of(&server, &alice.json);
    join(here, json!({"peer": "bob", "key": "bobs"}))
        .await
        .expect_status(201);
    let third = join(here, json!({"peer": "carol"})).await;
    third.expect_problem(429, "rate-limited");
    assert_eq!(third.header("retry-after"), "10");
    join("192.0.2.2", json!({"peer": "carol"}))
        .await
        .expect_status(201);
    // Who is there already takes up no more: not by a repeat, not by going on, not by a new beginning.
    join(here, json!({"peer": "bob", "key": "bobs"}))
        .await
        .expect_status(200);
    let on = join(here, json!({"peer": "alice", "token": alice.token})).await;
    on.expect_status(200);
    let anew = json!({"peer": "alice", "token": alice.token, "fresh": true});
    let anew = join(here, anew).await;
    anew.expect_status(201);
    join(here, json!({"peer": "dave"}))
        .await
        .expect_problem(429, "rate-limited");
    // Who asks for a name that is taken gets no place by it.
    join(here, json!({"peer": "carol"}))
        .await
        .expect_problem(409, "peer-exists");
    Peer::of(&server, &anew.json).leave().await;
    join(here, json!({"peer": "dave"})).await.expect_status(201);
}

#[tokio::test]
async fn a_token_of_who_has_left_is_no_place_among_the_peers() {
    let server = TestServer::with(&["--max-peers", "2"]).await;
    let join = async |body: serde_json::Value| {
        server
            .request(Method::POST, "/rooms/demo/peers", |request| {
                request.body(body.to_string())
            })
            .await
    };
    let alice = server.join("demo", "alice").await;
    alice.leave().await;
    let bob = json!({"peer": "bob", "key": "bobs"});
    join(bob.clone()).await.expect_status(201);
    server.join("demo", "carol").await;
    let back = json!({"peer": "alice", "token": alice.token});
    join(back).await.expect_problem(503, "overloaded");
    // A lost answer locks nobody out, and a name that is taken is told to be.
    join(bob).await.expect_status(200);
    join(json!({"peer": "carol"}))
        .await
        .expect_problem(409, "peer-exists");
}

#[tokio::test]
async fn connections_are_counted_by_address_and_one_too_many_is_closed() {
    let server = TestServer::with(&["--max-connections-per-ip", "3"]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(address(&server)).await.expect("open");
        // A whole request, and half of another.
        let request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHo";
        socket.write_all(request).await.expect("written");
        let mut first = [0; 12];
        socket.read_exact(&mut first).await.expect("an answer");
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(socket);
    }
    let mut over = TcpStream::connect(address(&server)).await.expect("open");
    let mut nothing = Vec::new();
    let end = timeout(PATIENCE, over.read_to_end(&mut nothing)).await;
    assert!(end.expect("an end").is_ok_and(|read| read == 0));
    held.pop();
    until(async || client().get(server.url("/livez")).send().await.is_ok()).await;
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_counted() {
    let flags = [&TRUSTED[..], &["--max-connections-per-ip", "1"]].concat();
    let server = TestServer::with(&flags).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(address(&server)).await.expect("open");
        let request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
        socket.write_all(request).await.expect("written");
        let mut first = [0; 12];
        socket.read_exact(&mut first).await.expect("an answer");
        open.push(socket);
    }
}

/// Opens a stream on a connection that takes little and reads nothing once it is open.
async fn unread(server: &TestServer, peer: &Peer) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut socket = socket.connect(address(server)).await.expect("open");
    let path = format!("/rooms/{}/peers/{}/events", peer.room, peer.name);
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
        peer.token
    );
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut first = [0; 12];
    socket.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    socket
}

#[tokio::test]
async fn a_reader_that_was_replaced_gives_its_place_back_at_once() {
    let flags = ["--max-readers", "2", "--max-readers-per-ip", "2"];
    let server = TestServer::with(&flags).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for _ in 0..8 {
        let much = json!({"to": "bob", "type": "much", "data": "x".repeat(30_000)});
        alice.say(much).await;
    }
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(unread(&server, &bob).await);
    }
    alice.events().await.expect("ready").await;
}

#[tokio::test]
async fn who_is_told_that_there_is_no_place_to_read_is_present_all_the_same() {
    for bound in ["--max-readers", "--max-readers-per-ip"] {
        let flags = [bound, "1", "--join-grace", "2s"];
        let server = TestServer::with(&flags).await;
        let (alice, bob) = (
            server.join("demo", "alice").await,
            server.join("demo", "bob").await,
        );
        let mut stream = alice.events().await;
        stream.expect("ready").await;
        let began = std::time::Instant::now();
        while began.elapsed().as_millis() < 3_000 {
            let mut refused = bob.events().await;
            let told = refused.skip_to("end").await;
            assert_eq!(told.data["reason"], "busy", "{bound}");
        }
        drop(stream);
        until(async || bob.events().await.next().await.name == "ready").await;
    }
}

#[tokio::test]
async fn no_door_takes_a_url_with_a_credential_in_it() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let token = &alice.token;
    for path in [
        format!("/?token={token}"),
        format!("/livez?x={token}"),
        format!("/probe?ticks=1&access_token={token}"),
        format!("/check?jwt={token}"),
        format!("/check/request?x={token}"),
        format!("/client/switchboard.js?token={token}"),
        format!("/openapi.json?{token}"),
        format!("/rooms/demo/peers?{token}"),
        format!("/nowhere?{token}=1"),
    ] {
        let request = client()
            .get(server.url(&path))
            .header("origin", "https://page.example");
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        answer.expect_problem(401, "bad-token");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    let mut plain = Stream::open(client().get(server.url("/probe?ticks=1"))).await;
    assert!(plain.any().await.is_some());
}
