//! Connections on which a request begins and never ends.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::peer::Peer;
use crate::program::Program;
use crate::report;
use crate::storm::{insist, until};

const HALF_OPEN: usize = 10_000;
/// Files that are needed beside those connections.
const SPARE: u64 = 500;

/// How a request stays half: nothing of it, some of its head, or some of its body.
const KINDS: [(&str, &str); 4] = [
    ("nothing", ""),
    ("half a line", "POST /rooms/de"),
    (
        "half a head",
        "POST /rooms/demo/peers HTTP/1.1\r\nHost: x\r\nX-A: ",
    ),
    (
        "half a body",
        "POST /rooms/demo/peers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"peer\":",
    ),
];

fn open_files(program: &Program) -> usize {
    let files = format!("/proc/{}/fd", program.id());
    std::fs::read_dir(files).expect("a process of ours").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn ten_thousand_half_open_requests_hinder_nobody_and_end_with_their_time() {
    let limit = rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let count = HALF_OPEN.min(usize::try_from(limit.saturating_sub(SPARE)).unwrap_or(HALF_OPEN));
    assert!(
        count > 500,
        "only {limit} files may be open: raise the limit (ulimit -Hn)"
    );
    let program = Program::start(&["--head-timeout", "10s", "--body-timeout", "10s"]);
    let (before, files) = (program.memory(), open_files(&program));
    let started = Instant::now();
    let mut ends = JoinSet::new();
    let (mut opened, mut most) = (0, 0);
    while opened < count {
        for (_, text) in KINDS.iter().cycle().take(200) {
            let mut socket = insist(|| TcpStream::connect(program.addr)).await;
            let _ = socket.write_all(text.as_bytes()).await;
            opened += 1;
            ends.spawn(async move {
                let mut said = Vec::new();
                // A reset is an end too.
                let _ = socket.read_to_end(&mut said).await;
                String::from_utf8_lossy(&said).into_owned()
            });
        }
        most = most.max(open_files(&program) - files);
    }
    let took = started.elapsed();
    // Meanwhile somebody else joins, sends and reads.
    let alice = insist(|| Peer::join(program.addr, "demo", "alice")).await;
    let bob = insist(|| Peer::join(program.addr, "demo", "bob")).await;
    let (mut slowest, held) = (Duration::ZERO, open_files(&program) - files);
    for n in 0..50 {
        let asked = Instant::now();
        let sent = alice
            .signal(&json!({"to": "bob", "type": "n", "data": n}))
            .await;
        assert_eq!(sent.expect("an answer").status, 202);
        slowest = slowest.max(asked.elapsed());
    }
    let polled = bob
        .call("GET", "/poll?wait=0&max=100", "")
        .await
        .expect("an answer");
    let signals = polled.json["events"].as_array().expect("events");
    let signals = signals.iter().filter(|event| event["event"] == "signal");
    assert_eq!(signals.count(), 50);
    let peak = program.memory();
    until("their connections are closed", || {
        open_files(&program) < files + 50
    })
    .await;
    let gone = started.elapsed();
    let mut told = 0;
    while let Some(said) = ends.join_next().await {
        told += usize::from(said.expect("no panic").starts_with("HTTP/1.1 408"));
    }
    // The server is as it was.
    let mut connection = Connection::open(program.addr).await.expect("a server");
    let alive = connection.call("GET", "/livez", "", "").await;
    assert_eq!(alive.expect("an answer").status, 200);
    report::table(
        "half-open requests: nothing, half a line, half a head, half a body (10 s for each)",
        &[
            "opened",
            "within",
            "at once",
            "told 408",
            "a peer's slowest of 50",
            "memory before",
            "at the most",
            "all gone after",
        ],
        &[vec![
            opened.to_string(),
            format!("{:.1} s", took.as_secs_f64()),
            most.max(held).to_string(),
            told.to_string(),
            format!("{:.0} ms", slowest.as_secs_f64() * 1000.0),
            report::size(before),
            report::size(peak),
            format!("{:.1} s", gone.as_secs_f64()),
        ]],
    );
    assert!(most.max(held) > count / 2, "they were open at once");
    assert!(
        peak - before < opened as u64 * 64 * 1024,
        "64 KiB each at the most"
    );
}
