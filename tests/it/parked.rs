//! Open streams leave the web server: what that leaves as it was, and what ends with it.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Raw, TestServer, signal_of, stream_of};

/// Waits until so many streams are parked.
async fn until_parked(server: &TestServer, count: usize) {
    let waits = async {
        while server.lot.under_way() != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let came = timeout(PATIENCE, waits).await;
    came.unwrap_or_else(|_| panic!("{} streams are parked, not {count}", server.lot.under_way()));
}

const PARKING: &[&str] = &["--express", "true"];

#[tokio::test]
async fn an_open_stream_has_the_usual_head_and_its_first_event_in_one_piece() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
    raw.read().await;
    let (head, body) = raw.seen.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<_> = head.split("\r\n").map(str::to_ascii_lowercase).collect();
    assert_eq!(lines.remove(0), "http/1.1 200 ok");
    let told = |name: &str| {
        let mut values = lines.iter().filter_map(|line| line.strip_prefix(name));
        let value = values.next().map(|value| value.trim_start_matches(": "));
        assert_eq!(values.next(), None, "{name} twice in {head}");
        value
    };
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("cache-control", "no-store, no-cache, no-transform"),
        ("content-encoding", "identity"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(told(name), Some(value), "{name} in {head}");
    }
    assert!(told("date").is_some() && told("content-length").is_none());
    let (size, rest) = body.split_once("\r\n").expect("a chunk");
    let size = usize::from_str_radix(size, 16).expect("its size");
    assert!(rest[..size].contains("\nevent: ready\n"), "{body}");
    assert_eq!(&rest[size..], "\r\n");
    assert_eq!(server.lot.under_way(), 1);
}

#[tokio::test]
async fn http_1_0_has_no_chunks() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.0")).await;
    raw.expect("\nevent: ready\n").await;
    let (head, body) = raw.seen.split_once("\r\n\r\n").expect("a head");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"));
    assert!(body.starts_with("retry: "), "{body}");
    until_parked(&server, 1).await;
    alice.leave().await;
    raw.end().await;
    assert!(raw.seen.ends_with("\n\n"), "{}", raw.seen);
}

#[tokio::test]
async fn requests_before_a_stream_are_answered_and_requests_behind_it_are_not() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let bob = server.join("demo", "bob").await;
    let note = r#"{"to":"bob","type":"note"}"#;
    // All in one segment: the one behind the stream is part of what is read before it leaves.
    let text = [
        signal_of(&alice, note),
        signal_of(&alice, note),
        stream_of(&alice, "1.1"),
        signal_of(&alice, note),
    ];
    let mut raw = Raw::new(&server, &text.concat()).await;
    raw.expect("\nevent: ready\n").await;
    assert_eq!(raw.seen.matches("HTTP/1.1 202").count(), 2, "{}", raw.seen);
    until_parked(&server, 1).await;
    raw.write(&signal_of(&alice, note)).await;
    bob.say(json!({"to": "alice", "type": "hello"})).await;
    raw.expect("\"hello\"").await;
    assert_eq!(raw.seen.matches("HTTP/1.1 ").count(), 3, "{}", raw.seen);
    let polled = bob.poll("wait=0").await;
    let events = polled["events"].as_array().expect("events");
    let notes = events.iter().filter(|event| event["event"] == "signal");
    assert_eq!(notes.count(), 2, "{polled}");
}

#[tokio::test]
async fn who_sends_on_and_on_into_a_stream_is_cut_off() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
    raw.expect("\nevent: ready\n").await;
    let much = "x".repeat(64 * 1024);
    // The connection is reset under it, sooner or later.
    while raw.socket.write_all(much.as_bytes()).await.is_ok() {}
    until_parked(&server, 0).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_last_chunk_and_takes_nothing_any_more() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
    raw.expect("\nevent: ready\n").await;
    alice.leave().await;
    raw.end().await;
    assert!(raw.seen.ends_with("\n\n\r\n0\r\n\r\n"), "{}", raw.seen);
    assert_eq!((server.open_readers(), server.lot.under_way()), (0, 0));
    // Its client keeps the connection; the server does not.
    raw.gone(&server).await;
}

#[tokio::test]
async fn a_closed_connection_is_seen_at_once() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    for reset in [false, true] {
        let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
        raw.expect("\nevent: ready\n").await;
        until_parked(&server, 1).await;
        if reset {
            raw.socket.set_zero_linger().expect("a setting");
        }
        drop(raw);
        until_parked(&server, 0).await;
        assert_eq!(server.open_readers(), 0);
    }
}

#[tokio::test]
async fn all_end_with_the_server() {
    let mut server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
    raw.expect("\nevent: ready\n").await;
    server.ask_to_stop();
    raw.end().await;
    assert!(raw.seen.contains(r#"{"reason":"drain""#), "{}", raw.seen);
    assert!(raw.seen.ends_with("0\r\n\r\n"), "{}", raw.seen);
    server.gone().await;
    assert!(server.lot.is_empty());
}

#[tokio::test]
async fn a_stream_that_does_not_leave_is_written_by_the_web_server() {
    let server = TestServer::with(&["--express", "false"]).await;
    let alice = server.join("demo", "alice").await;
    let mut raw = Raw::new(&server, &stream_of(&alice, "1.1")).await;
    raw.expect("\nevent: ready\n").await;
    let head = raw.seen.to_ascii_lowercase();
    assert!(
        head.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{head}"
    );
    assert!(server.lot.under_way() == 0 && server.open_readers() == 1);
    alice.leave().await;
    raw.expect("0\r\n\r\n").await;
}

/// In how many milliseconds the kernel asks whether the client of this connection is still there;
/// by Linux's `/proc/net/tcp`, whose times are in hundredths of a second.
#[cfg(target_os = "linux")]
fn asks_in(server: &TestServer, raw: &Raw) -> Option<u64> {
    let port = |base: &str| base.rsplit(':').next().and_then(|port| port.parse().ok());
    let own: u16 = port(&server.base).expect("a port");
    let theirs = raw.socket.local_addr().expect("an address").port();
    let ends = [format!(":{own:04X}"), format!(":{theirs:04X}")];
    let all = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let rows = all.lines().map(|line| line.split_whitespace().collect());
    let row: Vec<&str> = rows
        .filter(|row: &Vec<&str>| row.len() > 5)
        .find(|row| row[1].ends_with(&ends[0]) && row[2].ends_with(&ends[1]))
        .expect("the connection");
    let (kind, rest) = row[5].split_once(':').expect("a timer");
    let rest = u64::from_str_radix(rest, 16).expect("a time");
    (kind == "02").then_some(rest * 10)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_only_waits_for_an_answer_is_asked_early_whether_it_is_there() {
    let server = TestServer::with(PARKING).await;
    let alice = server.join("demo", "alice").await;
    let stream = stream_of(&alice, "1.1");
    let poll = stream.replacen("/events ", "/poll?wait=25 ", 1);
    for (request, bound) in [(stream, 10_000..19_000), (poll, 0..9_000)] {
        let mut raw = Raw::new(&server, &request).await;
        until_parked(&server, 1).await;
        let in_bound = async {
            while !asks_in(&server, &raw).is_some_and(|asks_in| bound.contains(&asks_in)) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let came = timeout(PATIENCE, in_bound).await;
        came.unwrap_or_else(|_| panic!("{:?}, not {bound:?}", asks_in(&server, &raw)));
        raw.socket.shutdown().await.expect("an end");
        raw.end().await;
        until_parked(&server, 0).await;
    }
}
