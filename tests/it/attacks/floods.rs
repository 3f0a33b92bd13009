//! More than a server can want: rooms without end, and small requests that stand for large ones.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::program::Program;
use crate::harness::{Answer, TestServer, client};

/// What a zip of these holds, in bytes.
const HELD: usize = 100_000_000;

/// A million rooms, as an array of them.
fn rooms() -> impl Iterator<Item = Vec<u8>> {
    let one =
        br#"{"room":"room-0000000","peer":"mallory","meta":{"name":"0000000000"},"type":"x"},"#;
    let thousand = one.repeat(1000);
    let times = HELD / thousand.len();
    std::iter::once(b"[".to_vec()).chain(std::iter::repeat_n(thousand, times))
}

#[tokio::test]
async fn a_zip_of_a_million_rooms_is_refused_as_it_is_and_not_unpacked() {
    let program = Program::start(&["--operator-token", "op"]);
    let url = |path: &str| format!("{}{path}", program.base);
    let (mut gzip, mut zlib, mut deflate) = (
        GzEncoder::new(Vec::new(), Compression::fast()),
        ZlibEncoder::new(Vec::new(), Compression::fast()),
        DeflateEncoder::new(Vec::new(), Compression::fast()),
    );
    for piece in rooms() {
        gzip.write_all(&piece).expect("memory");
        zlib.write_all(&piece).expect("memory");
        deflate.write_all(&piece).expect("memory");
    }
    let bombs = [
        ("gzip", gzip.finish().expect("memory")),
        ("x-gzip", zlib.finish().expect("memory")),
        ("deflate", deflate.finish().expect("memory")),
    ];
    let joined = client()
        .post(url("/rooms/demo/peers"))
        .body(r#"{"peer":"alice"}"#);
    let alice = Answer::of(joined.send().await.expect("an answer"))
        .await
        .json;
    let before = program.memory();
    for (coding, bomb) in &bombs {
        for (path, most) in [
            ("/rooms/demo/peers", 16 * 1024),
            ("/rooms/demo/peers/alice/signals", 256 * 1024),
            ("/rooms/demo/peers/alice/meta", 8 * 1024),
            ("/rooms/demo/peers/alice/tickets", 1024),
            ("/check/request", 4096),
        ] {
            // As much of it as the door would take, which stands for some megabytes.
            let body = bomb[..bomb.len().min(most)].to_vec();
            let request = client()
                .post(url(path))
                .bearer_auth(alice["token"].as_str().expect("a token"))
                .header("content-encoding", *coding)
                .body(body);
            let refused = Answer::of(request.send().await.expect("an answer")).await;
            refused.expect_problem(422, "bad-request");
            let detail = refused.json["detail"].as_str().expect("words");
            assert!(detail.contains("Content-Encoding"), "{detail}");
        }
        let request = client().post(url("/rooms/demo/peers")).body(bomb.clone());
        let refused = Answer::of(request.send().await.expect("an answer")).await;
        refused.expect_problem(413, "too-large");
    }
    let grown = program.memory().saturating_sub(before);
    assert!(grown < HELD as u64 / 5, "{grown} bytes more than before");
    let rooms = client().get(url("/rooms")).bearer_auth("op");
    let rooms = Answer::of(rooms.send().await.expect("an answer")).await;
    assert_eq!(rooms.json, json!({"rooms": [{"room": "demo", "peers": 1}]}));
}

#[tokio::test]
async fn rooms_without_end_meet_their_bound_and_those_that_there_are_go_on() {
    let flags = [
        "--max-rooms",
        "50",
        "--joins-per-second",
        "0",
        "--operator-token",
        "op",
    ];
    let server = TestServer::with(&flags).await;
    let alice = server.join("demo", "alice").await;
    let mut refused = 0;
    for n in 0..200 {
        let answer = server.post(&format!("/rooms/flood-{n}/peers"), "{}").await;
        if n < 49 {
            answer.expect_status(201);
        } else {
            answer.expect_problem(503, "overloaded");
            refused += 1;
        }
    }
    assert_eq!(refused, 151);
    let bob = server.join("demo", "bob").await;
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    assert_eq!(super::waiting(&bob).await.len(), 1);
    // One that goes makes room for one.
    let close = |request: reqwest::RequestBuilder| request.bearer_auth("op");
    let closed = server
        .request(Method::DELETE, "/rooms/flood-7", close)
        .await;
    closed.expect_status(204);
    server.join("another", "carol").await;
    server
        .post("/rooms/one-more/peers", "{}")
        .await
        .expect_problem(503, "overloaded");
}

#[tokio::test]
async fn rooms_from_one_address_meet_the_bound_on_its_joins() {
    let server = TestServer::with(&["--joins-per-second", "1", "--operator-token", "op"]).await;
    let paths: Vec<_> = (0..50).map(|n| format!("/rooms/flood-{n}/peers")).collect();
    let mut joined = 0;
    for answer in join_all(paths.iter().map(|path| server.post(path, "{}"))).await {
        if answer.status == 201 {
            joined += 1;
        } else {
            answer.expect_problem(429, "rate-limited");
        }
    }
    let rooms = |request: reqwest::RequestBuilder| request.bearer_auth("op");
    let rooms = server.request(Method::GET, "/rooms", rooms).await;
    assert_eq!(rooms.json["rooms"].as_array().map(Vec::len), Some(joined));
    assert!(joined < 50);
}
