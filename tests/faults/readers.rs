//! What each fault of a reader looks like: to the peer itself, to the other, to who sends to it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::gate::{Gate, Rule};
use crate::peer::{Kind, Peer};
use crate::program::{Program, signal};
use crate::report;
use crate::scene::{Got, Open, Scene, after, read_on};

/// The defaults, and what a busy machine may add to them.
const AWAY_AFTER: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(30);
const SILENT: Duration = Duration::from_secs(15 + 20);
const PROOF: Duration = Duration::from_secs(90);
const NOISE: Duration = Duration::from_secs(10);

type Row = (u32, Vec<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fin,
    Reset,
    /// Its packets are dropped, while somebody sends to it.
    Dark,
    /// The same, while nobody sends.
    DarkAndQuiet,
}

/// A process that goes with the test, however that ends.
struct Curl(Child);

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Fin => "closed (FIN)",
            Self::Reset => "closed (RST)",
            Self::Dark => "dark, signals under way",
            Self::DarkAndQuiet => "dark, nothing under way",
        }
    }

    /// Within what the loss is noticed.
    fn noticed(self) -> Duration {
        match self {
            Self::Fin | Self::Reset => Duration::ZERO,
            Self::Dark | Self::DarkAndQuiet => SILENT,
        }
    }

    /// What the machine may add: what is seen at once is not to hide behind the next heartbeat.
    fn noise(self) -> Duration {
        match self {
            Self::Fin | Self::Reset => Duration::from_secs(5),
            Self::Dark | Self::DarkAndQuiet => NOISE,
        }
    }
}

fn room(what: &str, kind: Kind) -> String {
    let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{what}-{}", kind.name())
        .chars()
        .map(letters)
        .collect()
}

fn socket(open: &Open) -> &Connection {
    match open {
        Open::Stream(events) => &events.connection,
        Open::Poll(connection) => connection,
    }
}

fn close(open: Open, fault: Fault) -> Option<Open> {
    match (fault, open) {
        (Fault::Fin, open) => drop(open),
        (Fault::Reset, Open::Stream(events)) => events.connection.reset(),
        (Fault::Reset, Open::Poll(connection)) => connection.reset(),
        (Fault::Dark | Fault::DarkAndQuiet, open) => {
            socket(&open).go_dark();
            return Some(open);
        }
    }
    None
}

/// Bob's reader is lost; he comes back once he is away, or never.
async fn lost(place: u32, addr: SocketAddr, fault: Fault, kind: Kind, returns: bool) -> Row {
    let room = room(&format!("{fault:?}-{returns}"), kind);
    let mut scene = Scene::begin(addr, &room).await;
    let mut got = Got::default();
    let mut open = scene.open(addr, kind, &mut got).await.expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    if kind == Kind::Poll {
        // The next one is held.
        open = scene.open(addr, kind, &mut got).await.expect("a reader");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let begun = Instant::now();
    let dark = close(open, fault);
    let waits_for = if returns { "peer-away" } else { "peer-left" };
    let patience = fault.noticed() + AWAY_AFTER + GRACE + NOISE;
    while scene.watch.at(waits_for).is_none() {
        assert!(
            begun.elapsed() < patience,
            "{fault:?} {kind:?}: no {waits_for}"
        );
        // A closed connection is seen without anything being written to it.
        let quiet = fault != Fault::Dark && scene.watch.at("peer-away").is_none();
        if !quiet && scene.watch.at("peer-left").is_none() {
            scene.say().await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let away = scene.watch.at("peer-away").expect("away first");
    let late = fault.noticed() + AWAY_AFTER + fault.noise();
    assert!(
        away - begun >= AWAY_AFTER && away - begun < late,
        "{fault:?} {kind:?}: {:?}",
        away - begun
    );
    let peer = if returns {
        scene.say().await;
        scene.come_back(addr, kind, &mut got).await;
        scene.watch.until("peer-back", NOISE).await;
        assert_eq!(got.resumed, Some(true));
        got.summary()
    } else {
        let left = scene.watch.at("peer-left").expect("left");
        assert_eq!(scene.watch.reason("peer-left"), "timeout");
        assert_eq!(scene.watch.reason("session-ended"), "timeout");
        assert_eq!(scene.watch.count("session-ended"), 1);
        assert!(
            left - begun >= GRACE && left - begun < patience,
            "{:?}",
            left - begun
        );
        scene.say().await;
        let answer = scene.bob.call("GET", "/poll", "").await.expect("an answer");
        assert_eq!(answer.json["reason"], "timeout");
        format!(
            "{} {}: {}",
            answer.status,
            answer.slug(),
            answer.json["reason"].as_str().unwrap_or("")
        )
    };
    drop(dark);
    (place, row(fault.name(), kind.name(), begun, &scene, &peer))
}

fn row(fault: &str, kind: &str, begun: Instant, scene: &Scene, peer: &str) -> Vec<String> {
    let left = match scene.watch.at("peer-left") {
        None => "–".to_owned(),
        at => format!("{}, {}", after(begun, at), scene.watch.reason("peer-left")),
    };
    vec![
        fault.to_owned(),
        kind.to_owned(),
        after(begun, scene.watch.at("peer-away")),
        after(begun, scene.watch.at("peer-back")),
        left,
        scene.told(),
        peer.to_owned(),
    ]
}

/// A proxy hands on half an event, and cuts.
async fn cut_in_mid_event(place: u32, addr: SocketAddr, kind: Kind) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, &room("mid-event", kind)).await;
    let mut got = Got::default();
    let mut open = scene
        .open(gate.addr, kind, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    if kind == Kind::Poll {
        open = scene
            .open(gate.addr, kind, &mut got)
            .await
            .expect("a reader");
    }
    gate.rule(Rule::CutIn(r#""type":"n","data":3"#.into()));
    let begun = Instant::now();
    let send = async {
        for _ in 0..5 {
            scene.say().await;
        }
        scene
    };
    let mut cut = false;
    let read = async {
        for _ in 0..10 {
            match read_on(&mut open, &mut got).await {
                Ok(true) => {}
                // A poll's answer was whole: the next one.
                Ok(false) => return got,
                Err(_) => {
                    cut = true;
                    return got;
                }
            }
        }
        got
    };
    let (scene, mut got) = tokio::join!(send, read);
    let mut tries = 0;
    while kind == Kind::Poll && !cut {
        tries += 1;
        assert!(tries < 10, "it cuts at last");
        let mut open = scene
            .open(gate.addr, kind, &mut got)
            .await
            .expect("a reader");
        cut = read_on(&mut open, &mut got).await.is_err();
    }
    assert!(cut && got.numbers.len() < scene.accepted.len(), "{got:?}");
    gate.rule(Rule::Pass);
    scene.come_back(gate.addr, kind, &mut got).await;
    assert_eq!(got.resumed, Some(true));
    (
        place,
        row(
            "a proxy cuts in mid-event",
            kind.name(),
            begun,
            &scene,
            &got.summary(),
        ),
    )
}

/// The server has written a poll's answer, and it never arrives.
async fn lost_poll(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, "lost-poll").await;
    for _ in 0..4 {
        scene.say().await;
    }
    let mut got = Got::default();
    gate.rule(Rule::Swallow);
    let begun = Instant::now();
    for _ in 0..3 {
        let mut open = scene
            .open(gate.addr, Kind::Poll, &mut got)
            .await
            .expect("a poll");
        assert!(read_on(&mut open, &mut got).await.is_err(), "it is lost");
    }
    gate.rule(Rule::Pass);
    scene.come_back(gate.addr, Kind::Poll, &mut got).await;
    (
        place,
        row(
            "three answers lost after they were written",
            "poll",
            begun,
            &scene,
            &got.summary(),
        ),
    )
}

/// The server has accepted a signal, and its answer never arrives: the sender repeats it.
async fn lost_answer(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, "lost-answer").await;
    let mut got = Got::default();
    let mut open = scene
        .open(addr, Kind::Sse, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    let begun = Instant::now();
    let mut behind = scene.alice.clone();
    behind.addr = gate.addr;
    let signal = json!({"to": "bob", "type": "n", "data": 1, "id": "m-1"});
    gate.rule(Rule::Swallow);
    for _ in 0..3 {
        behind
            .signal(&signal)
            .await
            .expect_err("the answer is lost");
    }
    gate.rule(Rule::Pass);
    let answer = behind.signal(&signal).await.expect("an answer");
    assert_eq!(answer.json["results"][0]["duplicate"], true);
    scene.count(answer, 1);
    let more = json!({"to": "bob", "type": "n", "data": 2, "id": "m-2"});
    let answer = behind.signal(&more).await.expect("an answer");
    scene.count(answer, 2);
    scene.read(&mut open, &mut got).await.expect("both");
    assert_eq!(got.numbers, [0, 1, 2]);
    let told = "duplicate: true at the fourth try; delivered once";
    (
        place,
        row(
            "a sender's 202 lost three times",
            "SSE",
            begun,
            &scene,
            told,
        ),
    )
}

/// The answer to a join never arrives: with its key the same incarnation is answered again.
async fn lost_join(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    gate.rule(Rule::Swallow);
    let begun = Instant::now();
    let body = json!({"peer": "alice", "key": "my own random word"}).to_string();
    let path = "/rooms/lost-join/peers";
    let mut connection = Connection::open(gate.addr).await.expect("a server");
    connection
        .call("POST", path, "", &body)
        .await
        .expect_err("the answer is lost");
    let mut connection = Connection::open(addr).await.expect("a server");
    let answer = connection
        .call("POST", path, "", &body)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let peer = Peer::of(addr, &answer.json);
    let listed = connection
        .call("GET", path, &peer.bearer(), "")
        .await
        .expect("an answer");
    assert_eq!(listed.json["peers"].as_array().map(Vec::len), Some(1));
    let dash = || "–".to_owned();
    let told = format!(
        "200 after {}: the same incarnation",
        after(begun, Some(Instant::now()))
    );
    (
        place,
        vec![
            "the answer to a join lost".into(),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            told,
        ],
    )
}

/// A process that reads is stopped, and goes on later. With `proof` it has posted `alive` before.
async fn stopped(place: u32, addr: SocketAddr, proof: bool) -> Row {
    let mut scene = Scene::begin(addr, &format!("stopped-{proof}")).await;
    let url = format!("http://{addr}{}", scene.bob.path("/events"));
    let curl = Command::new("curl")
        .args([
            "-sN",
            "--noproxy",
            "*",
            "-H",
            scene.bob.bearer().trim(),
            &url,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut curl = Curl(curl);
    let mut lines = BufReader::new(curl.0.stdout.take().expect("a pipe")).lines();
    let (first, lines) = tokio::task::spawn_blocking(move || {
        let mut first: Vec<String> = Vec::new();
        while !first.iter().any(|line| line.contains(r#""type":"offer""#)) {
            first.push(lines.next().expect("an event").expect("a line"));
        }
        (first, lines)
    })
    .await
    .expect("read");
    if proof {
        let answer = scene
            .bob
            .call("POST", "/alive", "")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 204);
    }
    signal(curl.0.id(), "STOP");
    let begun = Instant::now();
    let patience = if proof {
        PROOF + AWAY_AFTER + NOISE
    } else {
        Duration::from_secs(40)
    };
    while scene.watch.at("peer-away").is_none() && begun.elapsed() < patience {
        scene.say().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        scene.watch.at("peer-away").is_some(),
        proof,
        "only who has proved can fall silent"
    );
    scene.say().await;
    // Without an end: what was sent until now.
    let sent = scene.accepted.len() - 1;
    signal(curl.0.id(), "CONT");
    let rest = tokio::task::spawn_blocking(move || {
        let mut rest = Vec::new();
        for line in lines.map_while(Result::ok) {
            let last = line.contains(r#""reason":"silent""#);
            rest.push(line);
            if last {
                break;
            }
            let numbers = rest
                .iter()
                .filter(|line| line.contains(r#""type":"n""#))
                .count();
            if !proof && numbers >= sent {
                break;
            }
        }
        rest
    });
    let rest = tokio::time::timeout(Duration::from_secs(30), rest).await;
    let rest = rest.expect("in time").expect("read");
    drop(curl);
    let mut got = Got::default();
    for line in first.iter().chain(&rest) {
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut got.cursor);
        }
        if let Some(data) = line.strip_prefix("data: ")
            && let Ok(event) = serde_json::from_str::<serde_json::Value>(data)
            && let (Some(_), Some(number)) = (event["type"].as_str(), event["data"].as_u64())
        {
            got.numbers.push(number);
        }
    }
    scene.come_back(addr, Kind::Sse, &mut got).await;
    let (name, peer) = if proof {
        assert!(
            rest.iter()
                .any(|line| line.contains(r#""reason":"silent""#)),
            "it is told"
        );
        (
            "stopped (SIGSTOP), had posted alive",
            format!("end: silent, then {}", got.summary()),
        )
    } else {
        ("stopped for 40 s, never posted alive", got.summary())
    };
    (place, row(name, "SSE", begun, &scene, &peer))
}

/// A reader stops reading while 10 MB are sent to it. The kernel would give its connection up after
/// some 18 s.
async fn stalled(place: u32) -> Row {
    let program = Program::start(&["--slow-after", "5s", "--heartbeat", "2s"]);
    let addr = program.addr;
    let mut scene = Scene::begin(addr, "stalled").await;
    let carol = Peer::join(addr, "stalled", "carol")
        .await
        .expect("carol joins");
    let mut got = Got::default();
    let mut open = scene
        .open(addr, Kind::Sse, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    let begun = Instant::now();
    let more = "x".repeat(16 * 1024);
    for turn in 0..640 {
        let from = if turn % 2 == 0 {
            scene.alice.clone()
        } else {
            carol.clone()
        };
        if scene.watch.at("peer-away").is_none() {
            scene.say_from(&from, &more).await;
        }
    }
    scene.watch.until("peer-away", SILENT).await;
    let rest = async { while matches!(read_on(&mut open, &mut got).await, Ok(true)) {} };
    tokio::time::timeout(NOISE, rest).await.expect("in time");
    let end = got.end.clone();
    scene.come_back(addr, Kind::Sse, &mut got).await;
    scene.watch.until("peer-back", NOISE).await;
    assert_eq!(got.resumed, Some(true));
    assert_eq!(end.as_deref(), Some("slow"));
    let peer = format!("end: slow, then {}", got.summary());
    (
        place,
        row(
            "stops reading, 10 MB sent to it (slow after 5 s)",
            "SSE",
            begun,
            &scene,
            &peer,
        ),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn what_each_fault_of_a_reader_looks_like() {
    let program = Program::start(&[]);
    let addr = program.addr;
    let mut cases = JoinSet::new();
    let mut place = 0;
    let mut next = || {
        place += 1;
        place
    };
    for (fault, kind, returns) in [
        (Fault::Fin, Kind::Sse, true),
        (Fault::Fin, Kind::Ndjson, true),
        (Fault::Fin, Kind::Poll, true),
        (Fault::Fin, Kind::Sse, false),
        (Fault::Reset, Kind::Sse, true),
        (Fault::Reset, Kind::Poll, true),
        (Fault::Dark, Kind::Sse, true),
        (Fault::Dark, Kind::Ndjson, true),
        (Fault::Dark, Kind::Poll, true),
        (Fault::DarkAndQuiet, Kind::Sse, false),
        (Fault::DarkAndQuiet, Kind::Poll, false),
    ] {
        cases.spawn(lost(next(), addr, fault, kind, returns));
    }
    cases.spawn(stalled(next()));
    cases.spawn(stopped(next(), addr, true));
    cases.spawn(stopped(next(), addr, false));
    for kind in [Kind::Sse, Kind::Ndjson, Kind::Poll] {
        cases.spawn(cut_in_mid_event(next(), addr, kind));
    }
    cases.spawn(lost_poll(next(), addr));
    cases.spawn(lost_answer(next(), addr));
    cases.spawn(lost_join(next(), addr));
    let mut rows = Vec::new();
    while let Some(row) = cases.join_next().await {
        rows.push(row.expect("as promised"));
    }
    rows.sort();
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    report::table(
        "What a fault of bob's reader looks like, by the defaults (heartbeat 15 s, away after 2 s, grace 30 s)",
        &[
            "fault",
            "reader",
            "others: away",
            "back",
            "left",
            "the sender is told",
            "bob, when he is back",
        ],
        &rows,
    );
}
