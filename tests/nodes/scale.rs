//! 50,000 peers in 12,500 rooms over three nodes: what that takes, and how fast it is.
//!
//! On request alone, and on a machine that does little else:
//! `cargo test --release --test nodes -- --ignored --nocapture scale`; `PEERS=10000` for fewer. A node
//! and a process of clients hold as many connections as one process may have descriptors, so the
//! clients are several processes, and a fourth node takes the place of the one that is killed.

mod herd;
mod worker;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Server;
use crate::program::Program;
use crate::report;
use herd::ROOM;
use worker::Worker;

const PEERS: usize = 50_000;
/// Of those, the ones that the first look at an idle store is at.
const FEW: usize = 5000;
const WORKERS: usize = 4;
const NODES: usize = 3;
const IDLE: Duration = Duration::from_secs(20);
/// After joins and opened streams the nodes have things to tell each other for so long.
const CALM: Duration = Duration::from_secs(15);
const RELAY: Duration = Duration::from_secs(20);
/// How many signals of a process of clients are under way at a time.
const AT_ONCE: usize = 16;
const FLAGS: [&str; 12] = [
    "--max-connections",
    "0",
    "--max-connections-per-ip",
    "0",
    "--max-readers",
    "0",
    "--max-rooms",
    "0",
    "--secret",
    "a secret that all nodes of this test share",
    "--heartbeat",
    "15s",
];

/// The nodes, their store and their clients.
struct Stage {
    store: Server,
    nodes: Vec<Program>,
    workers: Vec<Worker>,
}

impl Stage {
    fn new() -> Self {
        let store = Server::redis(&[]);
        let mut stage = Self {
            store,
            nodes: Vec::new(),
            workers: Vec::new(),
        };
        (0..NODES).for_each(|_| stage.add());
        let worker = |_| Worker::start();
        stage.workers = (0..WORKERS).map(worker).collect();
        stage
    }

    fn add(&mut self) {
        let mut flags = FLAGS.to_vec();
        let url = self.store.url();
        flags.extend(["--backplane", &url]);
        let mut command = std::process::Command::new(crate::program::file());
        command.env("RUST_LOG", "warn,switchboard=info");
        self.nodes
            .push(Program::run(command, "127.0.0.1:0", &flags));
    }

    /// Asks all processes of clients at once. What they answered, and how long it took.
    fn ask(&mut self, what: impl Fn(usize) -> Value) -> (Vec<Value>, Duration) {
        let begun = Instant::now();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            worker.say(&what(at));
        }
        let answers = self.workers.iter_mut().map(Worker::hear).collect();
        (answers, begun.elapsed())
    }

    fn face(&mut self, nodes: &[SocketAddr]) {
        let nodes: Vec<_> = nodes.iter().map(SocketAddr::to_string).collect();
        self.ask(|_| json!({"do": "face", "nodes": nodes}));
    }

    /// The rooms of one process of clients among `rooms`.
    fn share(rooms: &std::ops::Range<usize>, at: usize) -> (usize, usize) {
        let bound = |at: usize| rooms.start + rooms.len() * at / WORKERS;
        (bound(at), bound(at + 1))
    }

    /// Peers of these rooms join and open their streams: how many a second.
    fn gather(&mut self, rooms: std::ops::Range<usize>) -> (f64, f64) {
        let peers = (rooms.len() * ROOM) as f64;
        let task = |what: &'static str| {
            let rooms = rooms.clone();
            move |at| {
                let (from, to) = Self::share(&rooms, at);
                json!({"do": what, "from": from, "to": to})
            }
        };
        let (_, joining) = self.ask(task("join"));
        let (_, opening) = self.ask(task("open"));
        (peers / joining.as_secs_f64(), peers / opening.as_secs_f64())
    }

    /// The memory of all nodes, and of the store.
    fn memory(&self) -> (u64, u64) {
        let nodes = self.nodes.iter().map(|node| resident(node.id())).sum();
        let used = info(&self.store, "memory", "used_memory:");
        (nodes, used)
    }

    /// What is asked of the store a second while nobody asks for anything, in all and by command: also
    /// what scripts ask.
    fn idle(&self) -> (f64, Vec<(String, f64)>) {
        let before = calls(&self.store);
        std::thread::sleep(IDLE);
        let after = calls(&self.store);
        let rate = |count: u64| count as f64 / IDLE.as_secs_f64();
        let mut rates: Vec<_> = after
            .into_iter()
            .map(|(name, count)| {
                let known = before.iter().find(|(other, _)| *other == name);
                (name, rate(count - known.map_or(0, |(_, count)| *count)))
            })
            .filter(|(name, rate)| *rate > 0.0 && name != "info")
            .collect();
        rates.sort_by(|a, b| b.1.total_cmp(&a.1));
        (rates.iter().map(|(_, rate)| rate).sum(), rates)
    }
}

fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok())
        .expect("KiB")
        * 1024
}

fn info(store: &Server, part: &str, field: &str) -> u64 {
    let text: String = store.ask(&["INFO", part]);
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|number| number.parse().ok())
        .expect("a number")
}

/// How often each command was called.
fn calls(store: &Server) -> Vec<(String, u64)> {
    let text: String = store.ask(&["INFO", "commandstats"]);
    let of = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), calls))
    };
    text.lines().filter_map(of).collect()
}

fn percentile(sorted: &[u64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0) as f64
}

fn numbers(answers: &[Value], field: &str) -> Vec<u64> {
    let all = answers
        .iter()
        .flat_map(|answer| answer[field].as_array().into_iter().flatten());
    let mut all: Vec<u64> = all.filter_map(Value::as_u64).collect();
    all.sort_unstable();
    all
}

fn sum(answers: &[Value], field: &str) -> u64 {
    answers
        .iter()
        .filter_map(|answer| answer[field].as_u64())
        .sum()
}

#[test]
#[ignore = "takes the whole machine for minutes"]
fn scale_of_50_000_peers_over_three_nodes() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let peers = std::env::var("PEERS")
        .ok()
        .and_then(|text| text.parse().ok());
    let rooms = peers.unwrap_or(PEERS) / ROOM;
    let peers = rooms * ROOM;
    let few = FEW.min(peers / 2) / ROOM;
    let mut stage = Stage::new();
    let addrs: Vec<_> = stage.nodes.iter().map(|node| node.addr).collect();
    stage.face(&addrs);
    let empty = stage.memory();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, came: String| {
        println!("{what}: {came}");
        rows.push(vec![what.to_owned(), came]);
    };

    let rates = |(commands, rates): &(f64, Vec<(String, f64)>)| {
        let first = rates.iter().take(6);
        let first = first.map(|(name, rate)| format!("{name} {rate:.1}"));
        format!("{commands:.1} ({})", first.collect::<Vec<_>>().join(", "))
    };
    stage.gather(0..few);
    std::thread::sleep(CALM);
    let idle = stage.idle();
    row(
        &format!("commands/s when idle, {} peers", few * ROOM),
        rates(&idle),
    );

    let (joined, opened) = stage.gather(few..rooms);
    row("joins/s", format!("{joined:.0}"));
    row("streams opened/s", format!("{opened:.0}"));
    std::thread::sleep(CALM);
    let full = stage.memory();
    let each = |after: u64, before: u64| report::size((after - before) / peers as u64);
    row("nodes, RSS a peer", each(full.0, empty.0));
    row("Redis, used_memory a peer", each(full.1, empty.1));
    let idle = stage.idle();
    row(
        &format!("commands/s when idle, {peers} peers"),
        rates(&idle),
    );

    let relay = json!({"do": "relay", "seconds": RELAY.as_secs(), "at_once": AT_ONCE});
    let (answers, _) = stage.ask(|_| relay.clone());
    let took = numbers(&answers, "took");
    let (accepted, refused) = (sum(&answers, "accepted"), sum(&answers, "refused"));
    let a_second = |count: u64| count as f64 / RELAY.as_secs_f64();
    row(
        &format!("signals/s over nodes, {} under way", AT_ONCE * WORKERS),
        format!(
            "{:.0} accepted, {:.0} delivered, {refused} refused; p50 {:.1} ms, p99 {:.1} ms",
            a_second(accepted),
            a_second(took.len() as u64),
            percentile(&took, 0.5) / 1000.0,
            percentile(&took, 0.99) / 1000.0,
        ),
    );
    assert_eq!(took.len() as u64, accepted, "what is accepted is delivered");

    stage.add();
    let all: Vec<_> = stage.nodes.iter().map(|node| node.addr).collect();
    stage.face(&all[1..]);
    let gone = all[0].to_string();
    let (answers, _) = stage.ask(|_| json!({"do": "watch", "node": gone}));
    let lost = sum(&answers, "reading");
    let killed = Instant::now();
    stage.nodes[0].kill();
    let died = killed.elapsed();
    let (answers, _) = stage.ask(|_| json!({"do": "back"}));
    let back = numbers(&answers, "back");
    row(
        &format!("{lost} peers of a killed node read again after"),
        format!(
            "first {:.1} s, p50 {:.1} s, p99 {:.1} s, all {:.1} s; its process had ended after {}",
            percentile(&back, 0.0) / 1000.0,
            percentile(&back, 0.5) / 1000.0,
            percentile(&back, 0.99) / 1000.0,
            percentile(&back, 1.0) / 1000.0,
            report::seconds(died),
        ),
    );
    for (at, node) in stage.nodes.iter().enumerate().skip(1) {
        let said = node.said();
        let count = |what: &str| said.lines().filter(|line| line.contains(what)).count();
        let times = count("does not answer");
        println!("node {at} found {times} times that the store does not answer");
    }
    // Past the lease of the node, and what its end takes.
    std::thread::sleep(Duration::from_secs(45));
    let (answers, _) = stage.ask(|_| json!({"do": "told"}));
    let (away, left) = (sum(&answers, "away"), sum(&answers, "left"));
    row("told away and left, of those", format!("{away} and {left}"));
    report::table(
        &format!("{peers} peers in {rooms} rooms over three nodes and a Redis"),
        &["what", "came to"],
        &rows,
    );
    assert_eq!(left, 0, "nobody is told gone who came back");
    assert_eq!(
        back.len() as u64,
        lost,
        "all come back, and nobody else had to"
    );
}
