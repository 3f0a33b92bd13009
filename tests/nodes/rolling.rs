//! A rolling deploy: two nodes are stopped in order and started again, one after the other, while calls
//! are set up, kept, and ended. No request may fail, and nothing go missing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::client::{Answer, Event, Events};
use crate::fleet::{Fleet, Store};
use crate::member::{between, seq};
use crate::peer::{Kind, Peer};
use crate::program::signal;
use crate::report;

const CALLS: usize = 200;
/// Between the beginnings of two calls.
const BETWEEN: Duration = Duration::from_millis(100);
/// Between two signals of a call that is kept.
const KEPT: Duration = Duration::from_secs(1);
/// The candidates of each side.
const CANDIDATES: usize = 3;
/// How long anything may take that is to come.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a stream may be silent.
const SILENT: Duration = Duration::from_secs(5);

/// One side of a call.
struct Side {
    peer: Peer,
    heard: Mutex<Heard>,
    /// What it said and was answered with 202.
    said: Mutex<Vec<String>>,
}

/// What a side was told.
#[derive(Default)]
struct Heard {
    signals: Vec<String>,
    ended: usize,
    left: usize,
    gaps: usize,
    readers: usize,
    longest_pause: Duration,
    /// When its last reader ended; the number of its last event.
    since: Option<Instant>,
    seen: u64,
}

/// What is counted over all calls.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    /// Those that were answered otherwise than they should be, or not at all.
    failed: AtomicU64,
}

/// A call, whose first side has called the second.
struct Call {
    sides: [Arc<Side>; 2],
    readers: [JoinHandle<()>; 2],
    set_up: Duration,
    over: bool,
}

impl Side {
    async fn join(front: SocketAddr, room: &str, name: &str, counts: &Counts) -> Arc<Self> {
        let peer = loop {
            counts.requests.fetch_add(1, Ordering::Relaxed);
            match timeout(SILENT, Peer::join(front, room, name)).await {
                Ok(Ok(peer)) => break peer,
                Ok(Err(error)) => println!("a join is to be repeated: {error}"),
                Err(_) => println!("a join is not answered"),
            }
            counts.failed.fetch_add(1, Ordering::Relaxed);
            sleep(between(100, 300)).await;
        };
        Arc::new(Self {
            peer,
            heard: Mutex::default(),
            said: Mutex::default(),
        })
    }

    /// Says something until it is accepted.
    async fn say(&self, what: &str, kind: &str, counts: &Counts) {
        let to = if self.peer.name == "ada" {
            "bob"
        } else {
            "ada"
        };
        let message = json!({
            "to": to, "type": kind, "session": "s", "id": what, "data": {"what": what},
        });
        loop {
            counts.requests.fetch_add(1, Ordering::Relaxed);
            match timeout(SILENT, self.peer.signal(&message)).await {
                Ok(Ok(Answer { status: 202, .. })) => break,
                Ok(Ok(answer)) => println!("a signal is answered: {answer:?}"),
                Ok(Err(error)) => println!("a signal is to be repeated: {error}"),
                Err(_) => println!("a signal is not answered"),
            }
            counts.failed.fetch_add(1, Ordering::Relaxed);
            sleep(between(200, 500)).await;
        }
        if kind != "bye" {
            self.said.lock().push(what.to_owned());
        }
    }

    async fn read(self: Arc<Self>) {
        let mut cursor = self.peer.cursor.clone();
        loop {
            let opened = timeout(SILENT, self.peer.events(Kind::Sse, &cursor)).await;
            let wait = match opened {
                Ok(Ok(Ok(events))) => self.follow(events, &mut cursor).await,
                // All that there is to say: it goes on elsewhere.
                Ok(Ok(Err(answer))) if answer.status == 200 => between(1000, 3000),
                Ok(Ok(Err(answer))) => {
                    println!("a reader is answered: {answer:?}");
                    between(200, 500)
                }
                Ok(Err(_)) | Err(_) => between(1000, 3000),
            };
            self.heard.lock().since.get_or_insert_with(Instant::now);
            sleep(wait).await;
        }
    }

    /// Reads a stream to its end; when to open the next.
    async fn follow(&self, mut events: Events, cursor: &mut String) -> Duration {
        while let Ok(Ok(Some(event))) = timeout(SILENT, events.next()).await {
            self.take(&event);
            if let Some(id) = event.id {
                *cursor = id;
            }
        }
        events.retry
    }

    fn take(&self, event: &Event) {
        let mut heard = self.heard.lock();
        if event.name != "ready"
            && let Some(seq) = event.id.as_deref().and_then(seq)
        {
            // What was seen already is passed over, as the browser client does.
            if seq <= heard.seen {
                return;
            }
            heard.seen = seq;
        }
        match event.name.as_str() {
            "ready" => {
                heard.readers += 1;
                heard.gaps += usize::from(!event.data["gap"].is_null());
                if let Some(since) = heard.since.take() {
                    heard.longest_pause = heard.longest_pause.max(since.elapsed());
                }
            }
            "signal" => {
                let what = event.data["data"]["what"].as_str();
                heard.signals.extend(what.map(str::to_owned));
            }
            "session-ended" => heard.ended += 1,
            "peer-left" => heard.left += 1,
            _ => {}
        }
    }

    async fn hears(&self, what: &str, is_so: impl Fn(&Heard) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.heard.lock()) {
            let name = (&self.peer.room, &self.peer.name);
            assert!(begun.elapsed() < PATIENCE, "{name:?} waits for {what}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn hears_signal(&self, what: &str) {
        self.hears(what, |heard| heard.signals.iter().any(|one| one == what))
            .await;
    }
}

impl Call {
    /// Sets up a call, with offer, answer and candidates.
    async fn begin(front: SocketAddr, number: usize, counts: &Counts) -> Self {
        let (begun, room) = (Instant::now(), format!("call-{number}"));
        let ada = Side::join(front, &room, "ada", counts).await;
        let bob = Side::join(front, &room, "bob", counts).await;
        let readers = [&ada, &bob].map(|side| tokio::spawn(side.clone().read()));
        ada.say("offer", "offer", counts).await;
        bob.hears_signal("offer").await;
        bob.say("answer", "answer", counts).await;
        ada.hears_signal("answer").await;
        for candidate in 0..CANDIDATES {
            let what = format!("candidate-{candidate}");
            for side in [&ada, &bob] {
                side.say(&what, "candidate", counts).await;
            }
        }
        let last = format!("candidate-{}", CANDIDATES - 1);
        ada.hears_signal(&last).await;
        bob.hears_signal(&last).await;
        Self {
            sides: [ada, bob],
            readers,
            set_up: begun.elapsed(),
            over: false,
        }
    }

    /// Keeps it: says something now and then, until all is to stop, or the call is over.
    async fn keep(
        mut self,
        number: usize,
        mut stop: watch::Receiver<bool>,
        counts: &Counts,
    ) -> Self {
        // Every third ends in the middle.
        let end = number
            .is_multiple_of(3)
            .then(|| Instant::now() + between(1000, 8000));
        for n in 0.. {
            let stopped = timeout(KEPT, stop.wait_for(|stop| *stop)).await.is_ok();
            if end.is_some_and(|end| stopped || end < Instant::now()) {
                self.sides[0].say("bye", "bye", counts).await;
                self.over = true;
            }
            if stopped || self.over {
                break;
            }
            for side in &self.sides {
                side.say(&format!("kept-{n}"), "n", counts).await;
            }
        }
        self
    }

    /// What has not come of what was accepted, and what came twice.
    fn judge(&self) -> (usize, usize) {
        let (mut lost, mut doubled) = (0, 0);
        let [ada, bob] = &self.sides;
        for (from, to) in [(ada, bob), (bob, ada)] {
            let heard = to.heard.lock();
            for what in from.said.lock().iter() {
                match heard.signals.iter().filter(|one| *one == what).count() {
                    0 => lost += 1,
                    times => doubled += times - 1,
                }
            }
        }
        (lost, doubled)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// Plays it, and prints the figures.
pub async fn play(flags: &[&str]) {
    let mut fleet = Fleet::of(2, Store::single(), flags).await;
    let (front, counts) = (fleet.front, Arc::new(Counts::default()));
    let (stop, stopped) = watch::channel(false);
    let mut going = JoinSet::new();
    for number in 0..CALLS {
        let (counts, stopped) = (counts.clone(), stopped.clone());
        going.spawn(async move {
            sleep(BETWEEN * u32::try_from(number).expect("a number")).await;
            let call = Call::begin(front, number, &counts).await;
            call.keep(number, stopped, &counts).await
        });
    }
    let begun = Instant::now();
    sleep(Duration::from_secs(3)).await;
    for at in 0..2 {
        signal(fleet.node(at).id(), "TERM");
        let status = fleet.node(at).gone().await;
        assert!(status.success(), "{status}");
        fleet.again(at).await;
    }
    let rolled = begun.elapsed();
    sleep((BETWEEN * 200 + Duration::from_secs(2)).saturating_sub(begun.elapsed())).await;
    stop.send_replace(true);
    let calls = timeout(PATIENCE, going.join_all()).await.expect("all end");
    // What was accepted last is on its way still.
    let settled = Instant::now();
    while calls.iter().any(|call| call.judge().0 > 0) && settled.elapsed() < PATIENCE {
        sleep(Duration::from_millis(50)).await;
    }
    for call in calls.iter().filter(|call| call.over) {
        call.sides[1]
            .hears("the end", |heard| heard.ended > 0)
            .await;
    }
    fleet.tell();
    tell(&calls, &counts, rolled);
}

fn tell(calls: &[Call], counts: &Counts, rolled: Duration) {
    let mut set_up: Vec<_> = calls.iter().map(|call| call.set_up).collect();
    set_up.sort();
    let (mut lost, mut doubled, mut missing, mut twice) = (0, 0, 0, 0);
    let (mut gone, mut gaps, mut reconnects, mut said) = (0, 0, 0, 0);
    let mut pause = Duration::ZERO;
    for call in calls {
        let (without, again) = call.judge();
        lost += without;
        doubled += again;
        let told = call.sides[1].heard.lock().ended;
        let due = usize::from(call.over);
        missing += due.saturating_sub(told);
        twice += told.saturating_sub(due);
        for side in &call.sides {
            let heard = side.heard.lock();
            gone += heard.left;
            gaps += heard.gaps;
            reconnects += heard.readers.saturating_sub(1);
            pause = pause.max(heard.longest_pause);
            said += side.said.lock().len();
        }
    }
    let failed = counts.failed.load(Ordering::Relaxed);
    let (p50, p99) = (set_up[set_up.len() / 2], set_up[set_up.len() * 99 / 100]);
    let over = calls.iter().filter(|call| call.over).count();
    let row = [
        calls.len().to_string(),
        over.to_string(),
        report::seconds(p50),
        report::seconds(p99),
        counts.requests.load(Ordering::Relaxed).to_string(),
        failed.to_string(),
        said.to_string(),
        lost.to_string(),
        doubled.to_string(),
        format!("{missing}, {twice}"),
        gone.to_string(),
        reconnects.to_string(),
        report::seconds(pause),
    ];
    let title = format!(
        "Two nodes behind HAProxy, stopped and started one after the other, which took {}",
        report::seconds(rolled)
    );
    let head = [
        "calls",
        "ended",
        "set up, p50",
        "p99",
        "requests",
        "failed",
        "accepted",
        "lost",
        "doubled",
        "notices missing, doubled",
        "wrongly told gone",
        "reconnects",
        "longest pause of a reader",
    ];
    report::table(&title, &head, &[row.to_vec()]);
    assert_eq!(calls.len(), CALLS);
    let amiss = [lost, doubled, missing, twice, gone, gaps];
    assert_eq!((amiss, failed), ([0; 6], 0), "something went amiss");
    assert!(reconnects >= CALLS / 2, "the readers were sent away");
}
