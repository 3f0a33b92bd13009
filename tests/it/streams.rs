//! Streams: `ready`, pings, replay, resume, takeover; SSE and NDJSON alike.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, Stream, TestServer};

#[tokio::test]
async fn a_stream_begins_with_retry_and_ready_and_a_ping_of_its_own() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    server.join("demo", "bob").await;
    alice.poll("wait=0").await;
    let mut stream = alice.events().await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("content-encoding", "identity"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(
            stream.headers.get(name).map(|v| v.to_str().expect("text")),
            Some(value)
        );
    }
    let ready = stream.expect("ready").await;
    assert_eq!(stream.retries.len(), 1);
    assert!((1000..=3000).contains(&stream.retries[0]));
    assert_eq!(
        ready.id.as_deref(),
        Some(alice.cursor.as_str()),
        "where the replay starts"
    );
    let data = &ready.data;
    assert_eq!(data["cursor"], alice.cursor);
    assert_eq!(data["room"], "demo");
    assert_eq!(data["peer"], "alice");
    assert_eq!(
        (&data["resumed"], &data["replayed"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(data["peers"][0]["peer"], "bob");
    assert_eq!(data["sessions"], json!([]));
    assert!(data.get("gap").is_none());
    stream.expect("peer-joined").await;
    let ping = stream.any().await.expect("a ping");
    assert_eq!(
        (ping.name.as_str(), ping.id, ping.raw.as_str()),
        ("ping", None, "{}")
    );
}

#[tokio::test]
async fn pings_come_at_every_heartbeat_and_not_beside_other_events() {
    let server = TestServer::with(&["--heartbeat", "400ms"]).await;
    let alice = server.join("demo", "alice").await;
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    let started = std::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(stream.any().await.expect("a ping").name, "ping");
    }
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(1000),
        "300 ms, then two heartbeats: {took:?}"
    );
}

#[tokio::test]
async fn padding_comes_where_it_is_asked_for() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let mut stream = alice.stream("/events?pad=1", None).await;
    stream.expect("ready").await;
    assert_eq!(stream.comments, 1);
}

#[tokio::test]
async fn a_reader_that_comes_back_with_its_cursor_misses_and_repeats_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut seen = Vec::new();
    let mut cursor = bob.cursor.clone();
    for round in 0..5 {
        for n in 0..4 {
            let signal = json!({"to": "bob", "type": "n", "data": round * 4 + n});
            alice.say(signal).await;
        }
        let mut stream = bob.events_after(&cursor).await;
        let ready = stream.expect("ready").await;
        assert_eq!(ready.data["resumed"], true);
        assert_eq!(ready.id.as_deref(), Some(cursor.as_str()));
        assert_eq!(ready.data["replayed"], if round == 0 { 4 } else { 5 });
        assert!(ready.data.get("peers").is_none());
        // One of the four is left unread: it was written, but the client did not show that it came.
        for _ in 0..ready.data["replayed"].as_u64().expect("a number") - 1 {
            let event = stream.expect("signal").await;
            seen.push(event.data["data"].as_i64().expect("a number"));
            cursor = event.id.expect("an id");
        }
    }
    assert_eq!(seen, (0..19).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cut_right_after_ready_loses_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    let mut first = bob.events().await;
    let ready = first.expect("ready").await;
    drop(first);
    let mut second = bob.events_after(&ready.id.expect("an id")).await;
    assert_eq!(second.expect("ready").await.data["resumed"], true);
    assert_eq!(second.expect("signal").await.data["data"], 1);
}

#[tokio::test]
async fn a_reader_with_a_foreign_or_broken_cursor_is_told_of_the_gap() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1", "data": 1}))
        .await;
    let ahead = bob.cursor.replace("-0", "-99");
    for (cursor, reason) in [
        ("00000000000000ff-3", "reset"),
        (ahead.as_str(), "reset"),
        ("nonsense", "bad-cursor"),
    ] {
        let mut stream = bob.events_after(cursor).await;
        let ready = stream.expect("ready").await.data;
        assert_eq!(ready["resumed"], false);
        assert_eq!(ready["gap"], json!({"reason": reason}));
        assert_eq!(ready["peers"][0]["peer"], "alice");
        let open = json!([{"session": "s1", "peer": "alice", "state": "offered"}]);
        assert_eq!(ready["sessions"], open);
        stream.expect("signal").await;
    }
}

#[tokio::test]
async fn evicted_events_are_counted_in_the_gap() {
    let server = TestServer::with(&["--mailbox-events", "4"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    for n in 0..10 {
        alice
            .say(json!({"to": "bob", "type": "n", "data": n}))
            .await;
        stream.expect("signal").await;
    }
    let mut late = bob.events_after(&bob.cursor).await;
    let ready = late.expect("ready").await.data;
    assert_eq!(ready["gap"], json!({"reason": "evicted", "lost": 6}));
    assert_eq!(ready["replayed"], 4);
    assert_eq!(late.expect("signal").await.data["data"], 6);
}

#[tokio::test]
async fn the_cursor_may_stand_in_the_query_under_three_names() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for n in 1..=2 {
        alice
            .say(json!({"to": "bob", "type": "n", "data": n}))
            .await;
    }
    let first = bob.cursor.replace("-0", "-1");
    for name in ["cursor", "last_event_id", "lastEventId"] {
        let mut stream = bob.stream(&format!("/events?{name}={first}"), None).await;
        assert_eq!(stream.expect("ready").await.data["resumed"], true, "{name}");
        assert_eq!(stream.expect("signal").await.data["data"], 2);
    }
    let mut both = bob.stream("/events?cursor=nonsense", Some(&first)).await;
    assert_eq!(
        both.expect("ready").await.data["resumed"],
        true,
        "the header comes first"
    );
}

#[tokio::test]
async fn the_newest_reader_wins_and_the_older_is_told() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut older = bob.events().await;
    older.expect("ready").await;
    let mut newer = bob.events().await;
    newer.expect("ready").await;
    let end = older.expect("end").await;
    assert_eq!(end.data, json!({"reason": "replaced", "retry": "never"}));
    assert_eq!(end.id, None);
    assert!(older.any().await.is_none());
    drop(older);
    let told = alice.say(json!({"to": "bob", "type": "n"})).await;
    assert_eq!(
        told["results"][0]["to"][0]["state"], "live",
        "late clean-up touches nothing"
    );
    newer.expect("signal").await;
}

#[tokio::test]
async fn ndjson_tells_the_same_as_sse() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1", "data": {"a": 1.0}}))
        .await;
    bob.leave().await;
    let bob = server.join("demo", "bob").await;
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s2", "data": {"a": 1}}))
        .await;
    let request = bob
        .request(Method::GET, "/events")
        .header("accept", "application/x-ndjson");
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let reading = tokio::spawn(async move { Answer::of(response).await });
    crate::harness::until(async || {
        let told = alice.say(json!({"to": "bob", "type": "marker"})).await;
        told["results"][0]["to"][0]["state"] == "live"
    })
    .await;
    bob.leave().await;
    let answer = tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an end")
        .expect("a body");
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["event"], "ready");
    assert_eq!(lines[0]["id"], bob.cursor);
    let offer = json!({"from": "alice", "type": "offer", "session": "s2", "data": {"a": 1}});
    let first = bob.cursor.replace("-0", "-1");
    assert_eq!(
        lines[1],
        json!({"id": first, "event": "signal", "data": offer})
    );
    let end = json!({"event": "end", "data": {"reason": "left", "retry": "never"}});
    assert_eq!(lines.last(), Some(&end));
}

#[tokio::test]
async fn a_reader_may_change_its_transport_at_any_event() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let (mut seen, mut cursor) = (Vec::new(), bob.cursor.clone());
    for n in 0..30 {
        alice
            .say(json!({"to": "bob", "type": "n", "data": n}))
            .await;
        if n % 3 == 0 {
            let mut stream = bob.events_after(&cursor).await;
            stream.expect("ready").await;
            let event = stream.expect("signal").await;
            cursor = event.id.expect("an id");
            seen.push(event.data["data"].clone());
        } else {
            let request = bob
                .request(Method::GET, "/poll?wait=5&max=1")
                .header("last-event-id", &cursor);
            let told = Answer::of(request.send().await.expect("an answer"))
                .await
                .json;
            cursor = told["cursor"].as_str().expect("a cursor").to_owned();
            seen.push(told["events"][0]["data"]["data"].clone());
        }
    }
    assert_eq!(seen, (0..30).map(|n| json!(n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn to_http_1_0_a_stream_is_delimited_by_its_close() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let address = server.base.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let head = format!(
        "GET /rooms/demo/peers/alice/events HTTP/1.0\r\nAuthorization: Bearer {}\r\n\r\n",
        alice.token
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("event: ping") {
        let read = tokio::time::timeout(PATIENCE, socket.read(&mut buffer)).await;
        let length = read.expect("in time").expect("bytes");
        assert_ne!(length, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    alice.leave().await;
    socket.read_to_string(&mut text).await.expect("the close");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("retry: "), "no chunk sizes: {body}");
    assert!(body.contains("event: end\ndata: {\"reason\":\"left\""));
}

#[tokio::test]
async fn readers_are_bounded_and_a_stream_past_the_bound_ends_busy() {
    let server = TestServer::with(&["--max-readers", "1"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut first = alice.events().await;
    first.expect("ready").await;
    let mut second = Stream::open(bob.request(Method::GET, "/events")).await;
    let end = second.expect("end").await;
    assert_eq!(end.data, json!({"reason": "busy", "retry": "later"}));
    assert_eq!(second.retries.len(), 1);
    assert!(second.any().await.is_none());
    bob.get("/poll?wait=0")
        .await
        .expect_problem(503, "overloaded");
    let mut again = alice.events().await;
    again.expect("ready").await;
}

#[tokio::test]
async fn a_reader_that_closes_is_noticed_at_once() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    assert_eq!(server.open_readers(), 1);
    drop(stream);
    crate::harness::until(async || server.open_readers() == 0).await;
}

#[tokio::test]
async fn a_clocked_stream_says_when_it_writes_and_pings_at_growing_distances() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.stream("/events?clock=1", None).await;
    let ready = stream.expect("ready").await.data["sent_ms"].as_u64();
    let mut last = ready.expect("a time");
    for least in [250, 800, 1100] {
        let ping = stream.any().await.expect("a ping");
        assert_eq!((ping.name.as_str(), ping.id), ("ping", None));
        let sent = ping.data["sent_ms"].as_u64().expect("a time");
        assert!(sent >= last + least, "{sent} comes too soon after {last}");
        last = sent;
    }
    let mut plain = bob.events().await;
    assert!(plain.expect("ready").await.data.get("sent_ms").is_none());
    let ping = plain.any().await.expect("a ping");
    assert_eq!((ping.name.as_str(), ping.data), ("ping", json!({})));
}
