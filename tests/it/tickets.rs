//! Stream tickets: once, soon, for one incarnation, and worth nothing out of a log.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Peer, Stream, TestServer, client, until};

fn bare(peer: &Peer, tail: &str, ticket: &str) -> reqwest::RequestBuilder {
    client().request(Method::GET, peer.url(&format!("{tail}?ticket={ticket}")))
}

#[tokio::test]
async fn the_tickets_of_a_join_and_of_the_door_open_streams() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut first = Stream::open(bare(&bob, "/events", &bob.ticket)).await;
    first.expect("ready").await;
    for n in 1..=2 {
        alice
            .say(json!({"to": "bob", "type": "n", "data": n}))
            .await;
    }
    let cursor = first.expect("signal").await.id.expect("an id");
    let ticket = bob.ticket(Some(&cursor)).await;
    let mut second = Stream::open(bare(&bob, "/events", &ticket)).await;
    assert_eq!(second.expect("ready").await.data["resumed"], true);
    assert_eq!(
        second.expect("signal").await.data["data"],
        2,
        "the ticket carries the cursor"
    );
    let ticket = bob.ticket(None).await;
    let mut notices = Stream::open(bare(&bob, "/notices", &ticket)).await;
    notices.expect("ready").await;
}

#[tokio::test]
async fn a_spent_ticket_is_refused_but_for_the_browsers_own_reconnect() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = Stream::open(bare(&bob, "/events", &bob.ticket)).await;
    let cursor = stream.expect("ready").await.id.expect("an id");
    drop(stream);
    let again = Answer::of(
        bare(&bob, "/events", &bob.ticket)
            .send()
            .await
            .expect("one"),
    )
    .await;
    again.expect_problem(401, "bad-token");
    let foreign = bare(&bob, "/events", &bob.ticket).header("last-event-id", "00000000000000ff-1");
    Answer::of(foreign.send().await.expect("one"))
        .await
        .expect_problem(401, "bad-token");
    let request = bare(&bob, "/events", &bob.ticket).header("last-event-id", &cursor);
    let mut back = Stream::open(request).await;
    assert_eq!(back.expect("ready").await.data["resumed"], true);
}

#[tokio::test]
async fn the_ticket_of_a_replaced_reader_is_dead() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut older = Stream::open(bare(&bob, "/events", &bob.ticket)).await;
    let cursor = older.expect("ready").await.id.expect("an id");
    let mut newer = bob.events().await;
    newer.expect("ready").await;
    older.expect("end").await;
    let request = bare(&bob, "/events", &bob.ticket).header("last-event-id", &cursor);
    assert_eq!(request.send().await.expect("an answer").status(), 204);
}

#[tokio::test]
async fn a_cursor_shown_in_a_url_ends_the_reconnects_of_spent_tickets() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = Stream::open(bare(&bob, "/events", &bob.ticket)).await;
    let cursor = stream.expect("ready").await.id.expect("an id");
    drop(stream);
    // A poll beside the open stream would replace it, which kills its ticket for good.
    until(async || server.open_readers() == 0).await;
    bob.poll(&format!("cursor={cursor}&wait=0")).await;
    let request = bare(&bob, "/events", &bob.ticket).header("last-event-id", &cursor);
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    answer.expect_problem(401, "bad-token");
}

#[tokio::test]
async fn a_ticket_reads_only_and_only_for_its_peer() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let ticket = bob.ticket(None).await;
    let foreign = Answer::of(bare(&alice, "/events", &ticket).send().await.expect("one")).await;
    foreign.expect_problem(403, "not-allowed");
    let poll = Answer::of(bare(&bob, "/poll", &ticket).send().await.expect("one")).await;
    poll.expect_problem(401, "bad-token");
    let post = client()
        .post(bob.url("/signals"))
        .bearer_auth(&ticket)
        .body("{}");
    Answer::of(post.send().await.expect("one"))
        .await
        .expect_problem(401, "bad-token");
    let url = bob.url(&format!("/events?ticket={ticket}&cursor={}", bob.cursor));
    let both = Answer::of(client().get(url).send().await.expect("one")).await;
    both.expect_problem(422, "bad-request");
    let forged = Answer::of(bare(&bob, "/events", "st1.x.y").send().await.expect("one")).await;
    forged.expect_problem(401, "bad-token");
    bob.post("/tickets", json!({"cursor": "nonsense"}))
        .await
        .expect_problem(400, "bad-cursor");
}

#[tokio::test]
async fn an_event_source_of_an_ended_peer_is_told_to_stop() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let ticket = bob.ticket(None).await;
    bob.leave().await;
    for tail in ["/events", "/notices"] {
        let answer = bare(&bob, tail, &ticket).send().await.expect("an answer");
        assert_eq!(answer.status(), 204);
        let with_token = bob
            .request(Method::GET, tail)
            .send()
            .await
            .expect("an answer");
        assert_eq!(with_token.status(), 204);
        let ndjson = bob
            .request(Method::GET, tail)
            .header("accept", "application/x-ndjson");
        Answer::of(ndjson.send().await.expect("one"))
            .await
            .expect_problem(410, "ended");
    }
}

#[tokio::test]
async fn a_spent_ticket_that_carries_a_cursor_is_worth_nothing_out_of_a_log() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let ticket = bob.ticket(Some(&bob.cursor)).await;
    let mut stream = Stream::open(bare(&bob, "/events", &ticket)).await;
    assert_eq!(stream.expect("ready").await.data["resumed"], true);
    drop(stream);
    let again = bare(&bob, "/events", &ticket).send().await.expect("one");
    Answer::of(again).await.expect_problem(401, "bad-token");
}

#[tokio::test]
async fn an_event_source_may_reconnect_while_its_lost_connection_is_still_held() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut held = Stream::open(bare(&bob, "/events", &bob.ticket)).await;
    let cursor = held.expect("ready").await.id.expect("an id");
    for _ in 0..3 {
        let back = bare(&bob, "/events", &bob.ticket).header("last-event-id", &cursor);
        let mut back = Stream::open(back).await;
        back.expect("ready").await;
    }
    held.expect("end").await;
}
