//! HTTP/2 within TLS: many streams on one connection, under the same bounds as anything else.

use std::time::Duration;

use actix_web::web::Bytes;
use h2::Reason;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::multiplex::{Multiplex, secured, whole};
use crate::harness::{PATIENCE, until};

#[tokio::test]
async fn many_streams_share_a_connection_and_each_hears_what_is_for_it() {
    let (server, _certificate) = secured(&[]).await;
    let client = Multiplex::open(&server.base).await;
    let mut streams = Vec::new();
    for n in 0..40 {
        let (room, name) = (format!("room-{n}"), "bob");
        let (alice, bob) = (
            client.join(&room, "alice").await,
            client.join(&room, name).await,
        );
        let path = format!("/rooms/{room}/peers/bob/events");
        let mut stream = client.events(&path, &bob).await;
        stream.until("event: ready").await;
        streams.push((room, alice, stream));
    }
    for (room, alice, _) in &streams {
        let path = format!("/rooms/{room}/peers/alice/signals");
        let signal = json!({"to": "bob", "type": "offer", "session": "s", "data": room});
        let sent = client
            .call(("POST", &path, alice), &signal.to_string())
            .await;
        assert_eq!(sent.expect("an answer").0, 202);
    }
    for (room, _, stream) in &mut streams {
        stream.until(&format!("\"data\":\"{room}\"")).await;
    }
    assert_eq!(server.open_readers(), 40);
    let (status, _) = client
        .call(
            (
                "POST",
                "/rooms/room-0/peers/alice/poll?wait=0",
                &streams[0].1,
            ),
            "{}",
        )
        .await
        .expect("an answer");
    assert_eq!(status, 200);
}

#[tokio::test]
async fn curl_speaks_both_versions_and_is_told_the_same() {
    let (server, certificate) = secured(&[]).await;
    let url = server.base.replace("127.0.0.1", "localhost");
    let mut pages = Vec::new();
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let ran = Command::new("curl")
            .args(["-sS", "--cacert", &certificate.chain(), flag])
            .args(["-w", "\n%{http_version} %{http_code}", &url])
            .output()
            .await;
        let ran = ran.expect("please install curl");
        let said = String::from_utf8(ran.stdout).expect("text");
        let (page, told) = said.rsplit_once('\n').expect("lines");
        assert_eq!(told, format!("{version} 200"));
        pages.push(page.to_owned());
    }
    // Each time it is another room.
    assert_eq!(pages[0].len(), pages[1].len());
    assert!(
        pages[0].contains(&url.replace("https://", "")),
        "the host that was asked for"
    );
}

#[tokio::test]
async fn a_client_that_gives_up_a_stream_or_goes_is_seen_at_once() {
    let (server, _certificate) = secured(&["--away-after", "200ms"]).await;
    let client = Multiplex::open(&server.base).await;
    let (alice, bob) = (
        client.join("demo", "alice").await,
        client.join("demo", "bob").await,
    );
    let mut told = client
        .events("/rooms/demo/peers/alice/events", &alice)
        .await;
    let stream = client.events("/rooms/demo/peers/bob/events", &bob).await;
    let held = client
        .ask(("GET", "/rooms/demo/peers/bob/notices", &bob), true)
        .await;
    until(async || server.open_readers() >= 2).await;
    drop((stream, held));
    told.until("event: peer-away").await;
    until(async || server.open_readers() == 1).await;
    client.end.abort();
    until(async || server.open_readers() == 0).await;
}

#[tokio::test]
async fn an_answer_that_its_client_leaves_no_room_for_is_given_up() {
    let (server, _certificate) = secured(&["--slow-after", "300ms"]).await;
    let client = Multiplex::shut(&server.base).await;
    let asked = client.ask(("GET", "/livez", ""), true).await;
    let (answer, _) = asked.expect("a stream of HTTP/2");
    let answer = answer.await.expect("a head");
    assert_eq!(answer.status(), 200);
    let told = timeout(PATIENCE, whole(answer)).await;
    let told = told.expect("its end in time");
    assert_eq!(told.expect_err("no room").reason(), Some(Reason::CANCEL));
}

#[tokio::test]
async fn so_many_requests_are_under_way_on_a_connection_and_of_an_address() {
    let flags = ["--max-streams-per-connection", "3"];
    let (server, _certificate) = secured(&flags).await;
    let client = Multiplex::open(&server.base).await;
    let mut held = Vec::new();
    for peer in ["ada", "bob", "cleo"] {
        let token = client.join("demo", peer).await;
        let path = format!("/rooms/demo/peers/{peer}/events");
        held.push(client.events(&path, &token).await);
    }
    assert_eq!(client.requests.current_max_send_streams(), 3);
    let (mut fourth, _) = client
        .ask(("GET", "/livez", ""), true)
        .await
        .expect("sent later");
    let early = timeout(Duration::from_millis(300), &mut fourth).await;
    assert!(early.is_err(), "the next one waits at the client");
    drop(held);
    let (status, _) = whole(fourth.await.expect("an answer"))
        .await
        .expect("whole");
    assert_eq!(status, 200);

    let (server, _certificate) = secured(&["--max-connections-per-ip", "3"]).await;
    let client = Multiplex::open(&server.base).await;
    let token = client.join("demo", "alice").await;
    let first = client
        .events("/rooms/demo/peers/alice/events", &token)
        .await;
    let bob = client.join("demo", "bob").await;
    let second = client.events("/rooms/demo/peers/bob/events", &bob).await;
    let refused = client
        .call(("GET", "/livez", ""), "")
        .await
        .expect_err("full");
    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
    drop(first);
    until(async || client.call(("GET", "/livez", ""), "").await.is_ok()).await;
    drop(second);
}

#[tokio::test]
async fn bodies_and_heads_have_their_bounds() {
    let (server, _certificate) = secured(&["--body-timeout", "300ms"]).await;
    let client = Multiplex::open(&server.base).await;
    let large = "x".repeat(1 << 20);
    let join = ("POST", "/rooms/demo/peers", "");
    let (status, said) = client.call(join, &large).await.expect("an answer");
    assert_eq!(
        (status, &said["type"]),
        (413, &json!("/problems/too-large"))
    );
    let (answer, mut sending) = client.ask(join, false).await.expect("a stream");
    sending
        .send_data(Bytes::from_static(b"{"), false)
        .expect("sent");
    let (status, _) = whole(answer.await.expect("an answer"))
        .await
        .expect("whole");
    assert_eq!(status, 408);
    let path = format!("/livez?{}", "x".repeat(40 * 1024));
    let refused = client.call(("GET", &path, ""), "").await;
    assert!(refused.is_err() || refused.is_ok_and(|(status, _)| status == 431));
    let other = Multiplex::open(&server.base).await;
    assert_eq!(
        other
            .call(("GET", "/livez", ""), "")
            .await
            .expect("an answer")
            .0,
        200
    );
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_ended_and_one_with_a_stream_is_not() {
    let (server, _certificate) = secured(&["--keep-alive", "500ms"]).await;
    let client = Multiplex::open(&server.base).await;
    let token = client.join("demo", "alice").await;
    let mut stream = client
        .events("/rooms/demo/peers/alice/events", &token)
        .await;
    let idle = Multiplex::open(&server.base).await;
    idle.join("demo", "bob").await;
    let ended = timeout(PATIENCE, idle.end).await.expect("in time");
    let ended = ended.expect("no panic");
    // Both close, and the later one may find the other gone.
    assert!(ended.is_ok() || ended.is_err_and(|error| error.is_io()));
    stream.until("event: peer-joined").await;
    assert!(!client.end.is_finished());
}

#[tokio::test]
async fn a_server_that_goes_away_ends_streams_and_connections_cleanly() {
    let (mut server, _certificate) = secured(&["--drain", "1s"]).await;
    let client = Multiplex::open(&server.base).await;
    let token = client.join("demo", "alice").await;
    let mut stream = client
        .events("/rooms/demo/peers/alice/events", &token)
        .await;
    stream.until("event: ready").await;
    server.ask_to_stop();
    // What is under way goes on, to its end.
    stream.until("\"reason\":\"drain\"").await;
    while stream.more().await {}
    // The connection is left at once; both close, and the later one may find the other gone.
    let ended = timeout(PATIENCE, client.end).await.expect("in time");
    let ended = ended.expect("no panic");
    assert!(ended.is_ok() || ended.is_err_and(|error| error.is_io()));
    server.gone().await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_their_connection_and_hurt_nobody() {
    let (server, _certificate) = secured(&[]).await;
    let good = Multiplex::open(&server.base).await;
    let token = good.join("demo", "alice").await;
    let mut stream = good.events("/rooms/demo/peers/alice/events", &token).await;
    stream.until("event: ready").await;
    let flood = Multiplex::open(&server.base).await;
    let mut sent = 0;
    let ended = loop {
        let asked = flood
            .ask(
                ("GET", "/rooms/demo/peers/alice/poll?wait=20", &token),
                true,
            )
            .await;
        match asked {
            Ok((_, mut sending)) => sending.send_reset(Reason::CANCEL),
            Err(error) => break Some(error),
        }
        sent += 1;
        if sent == 20_000 {
            break None;
        }
    };
    // Either the server had enough of it, or each was dropped as it was reset.
    if let Some(error) = ended {
        assert!(
            error.is_go_away() || error.is_io() || error.is_reset(),
            "{error}"
        );
    }
    until(async || server.open_readers() == 1).await;
    let (status, _) = good
        .call(("GET", "/livez", ""), "")
        .await
        .expect("an answer");
    assert_eq!(status, 200);
}
