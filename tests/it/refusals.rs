//! Bad input at every door gets its problem, and changes nothing.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestServer, client};

const PEER_DOORS: &[(&str, &str)] = &[
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/meta"),
    ("POST", "/signals"),
    ("GET", "/events"),
    ("GET", "/poll"),
    ("GET", "/notices"),
    ("GET", "/sessions"),
    ("GET", "/sessions/s1"),
    ("POST", "/alive"),
    ("POST", "/tickets"),
];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("a method")
}

#[tokio::test]
async fn every_door_of_a_peer_wants_its_token() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let elsewhere = server.join("other", "alice").await;
    for (verb, tail) in PEER_DOORS {
        let request = || client().request(method(verb), alice.url(tail)).body("{}");
        // Not the last character, some of whose bits stand for nothing.
        let (head, last) = alice.token.split_at(alice.token.len() - 2);
        let other = if last.starts_with('A') { 'B' } else { 'A' };
        let tampered = format!("{head}{other}{}", &last[1..]);
        for (token, status, slug) in [
            (None, 401, "bad-token"),
            (Some("nonsense"), 401, "bad-token"),
            (Some(tampered.as_str()), 401, "bad-token"),
            (Some(bob.token.as_str()), 403, "not-allowed"),
            (Some(elsewhere.token.as_str()), 403, "not-allowed"),
        ] {
            let request = match token {
                Some(token) => request().bearer_auth(token),
                None => request(),
            };
            let answer = Answer::of(request.send().await.expect("an answer")).await;
            answer.expect_problem(status, slug);
            if status == 401 {
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
        }
    }
    alice.get("/sessions").await.expect_status(200);
}

#[tokio::test]
async fn a_token_of_another_secret_or_incarnation_is_410_unknown() {
    let server = TestServer::with(&["--secret", "the first of two secrets"]).await;
    let other = TestServer::with(&["--secret", "a secret of another server"]).await;
    let same = TestServer::with(&["--secret", "the first of two secrets"]).await;
    let (foreign, known) = (
        other.join("demo", "alice").await,
        same.join("demo", "alice").await,
    );
    let alice = server.join("demo", "alice").await;
    for (verb, tail) in PEER_DOORS {
        for token in [&foreign.token, &known.token] {
            let request = client()
                .request(method(verb), alice.url(tail))
                .bearer_auth(token)
                .body("{}");
            let answer = Answer::of(request.send().await.expect("an answer")).await;
            if *verb == "DELETE" {
                answer.expect_status(204);
                continue;
            }
            if *tail == "/signals" {
                // Its body is looked at first.
                continue;
            }
            answer.expect_problem(410, "ended");
            assert_eq!(answer.json["reason"], "unknown");
        }
    }
    let signal = client()
        .post(alice.url("/signals"))
        .bearer_auth(&known.token);
    let signal = signal
        .body(r#"{"type":"hello"}"#)
        .send()
        .await
        .expect("an answer");
    Answer::of(signal).await.expect_problem(410, "ended");
    alice.get("/sessions").await.expect_status(200);
}

#[tokio::test]
async fn both_secrets_verify_and_the_first_signs() {
    let old = TestServer::with(&["--secret", "old secret"]).await;
    let both = TestServer::with(&["--secret", "new secret", "--secret", "old secret"]).await;
    let token = old.join("demo", "alice").await.token;
    let body = json!({"peer": "alice", "token": token}).to_string();
    both.post("/rooms/demo/peers", &body)
        .await
        .expect_status(201);
}

#[tokio::test]
async fn tokens_in_urls_are_refused() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    for name in [
        "token",
        "access_token",
        "accessToken",
        "ACCESS-TOKEN",
        "id_token",
        "jwt_token",
        "jwtToken",
        "peer.token",
        "Authorization",
        "jwt",
    ] {
        for value in [alice.token.as_str(), "whatever", ""] {
            let url = alice.url(&format!("/sessions?{name}={value}"));
            let request = client().get(url).bearer_auth(&alice.token);
            let answer = Answer::of(request.send().await.expect("an answer")).await;
            answer.expect_problem(401, "bad-token");
        }
    }
}

#[tokio::test]
async fn ids_that_are_none_are_refused_wherever_they_stand() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let long = "x".repeat(65);
    for bad in [
        "a%20b",
        "%2e%2e%20",
        "a%2fb",
        "a%00b",
        "%c3%bc",
        "a@b",
        "a:b",
        &long,
    ] {
        let room = server.post(&format!("/rooms/{bad}/peers"), "").await;
        room.expect_problem(422, "bad-id");
        server
            .get(&format!("/rooms/{bad}/peers"))
            .await
            .expect_problem(422, "bad-id");
        let peer = server
            .request(
                Method::GET,
                &format!("/rooms/demo/peers/{bad}/sessions"),
                |request| request.bearer_auth(&alice.token),
            )
            .await;
        peer.expect_problem(422, "bad-id");
        alice
            .get(&format!("/sessions/{bad}"))
            .await
            .expect_problem(422, "bad-id");
    }
    for bad in ["", "..", ".", "a b", "ü", &long, "a\nb", "a\u{0}"] {
        let body = json!({"peer": bad}).to_string();
        server
            .post("/rooms/demo/peers", &body)
            .await
            .expect_problem(422, "bad-id");
    }
}

#[tokio::test]
async fn a_join_that_makes_no_sense_is_refused() {
    let server = TestServer::start().await;
    for (body, status, slug) in [
        ("{", 400, "bad-json"),
        ("\u{feff}{}", 400, "bad-json"),
        ("[]", 422, "bad-request"),
        ("7", 422, "bad-request"),
        (r#"{"peer":7}"#, 422, "bad-request"),
        (r#"{"fresh":"yes"}"#, 422, "bad-request"),
        (r#"{"key":""}"#, 422, "bad-request"),
        (r#"{"token":"nonsense"}"#, 401, "bad-token"),
    ] {
        server
            .post("/rooms/demo/peers", body)
            .await
            .expect_problem(status, slug);
    }
    let meta = json!({"meta": "x".repeat(4096)}).to_string();
    server
        .post("/rooms/demo/peers", &meta)
        .await
        .expect_problem(413, "too-large");
    assert_eq!(
        server.get("/rooms/demo/peers").await.json,
        json!({"peers": []})
    );
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_say_so() {
    let server = TestServer::start().await;
    for path in [
        "/nothing",
        "/rooms/demo/nothing",
        "/client/nothing.js",
        "/rooms/demo/peers/a/b/c",
    ] {
        server.get(path).await.expect_problem(404, "unknown-path");
    }
    for (verb, path, allow) in [
        ("PUT", "/rooms/demo/peers", "GET, POST"),
        ("GET", "/rooms/demo/peers/alice", "PATCH, DELETE"),
        ("GET", "/rooms/demo/peers/alice/signals", "POST"),
        ("POST", "/rooms/demo/peers/alice/events", "GET"),
        ("PUT", "/rooms/demo/peers/alice/poll", "GET, POST"),
        ("DELETE", "/livez", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/probe", "GET"),
        ("POST", "/client/switchboard.js", "GET, HEAD"),
    ] {
        let answer = server.request(method(verb), path, |request| request).await;
        answer.expect_problem(405, "wrong-method");
        assert_eq!(answer.header("allow"), allow, "{verb} {path}");
    }
}

#[tokio::test]
async fn every_problem_has_a_page_that_explains_it() {
    let server = TestServer::start().await;
    for slug in ["mailbox-full", "ended", "bad-token"] {
        let page = server.get(&format!("/problems/{slug}")).await;
        page.expect_status(200);
        assert!(page.text.starts_with(slug));
    }
    server
        .get("/problems/nothing")
        .await
        .expect_problem(404, "unknown-path");
}

#[tokio::test]
async fn ice_servers_are_for_those_who_joined() {
    let server = TestServer::with(&["--ice-server", "stun:a.example:1"]).await;
    server
        .get("/ice-servers")
        .await
        .expect_problem(401, "bad-token");
    let alice = server.join("demo", "alice").await;
    let ask = || async {
        server
            .request(Method::GET, "/ice-servers", |request| {
                request.bearer_auth(&alice.token)
            })
            .await
    };
    let told = ask().await;
    assert_eq!(
        told.json,
        json!({"iceServers": [{"urls": ["stun:a.example:1"]}], "ttl": 3600})
    );
    assert_eq!(told.header("cache-control"), "no-store");
    alice.leave().await;
    ask().await.expect_problem(410, "ended");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_refused() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::with(&["--body-timeout", "200ms", "--head-timeout", "500ms"]).await;
    let alice = server.join("demo", "alice").await;
    let address = server.base.trim_start_matches("http://");
    let head = format!(
        "POST /rooms/demo/peers/alice/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 100\r\n\r\n{{",
        alice.token
    );
    for (sent, said) in [
        (head.as_str(), "/problems/too-slow"),
        ("POST /rooms", "HTTP/1.1 408"),
    ] {
        let mut socket = tokio::net::TcpStream::connect(address)
            .await
            .expect("a connection");
        socket.write_all(sent.as_bytes()).await.expect("sent");
        let mut text = String::new();
        let mut buffer = [0; 2048];
        while !text.contains(said) {
            let read = tokio::time::timeout(crate::harness::PATIENCE, socket.read(&mut buffer));
            let length = read.await.expect("in time").expect("bytes");
            assert_ne!(length, 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    }
}

#[tokio::test]
async fn arrays_do_not_pass_for_objects() {
    let server = TestServer::start().await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let join = server
        .post("/rooms/demo/peers", r#"["carol",null,null,null,null]"#)
        .await;
    join.expect_problem(422, "bad-request");
    let signal = alice.post("/signals", r#"[["bob","hello"]]"#).await;
    signal.expect_problem(422, "bad-signal");
}

#[tokio::test]
async fn who_has_ended_is_told_so_whatever_it_asks() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    alice.leave().await;
    for (verb, tail, body) in [
        ("POST", "/signals", "{"),
        ("POST", "/signals", "[]"),
        ("POST", "/meta", "{"),
        ("POST", "/tickets", r#"{"cursor":"nonsense"}"#),
        ("GET", "/poll?cursor=nonsense", ""),
        ("GET", "/poll?wait=99", ""),
        ("GET", "/poll", ""),
    ] {
        let request = alice.request(method(verb), tail).body(body);
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        answer.expect_problem(410, "ended");
        assert_eq!(answer.json["reason"], "left");
    }
    let list = server
        .request(Method::GET, "/rooms/demo/peers", |r| {
            r.bearer_auth(&alice.token)
        })
        .await;
    list.expect_problem(410, "ended");
}

#[tokio::test]
async fn credentials_in_urls_are_refused_under_any_name_at_any_door() {
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiKiJ9.c2lnbmF0dXJl";
    let operator = "an operator's token";
    let server = TestServer::with(&["--operator-token", operator]).await;
    let alice = server.join("demo", "alice").await;
    for (verb, path) in [
        (
            "GET",
            format!("/rooms/demo/peers/alice/sessions?x={}", alice.token),
        ),
        (
            "GET",
            format!("/rooms/demo/peers/alice/poll?wait=0&x={}", alice.ticket),
        ),
        ("GET", "/rooms/demo/peers?%74oken=1".to_owned()),
        (
            "POST",
            format!("/rooms/demo/peers?peer_token={}", alice.token),
        ),
        (
            "POST",
            format!("/rooms/demo/peers/alice/leave?x={}", alice.token),
        ),
        ("GET", format!("/rooms/demo/peers?x={JWT}")),
        ("GET", format!("/rooms/demo/peers?x=Bearer%20{JWT}")),
        ("POST", format!("/rooms/demo/peers?x={JWT}")),
        ("GET", format!("/ice-servers?x={JWT}")),
        ("GET", format!("/rooms?x={JWT}")),
        ("POST", format!("/rooms/demo/peers/alice/signals?x={JWT}")),
        (
            "POST",
            format!("/rooms/demo/peers/alice/leave?detail={JWT}"),
        ),
        (
            "GET",
            format!("/rooms/demo/peers/alice/poll?wait=0&cursor={JWT}"),
        ),
        (
            "GET",
            format!(
                "/rooms/demo/peers/alice/events?ticket={}&x={JWT}",
                alice.ticket
            ),
        ),
        (
            "GET",
            format!("/rooms/demo/peers/alice/events?ticket={JWT}"),
        ),
        ("GET", "/rooms?x=an%20operator%27s%20token".to_owned()),
    ] {
        let body = if path.contains("leave") {
            alice.token.clone()
        } else {
            String::new()
        };
        let answer = server
            .request(method(verb), &path, |r| {
                r.bearer_auth(&alice.token).body(body)
            })
            .await;
        answer.expect_problem(401, "bad-token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    alice.get("/sessions?x=class.7.a").await.expect_status(200);
}
