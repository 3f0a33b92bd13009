//! TLS of the program's own: HTTPS on its address, and the certificate that it shows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::tls::Version;
use reqwest::{Certificate, Client};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::check_ways::Home;
use crate::harness::program::Program;
use crate::harness::{Answer, PATIENCE, Stream, command};

/// A certificate of `localhost` that signed itself, with its key.
struct Pair {
    cert: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn make(home: &Home, name: &str) -> Self {
        let (cert, key) = (home.0.join(name), home.0.join(format!("{name}.key")));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={name}")])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .output();
        let made = made.expect("please install openssl");
        assert!(made.status.success(), "{made:?}");
        Self { cert, key }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.cert).expect("a certificate")
    }

    /// Puts this in the place of another.
    fn replace(&self, other: &Self) {
        std::fs::copy(&self.cert, &other.cert).expect("a file");
        std::fs::copy(&self.key, &other.key).expect("a file");
    }

    /// A client that trusts it.
    fn client(&self, version: Version) -> Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let pem = std::fs::read(&self.cert).expect("a file");
        Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(&pem).expect("a certificate")])
            .tls_version_min(version)
            .tls_version_max(version)
            .timeout(PATIENCE)
            .build()
            .expect("a client")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// The program with such a certificate.
fn start(pair: &Pair, more: &[&str]) -> Program {
    let tls = ["--tls-cert", text(&pair.cert), "--tls-key", text(&pair.key)];
    Program::start(&[&tls, more].concat())
}

fn addr(program: &Program) -> SocketAddr {
    let addr = program.base.strip_prefix("https://").expect("HTTPS");
    addr.parse().expect("an address")
}

/// The certificate that a new connection is shown.
async fn shown(program: &Program, trusted: &[&Pair]) -> CertificateDer<'static> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der()).expect("a root");
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(addr(program)).await.expect("a port");
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = connecting.await.expect("TLS");
    let certificates = stream.get_ref().1.peer_certificates();
    certificates.expect("some")[0].clone().into_owned()
}

async fn join(client: &Client, base: &str, peer: &str) -> Answer {
    let body = json!({ "peer": peer }).to_string();
    let joined = client.post(format!("{base}/rooms/tls/peers")).body(body);
    let joined = Answer::of(joined.send().await.expect("an answer")).await;
    joined.expect_status(201);
    joined
}

#[tokio::test]
async fn a_join_a_stream_and_a_poll_are_served_by_tls_1_2_and_1_3() {
    let home = Home::new();
    let pair = Pair::make(&home, "here");
    let program = start(&pair, &[]);
    let base = &program.base;
    let versions = [
        (Version::TLS_1_2, ["ada", "bob"]),
        (Version::TLS_1_3, ["eve", "kim"]),
    ];
    for (version, [first, second]) in versions {
        let client = pair.client(version);
        let ada = join(&client, base, first).await;
        let bob = join(&client, base, second).await;
        let token = |of: &Answer| of.json["token"].as_str().expect("a token").to_owned();
        let at = |peer, door| format!("{base}/rooms/tls/peers/{peer}/{door}");
        let reading = client.get(at(second, "events")).bearer_auth(token(&bob));
        let mut events = Stream::open(reading).await;
        events.skip_to("ready").await;
        let signal = json!({"to": second, "type": "offer", "data": "x".repeat(30_000)});
        let sending = client.post(at(first, "signals")).bearer_auth(token(&ada));
        let sent = sending.body(signal.to_string()).send().await;
        assert_eq!(sent.expect("an answer").status(), 202);
        let told = events.skip_to("signal").await;
        assert_eq!(told.data["data"], signal["data"]);
        let polling = client.get(at(first, "poll?wait=0"));
        let polled = polling.bearer_auth(token(&ada)).send().await;
        let polled = Answer::of(polled.expect("an answer")).await;
        assert!(polled.expect_status(200).json["events"].is_array());
    }
}

#[tokio::test]
async fn after_a_hangup_new_connections_are_shown_the_new_certificate_and_old_streams_go_on() {
    let home = Home::new();
    let [first, second, served] = ["first", "second", "served"].map(|name| Pair::make(&home, name));
    first.replace(&served);
    let program = start(&served, &["--heartbeat", "500ms"]);
    assert_eq!(shown(&program, &[&first]).await, first.der());
    let client = first.client(Version::TLS_1_3);
    let ada = join(&client, &program.base, "ada").await;
    let url = format!("{}/rooms/tls/peers/ada/events", program.base);
    let token = ada.json["token"].as_str().expect("a token");
    let mut events = Stream::open(client.get(url).bearer_auth(token)).await;
    events.skip_to("ready").await;

    second.replace(&served);
    let both = [&first, &second];
    assert_eq!(
        shown(&program, &both).await,
        first.der(),
        "until it is told"
    );
    program.signal("HUP");
    program.says("read the certificate again", 1).await;
    assert_eq!(shown(&program, &both).await, second.der());

    // One that does not fit its key, and what is no certificate, change nothing.
    std::fs::copy(&first.cert, &served.cert).expect("a file");
    program.signal("HUP");
    program.says("the certificate stays as it was", 1).await;
    assert_eq!(shown(&program, &both).await, second.der());
    std::fs::write(&served.cert, "nothing").expect("a file");
    program.signal("HUP");
    program.says("the certificate stays as it was", 2).await;
    assert_eq!(shown(&program, &both).await, second.der());

    let newer = second.client(Version::TLS_1_3);
    join(&newer, &program.base, "bob").await;
    let told = events.skip_to("peer-joined").await;
    assert_eq!(told.data["peer"], "bob");
}

/// What the program says where it does not start, and how it ends.
async fn refused(cert: &Path, key: &Path) -> (i32, String) {
    let (code, _, said) = command::said(&[
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        text(cert),
        "--tls-key",
        text(key),
    ])
    .await;
    (code, said)
}

#[tokio::test]
async fn a_certificate_that_cannot_be_served_with_is_refused_at_the_start() {
    let home = Home::new();
    let [first, second] = ["first", "second"].map(|name| Pair::make(&home, name));
    let (code, said) = refused(&first.cert, &second.key).await;
    assert_eq!(code, 1, "{said}");
    for part in [
        text(&first.cert),
        text(&second.key),
        "cannot be used together",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, said) = refused(&home.0.join("absent"), &first.key).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("absent is no PEM file"), "{said}");
    let empty = home.0.join("empty");
    std::fs::write(&empty, "").expect("a file");
    let (code, said) = refused(&empty, &first.key).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("holds no certificate"), "{said}");
}

#[tokio::test]
async fn who_speaks_http_without_tls_is_told_so() {
    let home = Home::new();
    let program = start(&Pair::make(&home, "here"), &[]);
    let plain = format!("http://{}/livez", addr(&program));
    let answer = crate::harness::client().get(plain).send().await;
    let answer = Answer::of(answer.expect("an answer")).await;
    answer.expect_status(400);
    assert!(answer.text.contains("https://"), "{}", answer.text);
    assert_eq!(answer.header("connection"), "close");
    // What is neither is closed.
    let mut other = TcpStream::connect(addr(&program)).await.expect("a port");
    other.write_all(&[0xff; 64]).await.expect("written");
    ended(other).await;
}

/// The first bytes of a handshake, and no more.
const HALF: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// A client that does not go on with its handshake.
async fn half(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.expect("a port");
    stream.write_all(&HALF).await.expect("written");
    stream
}

/// Waits for the close of the other side.
async fn ended(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard));
    // It may be a reset.
    let _ = ended.await.expect("a close in time");
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_is_closed_in_time_and_holds_nobody_up() {
    let home = Home::new();
    let pair = Pair::make(&home, "here");
    let program = start(&pair, &["--head-timeout", "2s"]);
    let began = Instant::now();
    let mut halves = Vec::new();
    for n in 0..100 {
        halves.push(match n % 2 {
            0 => half(addr(&program)).await,
            _ => TcpStream::connect(addr(&program)).await.expect("a port"),
        });
    }
    join(&pair.client(Version::TLS_1_3), &program.base, "ada").await;
    for half in halves {
        ended(half).await;
    }
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "they had their time"
    );
    join(&pair.client(Version::TLS_1_3), &program.base, "bob").await;
}

#[tokio::test]
async fn a_handshake_under_way_does_not_keep_the_program_from_ending() {
    let home = Home::new();
    let program = start(&Pair::make(&home, "here"), &["--head-timeout", "60s"]);
    let half = half(addr(&program)).await;
    // What was accepted after it is served.
    shown(
        &program,
        &[&Pair {
            cert: home.0.join("here"),
            key: home.0.join("here.key"),
        }],
    )
    .await;
    let began = Instant::now();
    program.end();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "no request was under way"
    );
    ended(half).await;
}

#[tokio::test]
async fn handshakes_under_way_count_among_the_connections_of_their_address() {
    let home = Home::new();
    let pair = Pair::make(&home, "here");
    let program = start(&pair, &["--max-connections-per-ip", "3"]);
    let mut halves = Vec::new();
    for _ in 0..3 {
        halves.push(half(addr(&program)).await);
    }
    ended(half(addr(&program)).await).await;
    drop(halves);
    // Those that are gone make room.
    let client = pair.client(Version::TLS_1_3);
    let alive = format!("{}/livez", program.base);
    crate::harness::until(async || client.get(&alive).send().await.is_ok()).await;
}
