//! The program's log at the most talkative level, after every door was used in every way: nothing
//! that was shown, sent or told stands in it.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::access::{KeyFile, SECRET, soon, token};
use crate::harness::program::Program;
use crate::harness::{Answer, client, secrets};

const SIGNING: &str = "server-secret-0f3a9c51e7";
const OPERATOR: &str = "operator-token-77b1d2c4";
const SDP: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:Zq3k\r\na=ice-pwd:7Hq0bV2mYx9sKd8LwR4tNc1Ez\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35\r\na=setup:actpass\r\n\
    a=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";
const CANDIDATES: [&str; 2] = [
    "candidate:842163049 1 udp 1677729535 203.0.113.77 46154 typ srflx raddr 10.11.12.13 rport 46154",
    "candidate:3098175849 1 tcp 1518280447 fd00:dead:beef::77 9 typ host tcptype active",
];

/// A program, and all that it must not say.
struct Scene {
    base: String,
    secrets: Vec<String>,
}

impl Scene {
    /// Asks, whatever the answer.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = client().request(method, format!("{}{path}", self.base));
        let answer = change(request).send().await.expect("an answer");
        let answer = Answer::of(answer).await;
        for name in ["token", "ticket"] {
            if let Some(secret) = answer.json[name].as_str() {
                self.hide(secret);
            }
        }
        answer
    }

    /// Asks as the bearer of this.
    async fn by(&mut self, bearer: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.ask(method, path, |r| r.bearer_auth(bearer).body(body))
            .await
    }

    /// Opens a stream and hears its beginning.
    async fn stream(&self, path: &str, change: impl FnOnce(RequestBuilder) -> RequestBuilder) {
        let request = change(client().get(format!("{}{path}", self.base)));
        let mut response = request.send().await.expect("an answer");
        let _ = response.chunk().await;
    }

    /// Remembers a credential, and each part of it.
    fn hide(&mut self, secret: &str) {
        secrets::hide(secret);
        let parts = secret.split('.').filter(|part| part.len() > 8);
        self.secrets.extend(parts.map(str::to_owned));
        self.secrets.push(secret.to_owned());
    }

    async fn join(&mut self, access: &str, peer: &str, body: Value) -> (String, String) {
        let mut wish = body;
        wish["peer"] = json!(peer);
        let joined = self.by(access, "POST", "/rooms/demo/peers", &wish).await;
        assert!(joined.status < 300, "{joined:?}");
        let text = |name: &str| joined.json[name].as_str().expect("a text").to_owned();
        (text("token"), text("ticket"))
    }
}

fn offer(session: &str) -> Value {
    json!({"to": "bob", "type": "offer", "session": session, "data": {"type": "offer", "sdp": SDP}})
}

/// Every door by who may, and then by who may not.
async fn use_every_door(scene: &mut Scene, access: &str) {
    let (alice, ticket) = scene
        .join(
            access,
            "alice",
            json!({"meta": {"note": "meta-secret-5521"}, "key": "join-key-9341aa"}),
        )
        .await;
    let (bob, bobs) = scene.join(access, "bob", json!({})).await;
    scene.join(access, "alice", json!({"token": alice})).await;
    let (alice, _) = scene
        .join(access, "alice", json!({"token": alice, "fresh": true}))
        .await;
    for name in ["alice", "bob"] {
        let token = if name == "alice" { &alice } else { &bob };
        let peer = format!("/rooms/demo/peers/{name}");
        for (method, tail, body) in [
            ("PATCH", "", json!({"note": "meta-secret-5521"})),
            ("POST", "/meta", json!("meta-secret-5521")),
            ("POST", "/alive", Value::Null),
            ("POST", "/tickets", json!({})),
            ("POST", "/tickets", json!({"cursor": "nonsense"})),
            ("GET", "/sessions", Value::Null),
            ("GET", "/sessions/s1", Value::Null),
            ("GET", "/poll?wait=0", Value::Null),
            ("POST", "/poll", json!({"wait": 0})),
            ("GET", "/notices?wait=0", Value::Null),
            ("GET", &format!("/sessions?token={token}"), Value::Null),
            ("GET", &format!("/poll?wait=0&x={token}"), Value::Null),
            ("GET", &format!("/poll?wait=99&ticket={bobs}"), Value::Null),
        ] {
            scene
                .by(token, method, &format!("{peer}{tail}"), &body)
                .await;
        }
        for accept in ["text/event-stream", "application/x-ndjson"] {
            for door in ["events", "notices"] {
                let path = format!("{peer}/{door}?clock=1");
                scene
                    .stream(&path, |r| r.bearer_auth(token).header("accept", accept))
                    .await;
            }
        }
    }
    for ticket in [ticket, bobs.clone(), bobs] {
        for door in ["events", "notices"] {
            let path = format!("/rooms/demo/peers/bob/{door}?ticket={ticket}");
            scene.stream(&path, |r| r).await;
        }
    }
    let signals = "/rooms/demo/peers/alice/signals";
    let candidates = CANDIDATES.map(|candidate| json!({"to": "bob", "type": "candidate", "session": "s1", "data": {"candidate": candidate}}));
    for body in [
        offer("s1"),
        json!(candidates),
        json!([offer("s2"), {"to": "nobody", "type": "x", "data": SDP}]),
        json!({"to": "nobody", "type": "offer", "data": SDP}),
        json!({"to": "bob", "type": "x", "from": SDP, "data": SDP}),
        json!({"to": SDP, "type": CANDIDATES[0], "session": SDP, "id": SDP}),
        json!({"to": "bob", "type": "x", "data": SDP.repeat(200)}),
        json!({"to": "bob", "type": "bye", "session": "s1", "data": SDP}),
        json!(SDP),
    ] {
        scene.by(&alice, "POST", signals, &body).await;
    }
    let broken = format!(r#"{{"to":"bob","type":"x","data":"{}""#, SDP.trim());
    scene
        .ask("POST", signals, |r| r.bearer_auth(&alice).body(broken))
        .await;
    let answered = json!({"to": "alice", "type": "answer", "session": "s2", "data": {"sdp": SDP}});
    scene
        .by(&bob, "POST", "/rooms/demo/peers/bob/signals", &answered)
        .await;
    use_every_door_wrongly(scene, access, &alice, &bob).await;
    scene
        .by(
            &alice,
            "DELETE",
            "/rooms/demo/peers/alice?detail=meta-secret-5521",
            &Value::Null,
        )
        .await;
    scene
        .ask("POST", "/rooms/demo/peers/bob/leave", |r| {
            r.body(bob.clone())
        })
        .await;
    scene.by(&alice, "POST", signals, &offer("s9")).await;
}

async fn use_every_door_wrongly(scene: &mut Scene, access: &str, alice: &str, bob: &str) {
    let expired = token(&json!({"room": "*", "rights": ["join"], "exp": soon(-60)}));
    let (head, _) = alice.split_at(alice.len() - 6);
    let changed = format!("{head}AAAAAA");
    scene.hide(&expired);
    scene.hide(&changed);
    for bearer in [bob, &changed, &expired, access, OPERATOR, SECRET, SIGNING] {
        for (method, tail, body) in super::DOORS.iter().chain(&[("DELETE", "/none", "")]) {
            let path = format!("/rooms/demo/peers/alice{tail}");
            scene
                .ask(method, &path, |r| r.bearer_auth(bearer).body(*body))
                .await;
        }
        for (method, path) in [
            ("POST", "/rooms/other/peers"),
            ("GET", "/rooms/demo/peers"),
            ("GET", "/rooms"),
            ("DELETE", "/rooms/nothing"),
            ("DELETE", "/rooms/demo/peers/nobody"),
            ("GET", "/ice-servers"),
            ("GET", "/check/request"),
            ("GET", "/nothing"),
            ("PUT", "/rooms/demo/peers"),
            ("GET", "/probe?ticks=1"),
            ("GET", "/check/websocket"),
        ] {
            scene.by(bearer, method, path, &Value::Null).await;
            scene
                .by(
                    bearer,
                    method,
                    &format!("{path}?access_token={bearer}&ticket={bearer}"),
                    &Value::Null,
                )
                .await;
        }
        scene
            .ask("POST", "/rooms/demo/peers/alice/leave", |r| {
                r.body(format!("{bearer}x"))
            })
            .await;
        let join = json!({"peer": "alice", "token": bearer, "key": bearer});
        scene.by(access, "POST", "/rooms/demo/peers", &join).await;
    }
    // Requests that are no HTTP, whose headers others quote in what they say for debugging.
    let address = scene.base.trim_start_matches("http://").to_owned();
    for headers in [
        format!("Content-Length: {alice}"),
        format!("Transfer-Encoding: {alice}"),
        format!("Authorization : Bearer {alice}"),
        format!("Authorization: Bearer {alice}\r\nContent-Length: 1\r\nContent-Length: 2"),
        format!("Host: {alice}"),
        format!("Upgrade: {alice}\r\nConnection: upgrade"),
        format!("Expect: {alice}"),
    ] {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let request = format!(
            "POST /rooms/demo/peers?ticket={alice} HTTP/1.1\r\nHost: x\r\n{headers}\r\nConnection: close\r\n\r\n"
        );
        let mut socket = tokio::net::TcpStream::connect(&address)
            .await
            .expect("a connection");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let closed =
            tokio::time::timeout(crate::harness::PATIENCE, socket.read_to_end(&mut answer));
        closed.await.expect("the close").expect("an answer");
    }
}

#[tokio::test]
async fn nothing_secret_stands_in_the_log_at_the_most_talkative_level() {
    let key = KeyFile::new(SECRET);
    let path = key.0.to_str().expect("text");
    let program = Program::start(&[
        "--secret",
        SIGNING,
        "--operator-token",
        OPERATOR,
        "--access-key",
        path,
        "--origin",
        "https://page.example",
    ]);
    let access =
        token(&json!({"room": "*", "rights": ["join", "list", "operate"], "exp": soon(3600)}));
    let mut scene = Scene {
        base: program.base.clone(),
        secrets: Vec::new(),
    };
    for secret in [
        SIGNING,
        OPERATOR,
        SECRET,
        &access,
        "meta-secret-5521",
        "join-key-9341aa",
    ] {
        scene.hide(secret);
    }
    use_every_door(&mut scene, &access).await;
    scene
        .by(OPERATOR, "GET", "/rooms", &Value::Null)
        .await
        .expect_status(200);
    scene
        .by(
            &access,
            "POST",
            "/rooms/demo/peers",
            &json!({"peer": "last"}),
        )
        .await;
    scene
        .by(OPERATOR, "DELETE", "/rooms/demo/peers/last", &Value::Null)
        .await
        .expect_status(204);
    // The keys are read again, once well and once in vain.
    program.signal("HUP");
    program
        .says("read the keys of access tokens again", 1)
        .await;
    scene.hide("a-short-secret-31c");
    std::fs::write(&key.0, "a-short-secret-31c").expect("written");
    program.signal("HUP");
    program.says("stay as they were", 1).await;
    assert!(scene.secrets.len() > 40);
    let log = program.end();
    assert!(log.contains("going away"), "it does say things: {log}");
    let lines = SDP.lines().filter(|line| line.len() > 4);
    let pieces = lines.chain(CANDIDATES).chain([
        "203.0.113.77",
        "7Hq0bV2mYx9sKd8LwR4tNc1Ez",
        "fd00:dead:beef",
    ]);
    for secret in scene.secrets.iter().map(String::as_str).chain(pieces) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    assert_eq!(secrets::search(&log), None);
}
