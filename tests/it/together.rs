//! Many readers that are woken by one request: each gets all, once and in order, and its end.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Peer, Raw, TestServer, signal_of, stream_of, until};

/// More than twice as many as are prepared before they are written.
const MANY: usize = 150;
const TOKEN: &str = "an operator of this test";
const FLAGS: &[&str] = &["--max-peers-per-room", "0", "--operator-token", TOKEN];

/// What stands between a mark in front of each note and what follows.
fn notes(seen: &str) -> Vec<&str> {
    let after = seen.split(r#""data":"note "#).skip(1);
    after.filter_map(|rest| rest.split('"').next()).collect()
}

async fn streams(server: &TestServer, peers: &[Peer]) -> Vec<Raw> {
    let opened = peers.iter().map(async |peer| {
        let mut raw = Raw::new(server, &stream_of(peer, "1.1")).await;
        raw.expect("\nevent: ready\n").await;
        raw
    });
    join_all(opened).await
}

#[tokio::test]
async fn a_broadcast_reaches_all_streams_and_polls_once_and_in_order() {
    let server = TestServer::with(FLAGS).await;
    let sender = server.join("demo", "sender").await;
    let mut peers = Vec::new();
    for n in 0..MANY {
        peers.push(server.join("demo", &format!("peer-{n}")).await);
    }
    let (polling, streaming) = peers.split_at(30);
    let mut streams = streams(&server, streaming).await;
    // All that is there first, so that the next poll is held.
    let firsts = polling.iter().map(|peer| peer.poll("wait=0&max=1000"));
    let firsts = join_all(firsts).await;
    let polls = join_all(polling.iter().zip(&firsts).map(async |(peer, first)| {
        let cursor = first["cursor"].as_str().expect("a cursor");
        peer.poll(&format!("wait=20&cursor={cursor}")).await
    }));
    let last = MANY - 30;
    let told = async {
        // Readers that go while others are written change nothing for those.
        for (n, gone) in streams.drain(..10).enumerate() {
            drop(gone);
            let note = json!({"type": "note", "data": format!("note {n}")});
            sender.say(note).await;
        }
        let several: Vec<_> = (10..last)
            .map(|n| json!({"type": "note", "data": format!("note {n}")}))
            .collect();
        for some in several.chunks(40) {
            sender.say(json!(some)).await;
        }
        streams
    };
    let (answers, mut streams) = tokio::join!(polls, told);
    for answer in answers {
        let text = answer.to_string();
        assert_eq!(notes(&text).first(), Some(&"0"), "{text}");
    }
    let wanted: Vec<_> = (0..last).map(|n| n.to_string()).collect();
    for raw in &mut streams {
        raw.expect(&format!("note {}\"", last - 1)).await;
        assert_eq!(notes(&raw.seen), wanted, "{}", raw.seen);
    }
}

#[tokio::test]
async fn requests_behind_polls_that_end_together_are_answered() {
    // That one of them is away would end the others' polls.
    let server = TestServer::with(&[FLAGS, &["--away-after", "25s"]].concat()).await;
    let mut peers = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        peers.push(server.join("demo", name).await);
    }
    let [waiting @ .., sender] = &peers[..] else {
        panic!("no peers");
    };
    let mut raws = Vec::new();
    for peer in waiting {
        let first = peer.poll("wait=0").await;
        let cursor = first["cursor"].as_str().expect("a cursor");
        let poll = format!("/poll?wait=20&cursor={cursor} ");
        let poll = stream_of(peer, "1.1").replacen("/events ", &poll, 1);
        let behind = signal_of(peer, r#"{"to":"dave","type":"note"}"#);
        raws.push(Raw::new(&server, &format!("{poll}{behind}")).await);
    }
    until(async || server.open_readers() == waiting.len()).await;
    sender.say(json!({"type": "note", "data": "note 1"})).await;
    for raw in &mut raws {
        raw.expect("HTTP/1.1 202 Accepted\r\n").await;
        let polled = raw.seen.split("HTTP/1.1 202").next().unwrap_or_default();
        assert_eq!(notes(polled), ["1"], "{}", raw.seen);
    }
}

#[tokio::test]
async fn all_streams_end_with_their_room() {
    let server = TestServer::with(FLAGS).await;
    let mut peers = Vec::new();
    for n in 0..MANY {
        peers.push(server.join("demo", &format!("peer-{n}")).await);
    }
    let mut streams = streams(&server, &peers).await;
    let closed = server
        .request(Method::DELETE, "/rooms/demo", |request| {
            request.bearer_auth(TOKEN)
        })
        .await;
    closed.expect_status(204);
    for raw in &mut streams {
        raw.expect("0\r\n\r\n").await;
        let end = r#"{"reason":"room-closed","retry":"never"}"#;
        assert!(raw.seen.contains(end), "{}", raw.seen);
        assert!(raw.seen.ends_with("0\r\n\r\n"), "{}", raw.seen);
    }
    assert_eq!(server.open_readers(), 0);
}
