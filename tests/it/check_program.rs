//! `switchboard check`, the program itself, over good ways and bad ones.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::harness::{PATIENCE, TestServer, unique};

/// How long a program may take to start, on a machine that has much else to do.
const START: Duration = Duration::from_secs(90);

/// A directory that is gone when its test is.
struct Home(std::path::PathBuf);

impl Home {
    fn new() -> Self {
        let name = format!("switchboard-{}-{}", unique("check"), std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that listens on the loopback, and ends with its test.
struct Listening {
    port: u16,
    home: Home,
    _child: Child,
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Starts a program of Debian's package `package`, which is up once it takes connections.
async fn start(
    path: &str,
    package: &str,
    home: Home,
    options: impl FnOnce(u16, &Path) -> Vec<String>,
) -> Listening {
    assert!(
        Path::new(path).exists(),
        "no {path}: apt-get install {package}"
    );
    let port = free_port().await;
    let child = Command::new(path)
        .args(options(port, &home.0))
        .current_dir(&home.0)
        .env("HOME", &home.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let up = tokio::time::timeout(START, listens).await;
    up.unwrap_or_else(|_| panic!("{path} does not listen"));
    Listening {
        port,
        home,
        _child: child,
    }
}

/// mitmproxy reads a response to its end before it hands it on, as content scanners do.
async fn scanner(mode: &str) -> Listening {
    let home = Home::new();
    start("/usr/bin/mitmdump", "mitmproxy", home, |port, home| {
        let confdir = format!("confdir={}", home.display());
        let port = port.to_string();
        [
            "--mode",
            mode,
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            &port,
            "--quiet",
            "--set",
            &confdir,
        ]
        .map(String::from)
        .into()
    })
    .await
}

/// coturn on the loopback, over UDP, TCP and TLS; its certificate signs itself.
async fn turn() -> (Listening, u16) {
    let home = Home::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(&home.0)
        .output()
        .await
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let secure = free_port().await;
    let server = start("/usr/bin/turnserver", "coturn", home, |port, home| {
        let file = |name: &str| home.join(name).display().to_string();
        let (port, secure) = (port.to_string(), secure.to_string());
        let (cert, key, pid, db) = (file("cert.pem"), file("key.pem"), file("pid"), file("db"));
        [
            "-n",
            "--listening-ip",
            "127.0.0.1",
            "--relay-ip",
            "127.0.0.1",
            "--listening-port",
            &port,
            "--tls-listening-port",
            &secure,
            "--cert",
            &cert,
            "--pkey",
            &key,
            "--no-dtls",
            "--no-cli",
            "--lt-cred-mech",
            "--user",
            "ada:s3cret-word",
            "--realm",
            "check.example",
            "--pidfile",
            &pid,
            "--userdb",
            &db,
            "--log-file",
            "stdout",
        ]
        .map(String::from)
        .into()
    })
    .await;
    (server, secure)
}

/// A way that cuts whatever was silent for so long, as NATs and firewalls do.
async fn cutter(target: SocketAddr, after: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(target).await else {
                    return;
                };
                let (mut near, mut far) = (near, far);
                let (mut up, mut down) = ([0; 4096], [0; 4096]);
                loop {
                    let (wrote, length) = tokio::select! {
                        read = near.read(&mut up) => match read {
                            Ok(length) if length > 0 => (far.write_all(&up[..length]).await, length),
                            _ => return,
                        },
                        read = far.read(&mut down) => match read {
                            Ok(length) if length > 0 => (near.write_all(&down[..length]).await, length),
                            _ => return,
                        },
                        () = tokio::time::sleep(after) => return,
                    };
                    if wrote.is_err() || length == 0 {
                        return;
                    }
                }
            });
        }
    });
    addr
}

/// The program; the environment's proxies are none of its business unless a test says so.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.arg("check").args(args).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> (i32, Output) {
    let output = tokio::time::timeout(PATIENCE * 5, command.output()).await;
    let output = output.expect("an end in time").expect("it ran");
    (output.status.code().expect("a code"), output)
}

async fn check(args: &[&str]) -> (i32, Value) {
    let (code, output) = run(program(&[args, &["--json"]].concat())).await;
    let json = serde_json::from_slice(&output.stdout);
    (
        code,
        json.unwrap_or_else(|_| panic!("JSON, not {output:?}")),
    )
}

fn target(server: &TestServer) -> SocketAddr {
    server
        .base
        .trim_start_matches("http://")
        .parse()
        .expect("an address")
}

#[tokio::test]
async fn over_a_good_way_the_stream_is_usable_whole() {
    let server = TestServer::start().await;
    let (code, said) = check(&[&server.base]).await;
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "sse");
    assert_eq!(said["verdict"]["advice"], Value::Array(Vec::new()));
    let facts = &said["facts"];
    for fact in ["join", "stream", "poll", "long_poll", "websocket"] {
        assert_eq!(facts[fact]["ok"], true, "{fact}: {facts:#}");
    }
    for method in ["get", "post", "patch", "delete"] {
        assert_eq!(facts["path"][method]["ok"], true, "{method}");
    }
    assert_eq!(facts["path"]["authorization"], "kept");
    assert_eq!(
        facts["ticks"]["arrived_ms"].as_array().map(Vec::len),
        Some(8)
    );
    let fates = facts["silences"].as_array().expect("silences");
    assert!(
        fates.len() == 4 && fates.iter().all(|one| one["fate"] == "kept"),
        "{fates:?}"
    );
    assert!(server.hub.rooms().is_empty(), "it leaves its room");
}

#[tokio::test]
async fn the_table_says_what_was_found_in_words() {
    let server = TestServer::start().await;
    let (code, output) = run(program(&[&server.base, "--quick"])).await;
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(code, 0, "{text}");
    for part in [
        "Calls can be set up from here, over the event stream.",
        "No TURN server is configured: calls between strict networks will fail.",
        "  ok    POST ",
        "  ok    Event stream      first event after ",
        "  -     WebSocket         possible",
        "  -     Silence           not measured",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test]
async fn behind_a_scanner_that_holds_responses_it_is_the_long_poll() {
    let server = TestServer::start().await;
    let reverse = scanner(&format!("reverse:{}", server.base)).await;
    let through = format!("http://127.0.0.1:{}", reverse.port);
    let (code, said) = check(&[&through]).await;
    assert_eq!(code, 1, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "poll");
    assert_eq!(said["facts"]["long_poll"]["ok"], true);
    let advice = said["verdict"]["advice"][0].as_str().expect("an advice");
    assert!(
        advice.contains("text/event-stream") && advice.contains(&through),
        "{advice}"
    );
}

#[tokio::test]
async fn a_proxy_is_taken_from_the_command_line_and_from_the_environment() {
    let server = TestServer::start().await;
    let forward = scanner("regular").await;
    let proxy = format!("http://127.0.0.1:{}", forward.port);
    let (code, said) = check(&[&server.base, "--quick", "--proxy", &proxy]).await;
    assert_eq!(
        (code, &said["verdict"]["usable"]),
        (1, &"poll".into()),
        "{said:#}"
    );
    let mut command = program(&[&server.base, "--quick", "--json"]);
    command.env("http_proxy", &proxy).env("HTTP_PROXY", &proxy);
    let (code, output) = run(command).await;
    assert_eq!(code, 1, "{output:?}");
    let (code, said) = check(&[&server.base, "--quick", "--proxy", "http://127.0.0.1:9"]).await;
    assert_eq!(code, 3, "{said:#}");
}

#[tokio::test]
async fn where_silence_is_cut_after_5_s_it_is_limited_and_says_above_which_time() {
    let server = TestServer::start().await;
    let gate = cutter(target(&server), Duration::from_secs(5)).await;
    let (code, said) = check(&[&format!("http://{gate}")]).await;
    assert_eq!(code, 1, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "sse");
    let advice = said["verdict"]["advice"][0].as_str().expect("an advice");
    assert!(
        advice.contains("idle time-out") && advice.contains("above 15 s"),
        "{advice}"
    );
    let silences = said["facts"]["silences"].as_array().expect("silences");
    for one in &silences[1..] {
        assert_eq!(one["fate"], "cut", "{silences:?}");
        assert!(
            one["for_ms"]
                .as_u64()
                .is_some_and(|ms| (4900..9000).contains(&ms)),
            "{one}"
        );
    }
    assert_eq!(said["facts"]["long_poll"]["ok"], false);
}

#[tokio::test]
async fn relays_are_asked_over_udp_tcp_and_tls() {
    let server = TestServer::start().await;
    let (turn, secure) = turn().await;
    let (plain, tls) = (
        format!("turn:localhost:{}", turn.port),
        format!("turns:localhost:{secure}"),
    );
    let stun = format!("stun:127.0.0.1:{}", turn.port);
    let asked = |credential: &str| {
        let args = [
            &server.base,
            "--quick",
            "--json",
            "--ice",
            &plain,
            "--ice",
            &tls,
            "--ice",
            &stun,
        ];
        let mut command = program(&args);
        command.args(["--username", "ada"]);
        command.env("SWITCHBOARD_CREDENTIAL", credential);
        command.env("SSL_CERT_FILE", turn.home.0.join("cert.pem"));
        command
    };
    let (code, output) = run(asked("s3cret-word")).await;
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let ice = said["facts"]["ice"].as_array().expect("answers");
    let what: Vec<_> = ice
        .iter()
        .map(|one| (one["what"].as_str().expect("a name"), &one["ok"]))
        .collect();
    let yes = &Value::Bool(true);
    let wanted = [
        ("TURN over UDP", yes),
        ("TURN over TCP", yes),
        ("TURN over TLS", yes),
        ("STUN", yes),
    ];
    assert_eq!(what, wanted, "{ice:#?}");
    assert_eq!(code, 0);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"));

    let (code, output) = run(asked("wrong")).await;
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(code, 1, "a relay was named and none is to be had");
    for one in &said["facts"]["ice"].as_array().expect("answers")[..3] {
        assert_eq!(one["why"], "the user name or password was refused", "{one}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_wrong_command_line_have_codes_of_their_own() {
    let nowhere = format!("http://127.0.0.1:{}", free_port().await);
    let (code, said) = check(&[&nowhere]).await;
    assert_eq!(
        (code, &said["verdict"]["usable"]),
        (3, &"none".into()),
        "{said:#}"
    );
    assert_eq!(
        said["verdict"]["advice"][0],
        format!("Allow HTTP requests to {nowhere}/.")
    );
    for args in [
        &["ftp://127.0.0.1"][..],
        &["--quick"],
        &["http://a", "--ice", "http://b"],
    ] {
        assert_eq!(run(program(args)).await.0, 2, "{args:?}");
    }
}

#[tokio::test]
async fn the_help_of_the_check_is_its_reference_and_the_server_still_starts_without_a_subcommand() {
    let (code, output) = run(program(&["--help"])).await;
    let help = String::from_utf8(output.stdout).expect("text");
    assert_eq!(code, 0);
    for part in [
        "Exit status: 0",
        "--proxy",
        "--json",
        "--quick",
        "--ice",
        "--username",
        "--credential",
        "SWITCHBOARD_CREDENTIAL",
        "HTTPS_PROXY",
    ] {
        assert!(help.contains(part), "no {part} in {help}");
    }
    let mut whole = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    whole.arg("--help").kill_on_drop(true);
    let text = String::from_utf8(run(whole).await.1.stdout).expect("text");
    assert!(
        text.contains("check  Check whether a server is usable"),
        "{text}"
    );
    // An option of the check in the environment does not keep the server from its work.
    let mut serve = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    serve
        .args(["--listen", "127.0.0.1:0", "--heartbeat", "1ms"])
        .env("SWITCHBOARD_PROXY", "http://127.0.0.1:9")
        .kill_on_drop(true);
    let (code, output) = run(serve).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(code == 1 && said.contains("--heartbeat must be"), "{said}");
}
