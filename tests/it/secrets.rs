//! What no log may hold: the program itself, at its most talkative, with every door used well and badly.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Stream, client, unique, until};

const KEY: &str = "a key of access tokens, of 32 bytes and more";
const SECRET: &str = "the-secret-that-signs-all-peer-tokens";
const OPERATOR: &str = "the-token-of-the-operator-of-this-server";
const SDP: &str = "v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\na=ice-ufrag:EsAw\r\na=ice-pwd:bP+XJMM09aR8AiX1\r\n\
    a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51\r\na=setup:actpass\r\n";
const CANDIDATE: &str = "candidate:1853887674 1 udp 1518280447 192.0.2.97 36768 typ srflx";

/// The program, which says all it can, into a file: a pipe that nobody reads would stop it.
struct Talkative {
    child: Child,
    log: PathBuf,
    addr: String,
}

impl Talkative {
    async fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let ours = std::env::vars().map(|(name, _)| name);
        for name in ours.filter(|name| name.starts_with("SWITCHBOARD_")) {
            command.env_remove(name);
        }
        let log = temporary("log");
        let child = command
            .args(["--listen", "127.0.0.1:0", "--drain", "0"])
            .args(flags)
            .env("RUST_LOG", "trace")
            .env("NO_COLOR", "1")
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("the program");
        let mut program = Self {
            child,
            log,
            addr: String::new(),
        };
        until(async || {
            let said = program.said();
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("listening on http://"));
            program.addr = line.unwrap_or_default().to_owned();
            said.ends_with('\n') && !program.addr.is_empty()
        })
        .await;
        program
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("text")
    }

    /// All that it said, once it has ended in order.
    fn end(mut self) -> String {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("kill").success());
        self.child.wait().expect("an end");
        self.said()
    }
}

impl Drop for Talkative {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

fn temporary(name: &str) -> PathBuf {
    let name = format!("switchboard-{}-{}", unique(name), std::process::id());
    std::env::temp_dir().join(name)
}

async fn ask(server: &str, method: Method, path: &str, bearer: &str, body: &str) -> (u16, Value) {
    let request = client()
        .request(method, format!("http://{server}{path}"))
        .bearer_auth(bearer)
        .body(body.to_owned());
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a body"));
    (
        status.as_u16(),
        serde_json::from_str(&text).unwrap_or_default(),
    )
}

fn access(exp: u64) -> String {
    let claims = json!({"room": "demo", "rights": ["join", "list"], "exp": exp});
    let key = EncodingKey::from_secret(KEY.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

/// Everything that must stay a secret, and whether this log tells of it.
fn leaks<'a>(log: &str, secrets: &'a [String]) -> Vec<&'a str> {
    let tells = |secret: &&'a str| log.contains(*secret);
    let all = secrets.iter().map(String::as_str);
    all.filter(tells).collect()
}

#[tokio::test]
async fn a_log_at_its_most_talkative_holds_no_secret_of_what_was_done() {
    let file = temporary("key");
    std::fs::write(&file, KEY).expect("written");
    let path = file.to_str().expect("text").to_owned();
    let program = Talkative::start(&[
        "--access-key",
        &path,
        "--secret",
        SECRET,
        "--operator-token",
        OPERATOR,
    ])
    .await;
    let at = program.addr.clone();
    let (good, old) = (access(4_000_000_000), access(1_000_000_000));
    let mut secrets = vec![KEY.into(), SECRET.into(), OPERATOR.into()];
    secrets.extend([good.clone(), old.clone(), "Bearer".to_owned()]);
    for line in SDP.lines().filter(|line| line.len() > 4).chain([CANDIDATE]) {
        secrets.push(line.to_owned());
    }

    let mut tokens = Vec::new();
    for peer in ["alice", "bob"] {
        let body = json!({"peer": peer, "meta": {"name": "secret-name"}, "key": "secret-key"});
        let (status, joined) = ask(
            &at,
            Method::POST,
            "/rooms/demo/peers",
            &good,
            &body.to_string(),
        )
        .await;
        assert_eq!(status, 201, "{joined}");
        let text = |field: &str| joined[field].as_str().expect("a text").to_owned();
        secrets.extend([text("token"), text("ticket")]);
        tokens.push((text("token"), text("ticket")));
    }
    secrets.extend(["secret-name".to_owned(), "secret-key".to_owned()]);
    let (alice, bob) = (&tokens[0], &tokens[1]);

    // A stream by ticket, in the URL, and what comes by it.
    let url = format!("http://{at}/rooms/demo/peers/bob/events?ticket={}", bob.1);
    let mut stream = Stream::open(client().get(&url)).await;
    stream.expect("ready").await;
    let offer = json!({"to": "bob", "type": "offer", "session": "s", "data": {"type": "offer", "sdp": SDP}});
    let candidate =
        json!({"to": "bob", "type": "candidate", "session": "s", "data": {"candidate": CANDIDATE}});
    let signals = "/rooms/demo/peers/alice/signals";
    let (status, _) = ask(
        &at,
        Method::POST,
        signals,
        &alice.0,
        &json!([offer, candidate]).to_string(),
    )
    .await;
    assert_eq!(status, 202);
    let event = stream.skip_to("signal").await;
    assert_eq!(event.data["data"]["sdp"], SDP);

    // Every door, by right, by mistake, and with rubbish.
    for (credential, what) in [
        (alice.0.as_str(), "her own"),
        (bob.0.as_str(), "another's"),
        (good.as_str(), "an access token"),
        (old.as_str(), "one that has run out"),
        (OPERATOR, "the operator's"),
        ("sp1.Zm9yZ2Vk.Zm9yZ2Vk-and-secret", "a forged one"),
    ] {
        let rubbish = format!(
            r#"{{"to":"bob","type":"offer","data":{{"sdp":"{}""#,
            &SDP[5..30].escape_default()
        );
        for (method, path, body) in [
            (Method::POST, signals, rubbish.as_str()),
            (
                Method::POST,
                signals,
                r#"{"type":"BAD","data":"v=0 secret-name"}"#,
            ),
            (Method::GET, "/rooms/demo/peers/alice/poll?wait=0", ""),
            (Method::POST, "/rooms/demo/peers/alice/poll?wait=0", "{}"),
            (Method::POST, "/rooms/demo/peers/alice/tickets", "{}"),
            (
                Method::PATCH,
                "/rooms/demo/peers/alice",
                r#"{"name":"secret-name"}"#,
            ),
            (Method::POST, "/rooms/demo/peers/alice/alive", ""),
            (Method::GET, "/rooms/demo/peers/alice/sessions", ""),
            (Method::GET, "/rooms/demo/peers/alice/sessions/s", ""),
            (Method::GET, "/rooms/demo/peers", ""),
            (Method::GET, "/rooms", ""),
            (Method::GET, "/ice-servers", ""),
            (Method::GET, "/check/request", ""),
            (Method::PUT, signals, SDP),
            (Method::GET, "/nothing/is/here", ""),
        ] {
            let (status, told) = ask(&at, method.clone(), path, credential, body).await;
            assert!(status < 500, "{method} {path} with {what}: {status} {told}");
            if let Some(ticket) = told["ticket"].as_str() {
                secrets.push(ticket.to_owned());
            }
        }
    }
    // Credentials where they do not belong, and heads that are broken just behind one.
    for (name, credential) in [
        ("token", &alice.0),
        ("access_token", &good),
        ("other", &alice.0),
        ("other", &alice.1),
        ("ticket", &bob.1),
        ("ticket", &good),
    ] {
        let path = format!("/rooms/demo/peers/alice/events?{name}={credential}");
        let (status, told) = ask(&at, Method::GET, &path, "none", "").await;
        assert!((400..500).contains(&status), "{name}: {status} {told}");
    }
    for broken in [
        format!(
            "POST {signals} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: nine\r\n\r\n",
            alice.0
        ),
        format!(
            "POST {signals} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{SDP}",
            alice.0
        ),
        format!("GET {signals}?ticket={} HTTP/1.1\r\nHost x\r\n\r\n", bob.1),
        format!("{}\r\n\r\n{SDP}", alice.0),
    ] {
        let mut socket = TcpStream::connect(&at).await.expect("a connection");
        socket.write_all(broken.as_bytes()).await.expect("written");
        socket.shutdown().await.expect("an end");
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
    }
    let (status, _) = ask(
        &at,
        Method::POST,
        "/rooms/demo/peers/alice/leave?detail=secret-name",
        &alice.0,
        &alice.0,
    )
    .await;
    assert_eq!(status, 204);
    stream.skip_to("peer-left").await;

    let log = tokio::task::spawn_blocking(|| program.end())
        .await
        .expect("an end");
    std::fs::remove_file(&file).expect("removed");
    assert!(
        log.matches(" TRACE ").count() > 100,
        "it was talkative: {log}"
    );
    assert_eq!(leaks(&log, &secrets), Vec::<&str>::new());
    // That they would have been found.
    let told = format!("{log}\n{}", alice.0);
    assert_eq!(leaks(&told, &secrets), [&alice.0]);
}
