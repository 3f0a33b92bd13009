//! The faults, one scene each, and the table of what came of them.

use std::time::{Duration, Instant};

use crate::account::Sum;
use crate::apart::{self, Machine};
use crate::crowd::Crowd;
use crate::fleet::{Fleet, NODES, Start, Store};
use crate::gate::{Gate, Way};
use crate::program::{file, signal};
use crate::{report, rolling};

const TEST: &str = "scenes::three_nodes_come_through_all_faults_under_load";
const LEASE: Duration = Duration::from_secs(5);
/// Longer than a client waits for an answer, and tries again.
const GRACE: Duration = Duration::from_secs(8);
/// The flags of a scene's nodes.
const FLAGS: [&str; 8] = [
    "--node-lease",
    "5s",
    "--grace",
    "8s",
    "--heartbeat",
    "2s",
    "--drain",
    "3s",
];
/// What takes longer than a lease, and than what a node gives up before.
const LONG: Duration = Duration::from_secs(8);
/// A pause of the store that is shorter than the usual lease.
const PAUSE: Duration = Duration::from_secs(20);

/// How long a Sentinel may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Scenes that are played only where they are named: one that is only looked at, and one whose clients
/// give up where a machine has other things to do.
const ON_REQUEST: [&str; 2] = ["failover-back", "rolling"];

/// What a scene is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Nothing is amiss.
    All,
    /// The same, but that a signal may have been told before a replica had it: lost then, and never
    /// answered, it is sent again, and told again.
    Answered,
    /// What follows is only looked at: two primaries take commands for a while, and what readers got of
    /// the one that is given up stands in the way of what they get of the other.
    Nothing,
    /// What was not replicated may be lost.
    Replicated,
}

/// Which scenes are played.
enum Wanted {
    /// Those of these names, but for those that have been.
    Named(Vec<String>),
    /// Of all but those on request this share: every `of`th, when `skip` have passed.
    Share { skip: usize, of: usize },
}

impl Wanted {
    /// As `SCENES` has it: names, or a share like `1/2`; all where it has nothing.
    fn read() -> Self {
        let Ok(scenes) = std::env::var("SCENES") else {
            return Self::Share { skip: 0, of: 1 };
        };
        let share = scenes.split_once('/');
        let share = share.and_then(|(nth, of)| Some((nth.parse().ok()?, of.parse().ok()?)));
        match share {
            Some((nth, of)) if (1..=of).contains(&nth) => Self::Share { skip: nth - 1, of },
            _ => Self::Named(scenes.split(',').map(str::to_owned).collect()),
        }
    }

    /// Asked of each scene once, in order.
    fn has(&mut self, name: &str) -> bool {
        match self {
            Self::Named(names) => {
                let before = names.len();
                names.retain(|one| one != name);
                names.len() < before
            }
            Self::Share { .. } if ON_REQUEST.contains(&name) => false,
            Self::Share { skip, of } => {
                let has = *skip == 0;
                *skip = if has { *of } else { *skip } - 1;
                has
            }
        }
    }
}

/// The scenes that are played, and what came of them.
struct Play {
    wanted: Wanted,
    rows: Vec<Vec<String>>,
    amiss: Vec<String>,
}

impl Play {
    fn new() -> Self {
        Self {
            wanted: Wanted::read(),
            rows: Vec::new(),
            amiss: Vec::new(),
        }
    }

    fn wants(&mut self, name: &str) -> bool {
        self.wanted.has(name)
    }

    /// Plays a scene: the fault happens while peers go, and is over when `happens` returns. It gives
    /// from when on everybody could be served: from the fault on, where the other nodes are well.
    async fn play(
        &mut self,
        (fault, promise): (&str, Promise),
        mut fleet: Fleet,
        happens: impl AsyncFnOnce(&mut Fleet) -> Instant,
    ) {
        let begun = Instant::now();
        let mut crowd = Crowd::gather(fleet.front).await;
        crowd.begin().await;
        let gathered = begun.elapsed();
        crowd.depart();
        let back = happens(&mut fleet).await;
        // For as long as anyone could be told of anything late, signals flow on.
        tokio::time::sleep(LEASE + 2 * GRACE).await;
        let sum = crowd.settle(back).await;
        println!(
            "{fault}: gathered in {}, all in {}; {} tries repeated, {} answered as duplicates, {} readers, {} events passed over by their ids",
            report::seconds(gathered),
            report::seconds(begun.elapsed()),
            sum.retries,
            sum.duplicates,
            sum.readers,
            sum.passed_over,
        );
        fleet.tell();
        self.judge(fault, promise, &sum);
        self.rows.push(sum.row(fault));
    }

    fn judge(&mut self, fault: &str, promise: Promise, sum: &Sum) {
        let well = match promise {
            Promise::All => sum.is_clean(),
            Promise::Answered => sum.is_clean_but_for_repeats(),
            Promise::Nothing => true,
            Promise::Replicated => sum.gone == 0,
        };
        if !well {
            self.amiss.push(format!("{fault}: {sum:?}"));
        }
    }

    fn end(self) {
        let none = self.rows.is_empty();
        if !none {
            report::table(
                "Three nodes behind HAProxy, 200 rooms of 4 peers, 400 signals a second",
                &Sum::HEAD,
                &self.rows,
            );
        }
        assert!(self.amiss.is_empty(), "{}", self.amiss.join("\n"));
        match self.wanted {
            Wanted::Named(left) => assert!(left.is_empty(), "no such scenes: {left:?}"),
            Wanted::Share { .. } => assert!(!none, "there are not so many scenes"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; tests/run runs it"]
async fn three_nodes_come_through_all_faults_under_load() {
    if let Some(passed) = apart::run(TEST) {
        assert!(passed, "within a network of its own");
        return;
    }
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let mut play = Play::new();
    nodes_die(&mut play).await;
    the_store_is_cut(&mut play).await;
    the_store_dies(&mut play).await;
    the_store_stands_still(&mut play).await;
    nodes_come_and_go(&mut play).await;
    if play.wants("rolling") {
        rolling::play(&FLAGS).await;
    }
    play.end();
}

async fn nodes_die(play: &mut Play) {
    if play.wants("kill") {
        let fleet = Fleet::start(Store::single(), &FLAGS).await;
        let kill = async |fleet: &mut Fleet| {
            fleet.node(0).kill();
            Instant::now()
        };
        play.play(("kill -9 of a node", Promise::All), fleet, kill)
            .await;
    }
    if play.wants("stop") {
        let fleet = Fleet::start(Store::single(), &FLAGS).await;
        let stop = async |fleet: &mut Fleet| {
            let (id, begun) = (fleet.node(0).id(), Instant::now());
            signal(id, "STOP");
            tokio::time::sleep(LONG).await;
            signal(id, "CONT");
            begun
        };
        let fault = "SIGSTOP of a node for 8 s, then SIGCONT";
        play.play((fault, Promise::All), fleet, stop).await;
    }
}

async fn the_store_is_cut(play: &mut Play) {
    if play.wants("cut") {
        if apart::is_within() {
            cut_by_cable(play).await;
        } else {
            println!("no network namespaces are permitted here: a gate in the way instead");
            cut_by_gate(play).await;
        }
    }
    if play.wants("deaf") {
        let fleet = Fleet::start(Store::single(), &FLAGS).await;
        let deafen = async |fleet: &mut Fleet| {
            let begun = Instant::now();
            for _ in 0..3 {
                let _: u64 = fleet
                    .store
                    .primary
                    .ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            begun
        };
        let fault = "the pub/sub connections killed, three times";
        play.play((fault, Promise::All), fleet, deafen).await;
    }
}

async fn cut_by_cable(play: &mut Play) {
    let machine = Machine::new();
    let store = Store::also_at(Machine::STORE);
    let port = store.primary.port;
    let elsewhere = |at: usize, start: &mut Start| {
        if at == 0 {
            start.store = Some(format!("redis://{}:{port}", Machine::STORE));
            start.listen = format!("{}:8080", Machine::ADDRESS)
                .parse()
                .expect("an address");
            start.command = Some(machine.command(&file()));
        }
    };
    let fleet = Fleet::with(store, &FLAGS, elsewhere).await;
    let cut = async |_: &mut Fleet| {
        let begun = Instant::now();
        machine.plug(false);
        tokio::time::sleep(LONG).await;
        machine.plug(true);
        begun
    };
    let fault = "a node cut from Redis for 8 s (network namespace)";
    play.play((fault, Promise::All), fleet, cut).await;
}

async fn cut_by_gate(play: &mut Play) {
    let store = Store::single();
    let gate = Gate::to(store.primary.port).await;
    let elsewhere = |at: usize, start: &mut Start| {
        if at == 0 {
            start.store = Some(gate.url());
        }
    };
    let fleet = Fleet::with(store, &FLAGS, elsewhere).await;
    let cut = async |_: &mut Fleet| {
        let begun = Instant::now();
        gate.set(Way::Silent);
        tokio::time::sleep(LONG).await;
        gate.set(Way::Open);
        begun
    };
    let fault = "a node cut from Redis for 8 s (a silent gate)";
    play.play((fault, Promise::All), fleet, cut).await;
}

async fn the_store_dies(play: &mut Play) {
    if play.wants("restart") {
        let fleet = Fleet::start(Store::single(), &FLAGS).await;
        let restart = async |fleet: &mut Fleet| {
            fleet.store.primary.kill();
            tokio::time::sleep(Duration::from_secs(2)).await;
            fleet.store.primary.restart();
            Instant::now()
        };
        let fault = "Redis killed, started again after 2 s (AOF everysec)";
        play.play((fault, Promise::All), fleet, restart).await;
    }
    // With wait, a promoted replica needs one of its own; the old primary may be that.
    let ways = [
        (
            "failover",
            "0",
            1,
            false,
            "without wait",
            Promise::Replicated,
        ),
        (
            "failover-wait",
            "1",
            2,
            false,
            "with --backplane-wait 1",
            Promise::Answered,
        ),
        (
            "failover-back",
            "1",
            1,
            true,
            "started again at once, with --backplane-wait 1",
            Promise::Nothing,
        ),
    ];
    for (name, wait, replicas, restarts, how, promise) in ways {
        if !play.wants(name) {
            continue;
        }
        let flags = [&FLAGS[..], &["--backplane-wait", wait]].concat();
        let fleet = Fleet::start(Store::watched(replicas).await, &flags).await;
        let promote = async |fleet: &mut Fleet| {
            fleet.store.primary.kill();
            let killed = Instant::now();
            while !fleet.store.has_promoted() {
                assert!(killed.elapsed() < PATIENCE, "none is promoted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if restarts {
                fleet.store.primary.restart();
            }
            Instant::now()
        };
        let fault = format!("primary killed, a replica of {replicas} promoted by Sentinel, {how}");
        play.play((&fault, promise), fleet, promote).await;
    }
}

async fn the_store_stands_still(play: &mut Play) {
    for (name, lease) in [("pause", "30s"), ("pause-long", "5s")] {
        if !play.wants(name) {
            continue;
        }
        let flags = ["--node-lease", lease, "--grace", "8s", "--heartbeat", "2s"];
        let fleet = Fleet::start(Store::single(), &flags).await;
        let pause = async |fleet: &mut Fleet| {
            fleet.store.primary.pause();
            tokio::time::sleep(PAUSE).await;
            fleet.store.primary.resume();
            Instant::now()
        };
        let fault = format!("Redis paused for 20 s, a lease of {lease}");
        play.play((&fault, Promise::All), fleet, pause).await;
    }
}

async fn nodes_come_and_go(play: &mut Play) {
    if play.wants("drain") {
        let fleet = Fleet::start(Store::single(), &FLAGS).await;
        let change = async |fleet: &mut Fleet| {
            fleet.add().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let begun = Instant::now();
            signal(fleet.node(0).id(), "TERM");
            let status = fleet.node(0).gone().await;
            assert!(status.success(), "{status}");
            begun
        };
        let fault = "a node added, and one drained (SIGTERM)";
        play.play((fault, Promise::All), fleet, change).await;
    }
    if play.wants("clock") {
        let wrong = |at: usize, start: &mut Start| {
            let by = ["+60s", "-60s"].get(at);
            if let Some(by) = by {
                let mut command = std::process::Command::new(file());
                command.env("LD_PRELOAD", faketime()).env("FAKETIME", by);
                command.env("DONT_FAKE_MONOTONIC", "1");
                start.command = Some(command);
            }
        };
        let fleet = Fleet::with(Store::single(), &FLAGS, wrong).await;
        let lose_one = async |fleet: &mut Fleet| {
            // The one whose clock is right: all of its peers go to those that are 60 s off.
            fleet.node(NODES - 1).kill();
            Instant::now()
        };
        let fault = "the clocks of two nodes 60 s wrong (+, -), the third killed";
        play.play((fault, Promise::All), fleet, lose_one).await;
    }
}

/// The library that makes a program believe in another time.
fn faketime() -> std::path::PathBuf {
    let all = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let inner = all.map(|dir| dir.path().join("faketime/libfaketimeMT.so.1"));
    let found = inner.into_iter().find(|path| path.exists());
    found.expect("install libfaketime (Debian: apt-get install faketime)")
}
