//! What each fault of a reader looks like: to the peer itself, to the other, to who sends to it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::Connection;
use crate::paths::{cut_in_mid_event, lost_answer, lost_join, lost_poll};
use crate::peer::Kind;
use crate::program::Program;
use crate::report;
use crate::scene::{Got, Open, Scene, after};
use crate::stalls::{stalled, stopped};

/// The defaults, and what a busy machine may add to them.
pub const AWAY_AFTER: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(30);
pub const SILENT: Duration = Duration::from_secs(15 + 20);
pub const NOISE: Duration = Duration::from_secs(10);

pub type Row = (u32, Vec<String>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fin,
    Reset,
    /// Its packets are dropped, while somebody sends to it.
    Dark,
    /// The same, while nobody sends.
    DarkAndQuiet,
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

pub fn room(what: &str, kind: Kind) -> String {
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

/// What was seen, in the columns of the table.
pub fn row(fault: &str, kind: &str, begun: Instant, scene: &Scene, peer: &str) -> Vec<String> {
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
