//! Clients that join, send and never read: what they can cost.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::peer::{Kind, Peer};
use crate::program::Program;
use crate::report;
use crate::storm::{insist, until};

const HOSTILE: usize = 500;
/// What one sender can leave unwritten in a mailbox by the defaults: half of it.
const UNWRITTEN: u64 = 256 * 1024;
/// A peer's mailbox: that, what was written and is held, and the reserve of control events.
const MAILBOX: u64 = UNWRITTEN + 512 * 1024 + 256 * 1024;
/// What a connection costs beside that: its buffers, and the one request that is being read.
const CONNECTION: u64 = 256 * 1024;

/// Two connections that are never read: a stream, and one full of requests.
struct Hostile {
    _stream: Connection,
    _requests: Connection,
    sent: usize,
}

impl Hostile {
    async fn begin(addr: SocketAddr, index: usize) -> Self {
        let (room, name) = (
            format!("hostile-{}", index / 10),
            format!("p{}", index % 10),
        );
        let peer = insist(|| Peer::join(addr, &room, &name)).await;
        let stream = insist(|| peer.ask(addr, Kind::Sse, &peer.cursor)).await;
        let mut requests = insist(|| Connection::open(addr)).await;
        let to = format!("p{}", (index % 10) ^ 1);
        let body = json!({"to": to, "type": "n", "data": "x".repeat(60_000)}).to_string();
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\n{}Content-Length: {}\r\n\r\n{body}",
            peer.path("/signals"),
            peer.bearer(),
            body.len(),
        );
        let mut sent = 0;
        // Until the server takes no more.
        let flood = async {
            while requests.socket.write_all(request.as_bytes()).await.is_ok() {
                sent += request.len();
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(8), flood).await;
        Self {
            _stream: stream,
            _requests: requests,
            sent,
        }
    }
}

/// All at once. What was taken from them, and the most memory that was seen.
async fn flood(program: &Program) -> (usize, u64) {
    let addr = program.addr;
    let mut begun = JoinSet::new();
    for index in 0..HOSTILE {
        begun.spawn(Hostile::begin(addr, index));
    }
    let (mut all, mut peak) = (Vec::new(), 0);
    while all.len() < HOSTILE {
        tokio::select! {
            one = begun.join_next() => all.push(one.expect("one").expect("no panic")),
            () = tokio::time::sleep(Duration::from_millis(100)) => peak = peak.max(program.memory()),
        }
    }
    // Meanwhile others go about their business.
    let alice = insist(|| Peer::join(addr, "honest", "alice")).await;
    let bob = insist(|| Peer::join(addr, "honest", "bob")).await;
    let answer = alice
        .signal(&json!({"to": "bob", "type": "n", "data": 1}))
        .await;
    assert_eq!(answer.expect("an answer").status, 202);
    let got = bob.call("GET", "/poll", "").await.expect("an answer");
    let signal = got.json["events"]
        .as_array()
        .expect("events")
        .last()
        .cloned();
    assert_eq!(signal.expect("a signal")["data"]["data"], 1);
    for peer in [alice, bob] {
        peer.call("DELETE", "", "").await.expect("an answer");
    }
    peak = peak.max(program.memory());
    (all.iter().map(|hostile| hostile.sent).sum(), peak)
}

/// Waits until the peers whose connections have closed are gone.
async fn swept(program: &Program) {
    let addr = program.addr;
    let gone = async || {
        let mut connection = Connection::open(addr).await.expect("a server");
        let answer = connection
            .call("GET", "/rooms", "Authorization: Bearer op\r\n", "")
            .await;
        answer.expect("an answer").json["rooms"] == json!([])
    };
    let mut is_gone = false;
    while !is_gone {
        is_gone = gone().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let files = format!("/proc/{}/fd", program.id());
    let open = || {
        std::fs::read_dir(&files)
            .expect("a process of ours")
            .count()
    };
    until("their connections are closed", || open() < 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn a_thousand_connections_that_never_read_move_memory_by_a_bounded_amount() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let flags = [
        "--grace",
        "3s",
        "--resume-window",
        "94s",
        "--operator-token",
        "op",
    ];
    let program = Program::start(&flags);
    let start = program.memory();
    let bound = HOSTILE as u64 * (MAILBOX + 2 * CONNECTION);
    let (mut rows, mut peaks) = (Vec::new(), Vec::new());
    for time in ["first", "second"] {
        let (taken, peak) = flood(&program).await;
        let sweep = tokio::time::timeout(Duration::from_secs(60), swept(&program));
        sweep.await.expect("the hostile are swept");
        rows.push(vec![
            time.to_owned(),
            report::size(taken as u64),
            report::size(start),
            report::size(peak),
            report::size(bound),
            report::size((peak - start) / HOSTILE as u64),
        ]);
        peaks.push(peak - start);
    }
    report::table(
        "500 peers with 1,000 connections that send 60 KB signals and never read; swept, and once more",
        &[
            "time",
            "taken from them",
            "memory before",
            "at the most",
            "bound",
            "a peer",
        ],
        &rows,
    );
    let filled = HOSTILE as u64 * UNWRITTEN;
    assert!(
        peaks.iter().all(|peak| *peak > filled),
        "the mailboxes are full"
    );
    assert!(peaks.iter().all(|peak| *peak < bound), "over its bound");
    assert!(
        peaks[1] < peaks[0] + peaks[0] / 4,
        "what was swept is used again"
    );
}
