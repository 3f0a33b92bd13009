//! Bounds of one address and of one peer: what is over them is refused, with when to come again, and nothing else suffers.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::config::fixed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Answer, PATIENCE, Peer, Stream, TestServer, client, until};

/// Asks as who comes from that address, through a proxy that says so.
async fn from(
    server: &TestServer,
    address: &str,
    method: Method,
    path: &str,
    body: &str,
) -> Answer {
    let with = |request: reqwest::RequestBuilder| {
        request
            .header("x-forwarded-for", address)
            .body(body.to_owned())
    };
    server.request(method, path, with).await
}

async fn join(server: &TestServer, address: &str) -> Answer {
    from(server, address, Method::POST, "/rooms/demo/peers", "{}").await
}

/// Joins again and again; the bound is one of time, and this machine may be slow.
async fn join_until_refused(server: &TestServer, from: impl Fn(usize) -> String) -> Answer {
    for n in 1..100 {
        let answer = join(server, &from(n)).await;
        if answer.status != 201 {
            assert!(n > 2, "two may join at once");
            answer.expect_problem(429, "rate-limited");
            return answer;
        }
    }
    panic!("a hundred joins were taken");
}

const TRUSTED: [&str; 2] = ["--trusted-proxy", "127.0.0.0/8"];

#[tokio::test]
async fn joins_are_counted_by_address_and_refused_with_when_to_come_again() {
    let server = TestServer::with(&[&TRUSTED[..], &["--joins-per-second", "2"]].concat()).await;
    let refused = join_until_refused(&server, |_| "192.0.2.1".to_owned()).await;
    assert_eq!(refused.header("retry-after"), "1");
    join(&server, "192.0.2.2").await.expect_status(201);
    // Of IPv6 a user has a /64, and another has another.
    join_until_refused(&server, |n| format!("2001:db8::{n}")).await;
    join(&server, "2001:db8:0:1::1").await.expect_status(201);
    until(async || join(&server, "192.0.2.1").await.status == 201).await;
}

#[tokio::test]
async fn whom_no_proxy_is_trusted_to_name_is_counted_by_where_he_connects_from() {
    let server = TestServer::with(&["--joins-per-second", "2"]).await;
    join_until_refused(&server, |n| format!("192.0.2.{n}")).await;
}

#[tokio::test]
async fn signals_are_counted_by_peer_and_what_is_refused_is_not_sent() {
    let server = TestServer::with(&["--signals-per-second", "10"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let signal = |n: usize| json!({"to": "bob", "type": "count", "data": n});
    let hundred: Vec<Value> = (0..100).map(signal).collect();
    alice.signal(Value::Array(hundred)).await.expect_status(202);
    let more: Vec<Value> = (0..100).map(|_| signal(100)).collect();
    let over = alice.signal(Value::Array(more)).await;
    over.expect_problem(429, "rate-limited");
    assert!(
        over.json["retry_after"]
            .as_u64()
            .is_some_and(|seconds| (1..=10).contains(&seconds)),
        "{over:?}"
    );
    // Another peer is not concerned, and the refused one is heard again soon.
    bob.signal(json!({"to": "alice", "type": "fine"}))
        .await
        .expect_status(202);
    until(async || alice.signal(signal(101)).await.status == 202).await;
    let polled = bob.poll("wait=0&max=1000").await;
    let counts: Vec<u64> = polled["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["data"]["data"].as_u64())
        .collect();
    assert_eq!(counts, (0..100).chain([101]).collect::<Vec<u64>>());
}

#[tokio::test]
async fn who_joins_anew_or_says_it_in_a_meta_has_no_more_to_say() {
    let server = TestServer::with(&["--signals-per-second", "1"]).await;
    let alice = server.join("demo", "alice").await;
    let hundred = vec![json!({"type": "count"}); 100];
    let spend = async |alice: &Peer| alice.signal(Value::Array(hundred.clone())).await;
    spend(&alice).await.expect_status(202);
    let wish = json!({"peer": "alice", "token": alice.token, "fresh": true});
    let anew = server.join_with("demo", wish).await;
    spend(&anew).await.expect_problem(429, "rate-limited");
    // Some may have come back meanwhile, on a slow machine; not for ever.
    let mut refused = None;
    for n in 0..1_000 {
        let answer = anew.post("/meta", json!({"n": n})).await;
        if answer.status != 204 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a bound");
    refused.expect_problem(429, "rate-limited");
}

#[tokio::test]
async fn signals_of_one_address_are_counted_together_where_that_is_wanted() {
    let server = TestServer::with(&["--signals-per-second-per-ip", "10"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let hundred = vec![json!({"to": "bob", "type": "count"}); 100];
    alice.signal(Value::Array(hundred)).await.expect_status(202);
    let hundred = vec![json!({"to": "alice", "type": "x"}); 100];
    bob.signal(Value::Array(hundred))
        .await
        .expect_problem(429, "rate-limited");
}

#[tokio::test]
async fn readers_are_counted_by_address_and_refused_softly_on_streams() {
    let server = TestServer::with(&[&TRUSTED[..], &["--max-readers-per-ip", "1"]].concat()).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let open = async |peer: &Peer, address: &str| {
        let request = client().get(peer.url("/events")).bearer_auth(&peer.token);
        Stream::open(
            request
                .header("x-forwarded-for", address)
                .header("accept", "text/event-stream"),
        )
        .await
    };
    let mut first = open(&alice, "192.0.2.1").await;
    first.expect("ready").await;
    let mut second = open(&bob, "192.0.2.1").await;
    assert_eq!(
        second.skip_to("end").await.data,
        json!({"reason": "busy", "retry": "later"})
    );
    let poll = client()
        .get(bob.url("/poll?wait=0"))
        .bearer_auth(&bob.token)
        .header("x-forwarded-for", "192.0.2.1");
    let poll = Answer::of(poll.send().await.expect("an answer")).await;
    poll.expect_problem(503, "overloaded");
    let mut elsewhere = open(&bob, "192.0.2.2").await;
    elsewhere.expect("ready").await;
    // The server may not know yet that a path has broken: who opens anew has his place.
    let mut anew = open(&alice, "192.0.2.1").await;
    anew.expect("ready").await;
    assert_eq!(first.skip_to("end").await.data["reason"], "replaced");
    drop((first, anew, elsewhere));
    until(async || {
        let mut again = open(&bob, "192.0.2.1").await;
        again.next().await.name == "ready"
    })
    .await;
}

#[tokio::test]
async fn all_mailboxes_together_hold_so_much_and_ends_are_told_all_the_same() {
    let server = TestServer::with(&["--all-mailbox-bytes", "20KiB"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let offer = json!({"to": "bob", "type": "offer", "session": "call"});
    alice.signal(offer).await.expect_status(202);
    let big = |id: &str| json!({"to": "bob", "type": "big", "id": id, "data": "x".repeat(15_000)});
    // The bound is looked at before each request: one may go over it.
    for id in ["one", "two"] {
        alice.signal(big(id)).await.expect_status(202);
    }
    let over = alice.signal(big("three")).await;
    over.expect_problem(503, "overloaded");
    assert_eq!(over.header("retry-after"), "5");
    // What was accepted is so when it is repeated too.
    let again = alice.signal(big("two")).await;
    again.expect_status(202);
    assert_eq!(again.json["results"][0]["duplicate"], true);
    let dave = server.join("demo", "dave").await;
    let to_all = alice.signal(json!({"type": "hello"})).await;
    to_all.expect_status(202);
    let to = to_all.json["results"][0]["to"].as_array().expect("to whom");
    let refused = |name: &str| {
        let one = to.iter().find(|to| to["peer"] == name);
        one.is_some_and(|to| to["refused"] == "mailbox-full")
    };
    assert!(refused("bob") && !refused("dave"), "{to:?}");
    dave.leave().await;
    // Who holds less than an equal share is not silenced by who holds more.
    let back = json!({"to": "alice", "type": "hello"});
    bob.signal(back).await.expect_status(202);
    server
        .join("other", "carol")
        .await
        .signal(json!({"type": "hello"}))
        .await
        .expect_status(202);
    let bye = json!({"to": "bob", "type": "bye", "session": "call"});
    alice.signal(bye).await.expect_status(202);

    // What was written to a reader makes room, and what was refused can be sent again.
    let polled = bob.poll("wait=0").await;
    let cursor = polled["cursor"].as_str().expect("a cursor");
    alice.signal(big("three")).await.expect_status(202);
    let first = format!("{}-0", cursor.split('-').next().expect("an epoch"));
    let lost = bob.poll(&format!("wait=0&cursor={first}")).await;
    assert!(!lost["gap"].is_null(), "{lost}");
    let names = |polled: &Value| -> Vec<String> {
        let events = polled["events"].as_array().expect("events");
        events
            .iter()
            .filter(|event| {
                let name = event["event"].as_str().unwrap_or_default();
                !name.starts_with("peer-")
            })
            .map(|event| {
                let id = event["data"]["id"].as_str();
                id.or(event["event"].as_str())
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(names(&polled), ["signal", "one", "two", "session-ended"]);
    let then = bob.poll(&format!("wait=0&cursor={cursor}")).await;
    assert_eq!(names(&then), ["three"]);
}

#[tokio::test]
async fn deep_nesting_is_refused_and_what_is_less_deep_is_passed_on_as_it_is() {
    let server = TestServer::with(&["--max-json-depth", "16"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let signal = |data: &str| format!(r#"{{"to":"bob","type":"deep","data":{data}}}"#);
    let send = async |body: String| {
        let url = alice.url("/signals");
        let request = client().post(url).bearer_auth(&alice.token).body(body);
        Answer::of(request.send().await.expect("an answer")).await
    };
    send(signal(&nested(16))).await.expect_status(202);
    // Brackets in texts nest nothing.
    send(signal(&format!(
        "\"{}\\\"{}\"",
        "[".repeat(99),
        "{".repeat(99)
    )))
    .await
    .expect_status(202);
    for deep in [17, 10_000] {
        send(signal(&nested(deep)))
            .await
            .expect_problem(422, "bad-signal");
    }
    let meta = format!(r#"{{"a":{}}}"#, nested(16));
    let body = format!(r#"{{"meta":{meta}}}"#);
    let url = "/rooms/demo/peers";
    let joined = server.request(Method::POST, url, |r| r.body(body)).await;
    joined.expect_problem(422, "bad-request");
    // Where the server itself reads, it goes no deeper than it must.
    send(nested(10_000)).await.expect_problem(422, "bad-signal");
    let polled = bob.poll("wait=0").await;
    let deep = polled["events"].as_array().expect("events").iter();
    let deep: Vec<&Value> = deep
        .filter(|event| event["event"] == "signal")
        .map(|event| &event["data"]["data"])
        .collect();
    assert_eq!(deep.len(), 2);
    assert_eq!(deep[0].to_string(), nested(16));
}

/// Sends a request on a connection of its own that is kept, and reads until the answer is whole.
async fn ask(socket: &mut TcpStream) -> String {
    socket
        .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        let byte = socket.read_u8().await.expect("an answer");
        answer.push(byte);
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed() {
    let server = TestServer::with(&["--keep-alive", "1s"]).await;
    let address = server.base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    for _ in 0..2 {
        assert!(ask(&mut socket).await.starts_with("HTTP/1.1 200"));
    }
    let more = timeout(PATIENCE, socket.read_u8()).await.expect("an end");
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn past_the_bound_on_connections_the_next_waits_until_one_is_closed() {
    let server = TestServer::with(&["--max-connections", "2", "--workers", "1"]).await;
    let address = server.base.trim_start_matches("http://");
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        ask(&mut socket).await;
        open.push(socket);
    }
    let mut third = TcpStream::connect(address).await.expect("a connection");
    let mut waiting = Box::pin(ask(&mut third));
    // Whoever is in is answered meanwhile.
    for socket in &mut open {
        for _ in 0..20 {
            ask(socket).await;
        }
    }
    let early = timeout(Duration::from_millis(1), &mut waiting).await;
    assert!(early.is_err(), "{early:?}");
    open.pop();
    let answer = timeout(PATIENCE, waiting).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"));
}

/// Sends this head, and reads what comes until the end.
async fn head(server: &TestServer, fields: &str) -> String {
    let address = server.base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
    // It may be refused before it is there in full.
    let _ = socket.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, socket.read_to_end(&mut answer))
        .await
        .expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_of_so_many_bytes_and_fields_is_read_and_no_more() {
    let server = TestServer::start().await;
    let long = |bytes: usize| format!("X-Long: {}\r\n", "x".repeat(bytes));
    let many = |count: usize| "X-Short: x\r\n".repeat(count);
    for (fields, status) in [
        (long(fixed::HEAD_BYTES - 4096), "200"),
        (long(fixed::HEAD_BYTES + 4096), "431"),
        (many(fixed::HEAD_FIELDS - 2), "200"),
        (many(fixed::HEAD_FIELDS), "431"),
    ] {
        let answer = head(&server, &fields).await;
        let bytes = fields.len();
        let told = answer.get(9..12).unwrap_or_default();
        assert_eq!(told, status, "{bytes} bytes: {answer}");
    }
}
