//! Line breaks and their like in everything that a peer says: they make no event. Read by parsers
//! that others wrote.

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::send;
use crate::harness::{Answer, PATIENCE, Peer, TestServer, client};

/// What some parser or other ends a line or a text at.
const BREAKS: &[&str] = &[
    "\r", "\n", "\r\n", "\n\n", "\r\r", "\0", "\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{c}",
    "\u{1e}", "\u{feff}",
];

/// An event that nobody has sent, as a reader would see it if `broken` broke the line.
fn forged(broken: &str) -> String {
    let lines = [
        "x",
        "event: peer-left",
        r#"data: {"peer":"alice","reason":"kicked"}"#,
        "id: 0000000000000000-9",
        "retry: 1",
        "",
        r#"{"event":"end","data":{"reason":"kicked","retry":"never"}}"#,
        "",
    ];
    lines.join(broken)
}

type Told = Vec<(String, Value)>;

/// All events up to the one that `is_last`, by another's SSE parser.
async fn by_sse(peer: &Peer, is_last: impl Fn(&str, &Value) -> bool) -> Told {
    let request = peer
        .request(Method::GET, "/events")
        .header("last-event-id", &peer.cursor);
    let response = request.send().await.expect("an answer");
    let mut events = response.bytes_stream().eventsource();
    let mut told = Vec::new();
    let reading = async {
        while let Some(event) = events.next().await {
            let event = event.expect("a good stream");
            assert!(
                event.retry.is_none_or(|wait| wait.as_millis() >= 1000),
                "{event:?}"
            );
            let data: Value = serde_json::from_str(&event.data).expect("JSON");
            let last = is_last(&event.event, &data);
            if event.event != "ping" {
                told.push((event.event, data));
            }
            if last {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the last event in time");
    told
}

/// The same as NDJSON.
async fn by_ndjson(peer: &Peer, is_last: impl Fn(&str, &Value) -> bool) -> Told {
    let request = peer
        .request(Method::GET, "/events")
        .header("accept", "application/x-ndjson")
        .header("last-event-id", &peer.cursor);
    let response = request.send().await.expect("an answer");
    let mut bytes = response.bytes_stream();
    let (mut told, mut rest) = (Vec::new(), Vec::new());
    let reading = async {
        while let Some(piece) = bytes.next().await {
            rest.extend_from_slice(&piece.expect("bytes"));
            while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=at).collect();
                let event: Value = serde_json::from_slice(&line).expect("a JSON text a line");
                let name = event["event"].as_str().expect("a name").to_owned();
                let last = is_last(&name, &event["data"]);
                if name != "ping" {
                    told.push((name, event["data"].clone()));
                }
                if last {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the last event in time");
    told
}

/// The same by polls.
async fn by_poll(peer: &Peer) -> Told {
    let request = peer
        .request(Method::GET, "/poll?wait=0&max=1000")
        .header("last-event-id", &peer.cursor);
    let polled = Answer::of(request.send().await.expect("an answer"))
        .await
        .json;
    let events = polled["events"].as_array().expect("events");
    let pair = |event: &Value| {
        let name = event["event"].as_str().expect("a name").to_owned();
        (name, event["data"].clone())
    };
    events.iter().map(pair).collect()
}

#[tokio::test]
async fn whatever_stands_in_data_and_meta_exactly_the_events_that_were_sent_arrive() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut expected = Told::new();
    let hostile: Vec<String> = BREAKS.iter().map(|broken| forged(broken)).collect();
    let metas: Vec<Value> = hostile.iter().map(|text| json!({ (text): text })).collect();
    let alice = server
        .join_with("demo", json!({"peer": "alice", "meta": metas[0]}))
        .await;
    expected.push((
        "peer-joined".into(),
        json!({"peer": "alice", "meta": metas[0], "order": 1}),
    ));
    for text in &hostile {
        let data = json!({ (text): [text] });
        alice
            .say(json!({"to": "bob", "type": "x", "data": data}))
            .await;
        let signal = json!({"from": "alice", "type": "x", "data": data});
        expected.push(("signal".into(), signal));
    }
    // Those that JSON lets stand as they are, as they are.
    for broken in ["\u{2028}", "\u{2029}", "\u{85}", "\u{feff}", "\u{7f}"] {
        let text = forged(broken);
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let body = format!(r#"{{"to":"bob","type":"x","data":"{quoted}"}}"#);
        alice.post("/signals", body).await.expect_status(202);
        let signal = json!({"from": "alice", "type": "x", "data": text});
        expected.push(("signal".into(), signal));
    }
    // Not one that collapses with another: each is of a peer of its own.
    for (n, meta) in metas.iter().enumerate() {
        let peer = format!("peer-{n}");
        server
            .join_with("demo", json!({"peer": peer, "meta": meta}))
            .await;
        let joined = json!({"peer": peer, "meta": meta, "order": n + 2});
        expected.push(("peer-joined".into(), joined));
    }
    alice
        .say(json!({"to": "bob", "type": "bye-x", "data": "marker"}))
        .await;
    let marker = json!({"from": "alice", "type": "bye-x", "data": "marker"});
    expected.push(("signal".into(), marker.clone()));
    let is_last = |_: &str, data: &Value| *data == marker;
    assert_eq!(by_poll(&bob).await, expected);
    for told in [by_sse(&bob, is_last).await, by_ndjson(&bob, is_last).await] {
        assert_eq!(told[0].0, "ready");
        assert_eq!(told[1..], expected);
    }
}

#[tokio::test]
async fn the_detail_of_an_end_is_one_text_of_one_event() {
    let server = TestServer::with(&["--operator-token", "op"]).await;
    for (n, broken) in BREAKS.iter().enumerate() {
        let text = forged(broken);
        for (kicked, ndjson) in [(false, false), (false, true), (true, false)] {
            let room = format!("room-{n}-{kicked}-{ndjson}");
            let bob = server.join(&room, "bob").await;
            let mut url = reqwest::Url::parse(&bob.url("")).expect("a URL");
            url.query_pairs_mut().append_pair("detail", &text);
            let reader = {
                let bob = bob.clone();
                let is_end = |name: &str, _: &Value| name == "end";
                tokio::spawn(async move {
                    if ndjson {
                        by_ndjson(&bob, is_end).await
                    } else {
                        by_sse(&bob, is_end).await
                    }
                })
            };
            crate::harness::until(async || server.open_readers() > 0).await;
            let token = if kicked { "op" } else { bob.token.as_str() };
            let left = client().delete(url).bearer_auth(token).send();
            assert_eq!(left.await.expect("an answer").status(), 204);
            let told = reader.await.expect("no panic");
            let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["ready", "end"], "{broken:?}");
            let reason = if kicked { "kicked" } else { "left" };
            assert_eq!(told[1].1["reason"], reason);
            assert_eq!(told[1].1["detail"], json!(text), "{broken:?}");
            crate::harness::until(async || server.open_readers() == 0).await;
        }
    }
}

#[tokio::test]
async fn names_with_breaks_in_them_are_refused_in_every_field_and_nothing_arrives() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    for broken in BREAKS {
        let bad = format!("a{broken}b");
        for signal in [
            json!({"to": bad, "type": "x"}),
            json!({"to": "bob", "type": bad}),
            json!({"to": "bob", "type": "offer", "session": bad}),
            json!({"to": "bob", "type": "x", "session": bad}),
            json!({"to": "bob", "type": "bye", "session": bad}),
            json!({"to": "bob", "type": "x", "id": bad}),
        ] {
            let refused = alice.signal(signal.clone()).await;
            assert_eq!(refused.status, 422, "{signal} {refused:?}");
            assert!(!refused.text.contains(*broken), "{signal} {refused:?}");
        }
        for body in [json!({"peer": bad}), json!({"peer": "carol", "token": bad})] {
            let refused = server.post("/rooms/demo/peers", &body.to_string()).await;
            assert!([401, 422].contains(&refused.status), "{refused:?}");
        }
        let cursor = json!({"cursor": bad});
        for door in ["/tickets", "/poll"] {
            let refused = bob.post(door, &cursor).await;
            refused.expect_problem(400, "bad-cursor");
        }
        for query in ["cursor", "session", "wait", "max"] {
            let mut url = reqwest::Url::parse(&bob.url("/poll")).expect("a URL");
            url.query_pairs_mut().append_pair(query, &bad);
            let refused = client().get(url).bearer_auth(&bob.token).send();
            let refused = Answer::of(refused.await.expect("an answer")).await;
            assert!([400, 422].contains(&refused.status), "{refused:?}");
        }
    }
    // In headers such bytes end the header, or are refused with it.
    for name in ["Last-Event-ID", "Idempotency-Key"] {
        for broken in ["\r", "\0", "\u{b}", "\u{2028}", "\u{85}"] {
            let body = r#"{"to":"bob","type":"x","data":"smuggled"}"#;
            let request = format!(
                "POST /rooms/demo/peers/alice/signals HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Authorization: Bearer {}\r\nContent-Length: {}\r\n{name}: a{broken}b\r\n\r\n{body}",
                alice.token,
                body.len()
            );
            let statuses = send(&server, request).await.statuses();
            // This door does not look at the last event's id.
            let taken = name == "Last-Event-ID" && !["\r", "\0", "\u{b}"].contains(&broken);
            let good = if taken { 202..=202 } else { 400..=422 };
            assert!(
                good.contains(&statuses[0]),
                "{name} {broken:?} {statuses:?}"
            );
        }
    }
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    let told = super::waiting(&bob).await;
    let types: Vec<_> = told.iter().map(|signal| &signal["type"]).collect();
    assert_eq!(types, ["x", "x", "marker"], "{told:?}");
}

#[tokio::test]
async fn a_last_event_id_with_breaks_is_a_gap_and_is_not_said_back() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    for broken in ["\u{2028}", "\u{85}", "\u{feff}", " ", "%0a", "\\n"] {
        let id = format!("{}{broken}event: end", bob.cursor);
        let request = bob
            .request(Method::GET, "/events")
            .header("last-event-id", id.as_bytes());
        let mut stream = crate::harness::Stream::open(request).await;
        let ready = stream.expect("ready").await;
        assert_eq!(ready.data["gap"], json!({"reason": "bad-cursor"}));
        assert!(!ready.raw.contains("event: end"), "{ready:?}");
    }
}
