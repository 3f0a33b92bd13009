//! Hostile data arrives byte for byte or is refused; it forges nothing.

use serde_json::{Value, json};

use crate::harness::TestServer;

#[tokio::test]
async fn data_arrives_as_it_was_sent_but_for_white_space_between_tokens() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let half = format!("\"{}\"", "\\\"".repeat(30_000));
    for (sent, arrives) in [
        (
            "{\"b\": 1.0, \"a\":\t1e5,\r\n\"a\": -0 }",
            r#"{"b":1.0,"a":1e5,"a":-0}"#,
        ),
        (
            r#""line\nbreak \u2028 \u0000 \ud800 end""#,
            r#""line\nbreak \u2028 \u0000 \ud800 end""#,
        ),
        (
            "\"\u{2028}\u{2029}\u{85}\u{feff}\u{7f}\"",
            "\"\u{2028}\u{2029}\u{85}\u{feff}\u{7f}\"",
        ),
        (
            r#""\n\nevent: end\ndata: {}\n\n""#,
            r#""\n\nevent: end\ndata: {}\n\n""#,
        ),
        ("[ 1 ,\n2 ]", "[1,2]"),
        (
            "12345678901234567890.12345678901234567890",
            "12345678901234567890.12345678901234567890",
        ),
        (&half, &half),
        (&deep, &deep),
        ("null", "null"),
    ] {
        let body = format!(r#"{{"to":"bob","type":"hello","data":{sent}}}"#);
        alice.post("/signals", body).await.expect_status(202);
        let event = stream.raw("signal").await;
        assert_eq!(
            event,
            format!(r#"{{"from":"alice","type":"hello","data":{arrives}}}"#)
        );
    }
    // The same through the other two readers.
    let told = bob.get("/poll?wait=0").await;
    assert!(told.text.contains(r#""data":{"b":1.0,"a":1e5,"a":-0}"#));
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let wrap = |data: &[u8]| [br#"{"to":"bob","type":"hello","data":"#, data, b"}"].concat();
    for data in [
        &b"\"a\nb\""[..],
        b"\"a\rb\"",
        b"\"a\0b\"",
        b"\"\xff\xfe\"",
        b"\"\xed\xa0\x80\"",
        b"\"\\x\"",
        b"01",
        b"+1",
        b"NaN",
        b"'a'",
        b"{a:1}",
        b"[1,]",
        b"\"unfinished",
        b"{} {}",
    ] {
        let request = alice
            .request(reqwest::Method::POST, "/signals")
            .body(wrap(data));
        let answer = request.send().await.expect("an answer");
        let answer = crate::harness::Answer::of(answer).await;
        answer.expect_problem(400, "bad-json");
    }
}

#[tokio::test]
async fn sizes_are_refused_one_byte_past_their_bound() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let text = |length: usize| json!({"to": "bob", "type": "x", "data": "x".repeat(length - 2)});
    alice.signal(text(64 * 1024)).await.expect_status(202);
    alice
        .signal(text(64 * 1024 + 1))
        .await
        .expect_problem(413, "too-large");
    let quotes = format!(
        r#"{{"to":"bob","type":"x","data":"{}"}}"#,
        "\\\"".repeat(64 * 1024)
    );
    alice
        .post("/signals", quotes)
        .await
        .expect_problem(413, "too-large");
    let padded = format!("{}{}", " ".repeat(256 * 1024), text(10));
    alice
        .post("/signals", padded)
        .await
        .expect_problem(413, "too-large");
    let second: Value = json!([text(100), text(65 * 1024)]);
    let partly = alice.signal(second).await;
    partly.expect_status(202);
    assert_eq!(
        partly.json["refused"]["problem"]["type"],
        "/problems/too-large"
    );
    let told = bob.poll("wait=0").await;
    assert_eq!(told["events"].as_array().map(Vec::len), Some(2));
    let wide = format!(r#"{{"peer":"c","meta":"{}"}}"#, "x".repeat(20_000));
    server
        .post("/rooms/demo/peers", &wide)
        .await
        .expect_problem(413, "too-large");
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_read() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let address = server.base.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let head = format!(
        "POST /rooms/demo/peers/alice/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 10000000\r\n\r\n",
        alice.token
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut first = [0; 64];
    let read = tokio::time::timeout(crate::harness::PATIENCE, socket.read(&mut first));
    let length = read.await.expect("in time").expect("an answer");
    let text = String::from_utf8_lossy(&first[..length]).into_owned();
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}
