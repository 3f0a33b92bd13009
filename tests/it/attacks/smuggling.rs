//! Requests whose length two parties may see differently: none is taken, and what hides in one is
//! never carried out.

use serde_json::json;

use super::{send, waiting};
use crate::harness::{Peer, TestServer};

const DOOR: &str = "POST /rooms/demo/peers/alice/signals HTTP/1.1";

fn signal(mark: &str) -> String {
    json!({"to": "bob", "type": "x", "data": mark}).to_string()
}

/// A head with a credential and these lines.
fn head(alice: &Peer, line: &str, headers: &str) -> String {
    let token = &alice.token;
    format!("{line}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
}

/// A whole request, which would send a signal if anybody carried it out.
fn smuggled(alice: &Peer) -> String {
    let body = signal("smuggled");
    let length = format!("Content-Length: {}\r\n", body.len());
    head(alice, DOOR, &length) + &body
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Sends each; every one is refused once, the connection is closed, and nothing arrives.
async fn all_refused(server: &TestServer, bob: &Peer, alice: &Peer, requests: &[(&str, String)]) {
    for (why, request) in requests {
        let heard = send(server, request).await;
        assert!(
            matches!(heard.statuses()[..], [400 | 405 | 413 | 431]),
            "{why}: {}",
            heard.0
        );
    }
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    let told = waiting(bob).await;
    assert_eq!(
        told,
        [json!({"from": "alice", "type": "marker", "data": null})]
    );
}

async fn two(server: &TestServer) -> (Peer, Peer) {
    (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    )
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused_and_what_follows_it_is_not_read() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let (body, next) = (signal("outer"), smuggled(&alice));
    let (short, long) = (body.len(), body.len() + next.len());
    let with = |headers: &str| head(&alice, DOOR, headers);
    let in_chunks = chunked(&body);
    let after = |headers: &str, body: &str| with(headers) + body + &next;
    let length = |text: &str| format!("Content-Length: {text}\r\n");
    let chunks = "Transfer-Encoding: chunked\r\n";
    let requests = [
        (
            "two lengths",
            after(
                &(length(&short.to_string()) + &length(&long.to_string())),
                &body,
            ),
        ),
        (
            "two lengths, turned",
            after(
                &(length(&long.to_string()) + &length(&short.to_string())),
                &body,
            ),
        ),
        (
            "one length twice",
            after(&length(&short.to_string()).repeat(2), &body),
        ),
        (
            "a list of lengths",
            after(&length(&format!("{short}, {short}")), &body),
        ),
        (
            "a list of two lengths",
            after(&length(&format!("{short}, {long}")), &body),
        ),
        (
            "a length and chunks",
            after(&(length(&short.to_string()) + chunks), &in_chunks),
        ),
        (
            "chunks and a length",
            after(&(chunks.to_owned() + &length("4")), &in_chunks),
        ),
        (
            "a length of all, and chunks",
            after(
                &(length(&(in_chunks.len() + next.len()).to_string()) + chunks),
                &in_chunks,
            ),
        ),
        (
            "a length with a sign",
            after(&length(&format!("+{short}")), &body),
        ),
        ("a negative length", after(&length("-1"), &body)),
        (
            "a length in hex",
            after(&length(&format!("0x{short:x}")), &body),
        ),
        (
            "a length with a dot",
            after(&length(&format!("{short}.0")), &body),
        ),
        (
            "a length over 64 bits",
            after(&length("18446744073709551617"), &body),
        ),
        (
            "a length behind a tab of another kind",
            after(&length(&format!("\x0b{short}")), &body),
        ),
        (
            "a length with a word",
            after(&length(&format!("{short} x")), &body),
        ),
        (
            "no length's name",
            after(&format!("Content-Length : {short}\r\n"), &body),
        ),
        (
            "a length behind a space",
            after(&format!(" Content-Length: {short}\r\n"), &body),
        ),
        (
            "a length in a folded line",
            after(&format!("X-A: b\r\n Content-Length: {short}\r\n"), &body),
        ),
    ];
    all_refused(&server, &bob, &alice, &requests).await;
}

#[tokio::test]
async fn codings_that_are_not_plainly_chunked_are_refused() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let (body, next) = (signal("outer"), smuggled(&alice));
    let coded = |coding: &str| {
        head(&alice, DOOR, &format!("Transfer-Encoding: {coding}\r\n")) + &chunked(&body) + &next
    };
    let both = |line: &str| {
        let headers = format!("{line}\r\nContent-Length: {}\r\n", body.len());
        head(&alice, DOOR, &headers) + &body + &next
    };
    let old = DOOR.replace("HTTP/1.1", "HTTP/1.0");
    let requests = [
        ("another coding", coded("xchunked")),
        ("a coding before it", coded("gzip, chunked")),
        ("a coding behind it", coded("chunked, gzip")),
        ("twice", coded("chunked, chunked")),
        ("identity", both("Transfer-Encoding: identity")),
        (
            "two headers",
            coded("chunked\r\nTransfer-Encoding: identity"),
        ),
        (
            "two headers, turned",
            coded("identity\r\nTransfer-Encoding: chunked"),
        ),
        ("a quoted coding", coded("\"chunked\"")),
        ("a coding with a tab of another kind", coded("\x0bchunked")),
        ("a coding with a NUL", coded("chunked\0")),
        (
            "a space before the colon",
            both("Transfer-Encoding : chunked"),
        ),
        (
            "a tab before the colon",
            both("Transfer-Encoding\t: chunked"),
        ),
        ("a folded coding", both("Transfer-Encoding:\r\n chunked")),
        (
            "a coding behind a bare LF",
            both("X-A: b\nTransfer-Encoding: chunked"),
        ),
        (
            "a coding behind a bare CR",
            both("X-A: b\rTransfer-Encoding: chunked"),
        ),
        (
            "chunks over HTTP/1.0",
            head(&alice, &old, "Transfer-Encoding: chunked\r\n") + &chunked(&body) + &next,
        ),
    ];
    all_refused(&server, &bob, &alice, &requests).await;
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let server = TestServer::with(&["--body-timeout", "2s"]).await;
    let (alice, bob) = two(&server).await;
    let (body, next) = (signal("outer"), smuggled(&alice));
    let size = body.len();
    let chunks =
        |text: String| head(&alice, DOOR, "Transfer-Encoding: chunked\r\n") + &text + &next;
    let end = "\r\n0\r\n\r\n";
    let requests = [
        ("no number", chunks(format!("zz\r\n{body}{end}"))),
        ("a sign", chunks(format!("+{size:x}\r\n{body}{end}"))),
        ("a negative size", chunks(format!("-1\r\n{body}{end}"))),
        ("a prefix", chunks(format!("0x{size:x}\r\n{body}{end}"))),
        (
            "an underscore",
            chunks(format!("{:x}_0\r\n{body}{end}", size / 16)),
        ),
        (
            "a size over 64 bits",
            chunks(format!("10000000000000000\r\n{body}{end}")),
        ),
        (
            "a size that wraps",
            chunks(format!("1{size:016x}\r\n{body}{end}")),
        ),
        (
            "a size too small",
            chunks(format!("{:x}\r\n{body}{end}", size - 3)),
        ),
        (
            "a bare LF behind the size",
            chunks(format!("{size:x}\n{body}{end}")),
        ),
        (
            "a bare CR behind the size",
            chunks(format!("{size:x}\r{body}{end}")),
        ),
        (
            "a bare LF behind the chunk",
            chunks(format!("{size:x}\r\n{body}\n0\r\n\r\n")),
        ),
        (
            "a bare LF in an extension",
            chunks(format!("{size:x};a\nb\r\n{body}{end}")),
        ),
        ("no size", chunks(format!("\r\n{body}{end}"))),
    ];
    all_refused(&server, &bob, &alice, &requests).await;
}

#[tokio::test]
async fn heads_that_are_read_in_two_ways_are_refused() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let body = signal("outer");
    let length = format!("Content-Length: {}\r\n", body.len());
    let with = |headers: &str| head(&alice, DOOR, &format!("{headers}{length}")) + &body;
    let whole = |line: &str| head(&alice, line, &length) + &body;
    let requests = [
        ("a folded line", with("X-A: b\r\n c\r\n")),
        ("a folded line by a tab", with("X-A: b\r\n\tc\r\n")),
        ("a space before a colon", with("X-A : b\r\n")),
        ("no colon", with("X-A\r\n")),
        ("no name", with(": b\r\n")),
        ("a NUL", with("X-A: b\0c\r\n")),
        ("a bare CR", with("X-A: b\rX-B: c\r\n")),
        ("two hosts", with("Host: y\r\n")),
        (
            "no host",
            DOOR.to_owned() + "\r\n" + &length + "\r\n" + &body,
        ),
        ("a line before the line", format!(" \r\n{}", whole(DOOR))),
        ("no version", whole("POST /rooms/demo/peers/alice/signals")),
        ("another version", whole(&DOOR.replace("1.1", "2.0"))),
        (
            "a version of another case",
            whole(&DOOR.replace("HTTP", "http")),
        ),
        ("a method with a space", whole(&format!("GET {DOOR}"))),
        (
            "HTTP/2 without being asked",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ),
        (
            "200 KB of a head",
            with(&format!("X-A: {}\r\n", "a".repeat(200_000))),
        ),
        ("1,000 headers", with(&"X-A: b\r\n".repeat(1000))),
    ];
    all_refused(&server, &bob, &alice, &requests).await;
}

#[tokio::test]
async fn what_hides_in_a_body_is_never_carried_out_as_a_request() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let next = smuggled(&alice);
    let length = format!("Content-Length: {}\r\n", next.len());
    let of_get = DOOR.replace("POST", "GET").replace("signals", "sessions");
    for (request, status) in [
        (head(&alice, &of_get, &length), 200),
        (head(&alice, "POST /nothing HTTP/1.1", &length), 404),
        (head(&alice, &DOOR.replace("POST", "PUT"), &length), 405),
        (head(&alice, &DOOR.replace("alice", "bob"), &length), 403),
        (head(&alice, DOOR, &length), 400),
        (format!("{DOOR}\r\nHost: x\r\n{length}\r\n"), 401),
        (head(&alice, DOOR, "Content-Length: 5000000\r\n"), 413),
        (
            head(&alice, DOOR, &format!("Connection: close\r\n{length}")),
            400,
        ),
        // Whoever does not understand an upgrade, or a tunnel, reads on.
        (
            head(
                &alice,
                DOOR,
                &format!("Connection: upgrade\r\nUpgrade: h2c\r\n{length}"),
            ),
            400,
        ),
        (
            head(&alice, DOOR, &format!("Expect: nonsense\r\n{length}")),
            400,
        ),
    ] {
        // Where the connection is kept, the next request on it ends it.
        let last = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let heard = send(&server, format!("{request}{next}{last}")).await;
        let statuses = heard.statuses();
        let continued = statuses.iter().filter(|status| **status != 100);
        let statuses: Vec<u16> = continued.copied().collect();
        assert_eq!(statuses[0], status, "{request} {}", heard.0);
        assert!(!statuses.contains(&202), "{request} {}", heard.0);
    }
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    assert_eq!(waiting(&bob).await.len(), 1);
}

#[tokio::test]
async fn an_extension_of_a_chunk_without_an_end_ends_with_the_time_of_a_body() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::with(&["--body-timeout", "500ms"]).await;
    let (alice, bob) = two(&server).await;
    let address = server.base.trim_start_matches("http://");
    let socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let (mut reading, mut writing) = socket.into_split();
    let start = head(&alice, DOOR, "Transfer-Encoding: chunked\r\n") + "5;";
    writing.write_all(start.as_bytes()).await.expect("sent");
    let flood = tokio::spawn(async move {
        let piece = [b'a'; 1024];
        let mut sent = 0;
        while writing.write_all(&piece).await.is_ok() {
            sent += piece.len();
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        sent
    });
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    let closing = async {
        while let Ok(length @ 1..) = reading.read(&mut buffer).await {
            heard.extend_from_slice(&buffer[..length]);
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, closing)
        .await
        .expect("the close");
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    drop(reading);
    assert!(flood.await.expect("no panic") > 10_000);
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    assert_eq!(waiting(&bob).await.len(), 1);
}
