//! HTTP/2 within TLS: many streams on one connection, under the same bounds as anything else.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use h2::Reason;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::certificate::Certificate;
use crate::harness::multiplex::{Events, Multiplex, agreed, secured, whole};
use crate::harness::program::Program;
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

/// Reads a stream to its end, whose last event says that the server goes away, and sees the connection
/// left with a word: no request on it is lost unseen.
async fn drained(mut client: Multiplex, mut stream: Events) {
    // What is under way goes on, to its end.
    stream.until("\"reason\":\"drain\"").await;
    while stream.more().await {}
    let last = stream.text.rsplit("event: ").next();
    assert!(
        last.is_some_and(|last| last.starts_with("end\n")),
        "{last:?}"
    );
    // The connection is left at once; both close, and the later one may find the other gone.
    let ended = timeout(PATIENCE, &mut client.end).await.expect("in time");
    let ended = ended.expect("no panic");
    assert!(ended.is_ok() || ended.is_err_and(|error| error.is_io()));
    // This is how the client has it that nothing more is to be asked.
    let told = client.ask(("GET", "/livez", ""), true).await;
    let told = told.expect_err("it was left");
    assert!(told.is_go_away() && told.is_remote(), "{told:?}");
    assert_eq!(told.reason(), Some(Reason::NO_ERROR));
}

/// A stream of `alice` in a room, up to its beginning.
async fn begun(client: &Multiplex) -> Events {
    let token = client.join("demo", "alice").await;
    let path = "/rooms/demo/peers/alice/events";
    let mut stream = client.events(path, &token).await;
    stream.until("event: ready").await;
    stream
}

#[tokio::test]
async fn a_server_that_goes_away_ends_streams_and_connections_cleanly() {
    let (mut server, _certificate) = secured(&["--drain", "1s"]).await;
    let client = Multiplex::open(&server.base).await;
    let stream = begun(&client).await;
    server.ask_to_stop();
    drained(client, stream).await;
    server.gone().await;
}

#[tokio::test]
async fn at_sigterm_it_is_the_same_where_nobody_is_given_time() {
    let certificate = Certificate::make();
    let (chain, key) = (certificate.chain(), certificate.key());
    // It drains for no time at all.
    let program = Program::start(&["--tls-cert", &chain, "--tls-key", &key]);
    let client = Multiplex::open(&program.base).await;
    let stream = begun(&client).await;
    program.signal("TERM");
    drained(client, stream).await;
}

/// What begins HTTP/2: the preface, and settings without any.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The head of the first stream, which another frame is to go on with: `:method: GET`.
const HALF_HEAD: &[u8] = b"\0\0\x01\x01\x01\0\0\0\x01\x82";
/// The kind of a frame that says that a connection is left.
const GOAWAY: u8 = 7;

#[tokio::test]
async fn a_client_that_is_slow_to_begin_is_cut_in_time_and_others_are_not() {
    let (server, _certificate) = secured(&["--head-timeout", "1s"]).await;
    let authority = server.base.trim_start_matches("https://");
    let good = Multiplex::open(&server.base).await;
    let mut stream = begun(&good).await;
    let head = [PREFACE, HALF_HEAD].concat();
    let at_all: [(&[u8], bool); 4] = [
        (b"", false),
        (&PREFACE[..20], false),
        (PREFACE, true),
        (&head, true),
    ];
    let (began, mut slow) = (Instant::now(), Vec::new());
    for (said, told) in at_all {
        let mut connection = agreed(authority).await;
        connection.write_all(said).await.expect("written");
        connection.flush().await.expect("written");
        slow.push((connection, told));
    }
    for (mut connection, told) in slow {
        let mut heard = Vec::new();
        let ended = timeout(PATIENCE, connection.read_to_end(&mut heard)).await;
        // It may be without the last word of TLS.
        let _ = ended.expect("a close in time");
        assert!(began.elapsed() >= Duration::from_secs(1), "it had its time");
        assert_eq!(kinds(&heard).contains(&GOAWAY), told, "{heard:?}");
    }
    good.join("demo", "bob").await;
    stream.until("event: peer-joined").await;
}

/// The kinds of some frames.
fn kinds(mut frames: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = rest.get(length..).unwrap_or_default();
    }
    kinds
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
