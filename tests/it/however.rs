//! Plain requests, however they come: in pieces, in one go, half closed, on a connection that waits.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Peer, Raw, TestServer, signal_of, stream_of};

fn poll_of(peer: &Peer, query: &str) -> String {
    stream_of(peer, "1.1").replacen("/events ", &format!("/poll?{query} "), 1)
}

async fn two(server: &TestServer) -> (Peer, Peer) {
    (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    )
}

fn note(n: usize) -> String {
    format!(r#"{{"to":"bob","type":"note","data":{n}}}"#)
}

/// The notes that bob has got.
async fn notes(bob: &Peer) -> Vec<u64> {
    let polled = bob.poll("wait=0&max=1000").await;
    let events = polled["events"].as_array().expect("events");
    let notes = events
        .iter()
        .filter_map(|event| event["data"]["data"].as_u64());
    notes.collect()
}

#[tokio::test]
async fn a_request_in_pieces_is_answered_once_it_is_whole() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let text = signal_of(&alice, &note(7));
    let head = text.find("\r\n\r\n").expect("a head") + 4;
    for at in [1, 20, head - 2, head, head + 1, text.len() - 1] {
        let mut raw = Raw::new(&server, &text[..at]).await;
        sleep(Duration::from_millis(30)).await;
        assert!(raw.seen.is_empty());
        raw.write(&text[at..]).await;
        raw.expect("\"results\"").await;
        assert!(raw.seen.starts_with("HTTP/1.1 202 "), "{}", raw.seen);
    }
    assert_eq!(notes(&bob).await, [7; 6]);
}

#[tokio::test]
async fn a_request_that_comes_slowly_is_answered_by_the_web_server() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let text = signal_of(&alice, &note(1));
    let mut raw = Raw::new(&server, &text[..text.len() - 5]).await;
    // It is handed over by then.
    sleep(Duration::from_millis(1500)).await;
    raw.write(&text[text.len() - 5..]).await;
    raw.expect("\"results\"").await;
    // And so is the next one on the same connection.
    raw.seen.clear();
    raw.write(&signal_of(&alice, &note(2))).await;
    raw.expect("\"results\"").await;
    assert_eq!(notes(&bob).await, [1, 2]);
}

#[tokio::test]
async fn requests_in_one_go_are_answered_in_order() {
    let flags = [
        "--signals-per-second",
        "0",
        "--signals-per-second-per-ip",
        "0",
    ];
    let server = TestServer::with(&flags).await;
    let (alice, bob) = two(&server).await;
    // More than is read in one go, and than one connection has answered in a row.
    let long = " ".repeat(800);
    let text = |n| signal_of(&alice, &(note(n) + &long));
    let all: String = (0..120).map(text).collect();
    let mut raw = Raw::new(&server, &all).await;
    while raw.seen.matches("HTTP/1.1 202 ").count() < 120 {
        assert!(raw.read().await > 0, "it ended");
    }
    assert_eq!(notes(&bob).await, (0..120).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_closes_its_side_is_answered_and_then_closed() {
    let server = TestServer::with(&["--express", "true"]).await;
    let (alice, bob) = two(&server).await;
    let both = signal_of(&alice, &note(1)) + &signal_of(&alice, &note(2));
    let mut raw = Raw::new(&server, &both).await;
    raw.socket.shutdown().await.expect("half a close");
    raw.end().await;
    assert_eq!(raw.seen.matches("HTTP/1.1 202 ").count(), 2, "{}", raw.seen);
    assert_eq!(notes(&bob).await, [1, 2]);
}

#[tokio::test]
async fn who_asks_to_close_is_closed_after_the_answer() {
    let server = TestServer::with(&["--express", "true"]).await;
    let (alice, _bob) = two(&server).await;
    let text = signal_of(&alice, &note(1)).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let mut raw = Raw::new(&server, &(text + &signal_of(&alice, &note(2)))).await;
    raw.end().await;
    assert_eq!(raw.seen.matches("HTTP/1.1 ").count(), 1, "{}", raw.seen);
    assert!(
        raw.seen
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n")
    );
}

#[tokio::test]
async fn a_poll_is_answered_on_its_connection_which_goes_on() {
    let server = TestServer::start().await;
    let (alice, bob) = two(&server).await;
    let mut raw = Raw::new(&server, &poll_of(&bob, &format!("cursor={}", bob.cursor))).await;
    for n in 1..4 {
        // It is held until there is something to tell, and what comes behind it waits its turn.
        raw.write(&poll_of(&bob, "wait=0")).await;
        sleep(Duration::from_millis(30)).await;
        alice
            .say(json!({"to": "bob", "type": "note", "data": n}))
            .await;
        while raw.seen.matches("HTTP/1.1 200 ").count() < 2 {
            assert!(raw.read().await > 0, "it ended");
        }
        raw.expect(&format!("\"data\":{n}")).await;
        raw.seen.clear();
        raw.write(&poll_of(&bob, "wait=20")).await;
        raw.expect("\"events\"").await;
        raw.seen.clear();
        raw.write(&poll_of(
            &bob,
            &format!(
                "cursor={}-{}",
                bob.cursor.split('-').next().expect("an epoch"),
                n
            ),
        ))
        .await;
    }
}

#[tokio::test]
async fn a_poll_whose_client_goes_takes_nothing_up() {
    let server = TestServer::start().await;
    let (_alice, bob) = two(&server).await;
    let raw = Raw::new(&server, &poll_of(&bob, &format!("cursor={}", bob.cursor))).await;
    let readers = |count| {
        let hub = &server.hub;
        timeout(PATIENCE, async move {
            while hub.open_readers() != count {
                sleep(Duration::from_millis(5)).await;
            }
        })
    };
    readers(1).await.expect("the poll is held");
    drop(raw);
    readers(0).await.expect("it is given up");
}

#[tokio::test]
async fn a_connection_that_is_asked_nothing_is_closed_in_time() {
    let server = TestServer::with(&["--keep-alive", "500ms"]).await;
    let (alice, _bob) = two(&server).await;
    let mut raw = Raw::new(&server, &signal_of(&alice, &note(1))).await;
    raw.expect("\"results\"").await;
    raw.end().await;
    assert_eq!(raw.seen.matches("HTTP/1.1 ").count(), 1, "{}", raw.seen);
}

#[tokio::test]
async fn as_many_connections_as_may_be_are_served_and_the_next_wait() {
    let server = TestServer::with(&["--max-connections", "2"]).await;
    let first = Raw::new(&server, "").await;
    let _second = Raw::new(&server, "").await;
    let mut third = Raw::new(&server, "GET /livez HTTP/1.1\r\nHost: here\r\n\r\n").await;
    let early = timeout(Duration::from_millis(300), third.expect("200 OK")).await;
    assert!(early.is_err(), "{}", third.seen);
    drop(first);
    third.expect("200 OK").await;
}
