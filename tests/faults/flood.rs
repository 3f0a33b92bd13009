//! One peer that sends as fast as it can, and what the others notice of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::peer::Peer;
use crate::program::Program;
use crate::report;
use crate::storm::insist;

const PAIRS: usize = 20;
const SIGNALS: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// Connections on which the one peer floods.
const LANES: usize = 8;

/// What the others saw.
struct Seen {
    times: Vec<Duration>,
}

impl Seen {
    fn at(&self, share: f64) -> String {
        let last = self.times.len() - 1;
        let index = (last as f64 * share).round() as usize;
        format!("{:.1} ms", self.times[index].as_secs_f64() * 1000.0)
    }
}

/// Pairs that talk at an even pace: how long each signal took until it was accepted and read.
async fn talk(program: &Program, name: &str) -> Seen {
    let addr = program.addr;
    let mut pairs = JoinSet::new();
    for pair in 0..PAIRS {
        let room = format!("{name}-{pair}");
        pairs.spawn(async move {
            let alice = insist(|| Peer::join(addr, &room, "alice")).await;
            let bob = insist(|| Peer::join(addr, &room, "bob")).await;
            let mut sending = Connection::open(addr).await.expect("a server");
            let mut reading = Connection::open(addr).await.expect("a server");
            let (mut times, mut cursor) = (Vec::new(), bob.cursor.clone());
            for n in 0..SIGNALS {
                let asked = Instant::now();
                let body = json!({"to": "bob", "type": "n", "data": n}).to_string();
                let sent = sending
                    .call("POST", &alice.path("/signals"), &alice.bearer(), &body)
                    .await
                    .expect("an answer");
                assert_eq!(sent.status, 202, "all others are served: {sent:?}");
                let mut got: Vec<Value> = Vec::new();
                while got.is_empty() {
                    let headers = format!("{}Last-Event-ID: {cursor}\r\n", bob.bearer());
                    let polled = reading
                        .call("GET", &bob.path("/poll?wait=10"), &headers, "")
                        .await
                        .expect("an answer");
                    assert_eq!(polled.status, 200, "all others are served: {polled:?}");
                    cursor = polled.json["cursor"].as_str().expect("a cursor").to_owned();
                    let events = polled.json["events"].as_array().expect("events");
                    let signals = events.iter().filter(|event| event["event"] == "signal");
                    got = signals.map(|event| event["data"]["data"].clone()).collect();
                }
                assert_eq!(got, [json!(n)], "each once, in order");
                times.push(asked.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            times
        });
    }
    let mut times: Vec<Duration> = pairs.join_all().await.into_iter().flatten().collect();
    times.sort();
    Seen { times }
}

/// The one peer: how much was taken of it, and how much refused.
#[derive(Default)]
struct Flood {
    stop: AtomicBool,
    taken: AtomicUsize,
    limited: AtomicUsize,
    full: AtomicUsize,
    other: AtomicUsize,
}

impl Flood {
    /// Whom it is for reads all that comes of it.
    async fn read(&self, victim: Peer) {
        let mut cursor = victim.cursor.clone();
        while !self.stop.load(Ordering::Relaxed) {
            let tail = format!("/poll?wait=1&max=1000&cursor={cursor}");
            let polled = victim.call("GET", &tail, "").await.expect("an answer");
            let next = polled.json["cursor"].as_str().expect("a cursor");
            next.clone_into(&mut cursor);
        }
    }

    async fn lane(&self, flooder: Peer, body: &str) {
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(mut connection) = Connection::open(flooder.addr).await else {
                continue;
            };
            let (path, bearer) = (flooder.path("/signals"), flooder.bearer());
            while !self.stop.load(Ordering::Relaxed) {
                let Ok(answer) = connection.call("POST", &path, &bearer, body).await else {
                    break;
                };
                let count = match (answer.status, answer.slug()) {
                    (202, _) => &self.taken,
                    (429, "rate-limited") => &self.limited,
                    (429, "mailbox-full") => &self.full,
                    _ => &self.other,
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn a_flood_from_one_peer_is_refused_and_all_others_are_served() {
    let program = Program::start(&[]);
    let alone = talk(&program, "alone").await;
    let flooder = insist(|| Peer::join(program.addr, "flooded", "mallory")).await;
    let victim = insist(|| Peer::join(program.addr, "flooded", "victim")).await;
    let flood = Arc::new(Flood::default());
    let mut lanes = JoinSet::new();
    let reading = flood.clone();
    lanes.spawn(async move { reading.read(victim).await });
    let body = json!(vec![
        json!({"to": "victim", "type": "n", "data": "x".repeat(500)});
        20
    ]);
    for _ in 0..LANES {
        let (flood, flooder, body) = (flood.clone(), flooder.clone(), body.to_string());
        lanes.spawn(async move { flood.lane(flooder, &body).await });
    }
    let began = Instant::now();
    let under = talk(&program, "under").await;
    let seconds = began.elapsed().as_secs_f64();
    flood.stop.store(true, Ordering::Relaxed);
    lanes.join_all().await;
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let row = |name: &str, seen: &Seen| {
        vec![
            name.to_owned(),
            seen.times.len().to_string(),
            seen.at(0.5),
            seen.at(0.99),
            seen.at(1.0),
        ]
    };
    report::table(
        "20 pairs, each a signal every 50 ms, from the POST until it was read",
        &["others", "signals", "p50", "p99", "slowest"],
        &[row("alone", &alone), row("beside a flood", &under)],
    );
    let refused = count(&flood.limited) + count(&flood.full);
    let flooded = count(&flood.taken) + refused + count(&flood.other);
    report::table(
        "the flood: arrays of 20 signals over 8 connections, without a pause",
        &[
            "requests a second",
            "taken",
            "429 rate-limited",
            "429 mailbox-full",
            "other",
        ],
        &[vec![
            format!("{:.0}", flooded as f64 / seconds),
            count(&flood.taken).to_string(),
            count(&flood.limited).to_string(),
            count(&flood.full).to_string(),
            count(&flood.other).to_string(),
        ]],
    );
    assert_eq!(alone.times.len(), PAIRS * SIGNALS);
    assert_eq!(under.times.len(), PAIRS * SIGNALS, "all others were served");
    assert_eq!(count(&flood.other), 0);
    assert!(
        count(&flood.limited) > count(&flood.taken),
        "the flood is refused"
    );
}
