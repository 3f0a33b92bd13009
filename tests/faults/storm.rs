//! Many clients at once: each reads by SSE, and sends its partner a signal a second.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, Event, Events};
use crate::ledger::{Ledger, between};
use crate::peer::{Kind, Peer};
use crate::program::Program;
use crate::report;

/// Peers of one room, two by two partners.
const ROOM: usize = 10;
const PATIENCE: Duration = Duration::from_secs(90);

/// The clients of a test.
pub struct Storm {
    clients: Vec<Arc<Client>>,
    cut: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    senders: JoinSet<()>,
    readers: JoinSet<()>,
}

struct Client {
    addr: SocketAddr,
    partner: String,
    /// The present incarnation.
    peer: Mutex<Peer>,
    /// How many incarnations there have been.
    joined: watch::Sender<u64>,
    ledger: Mutex<Ledger>,
    /// The last cut after which a reader is open again, and since when.
    back: Mutex<(u64, Instant)>,
}

impl Storm {
    /// So many clients, all of them reading, none sending yet.
    pub async fn gather(addr: SocketAddr, count: usize) -> Self {
        rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
        let mut joining = JoinSet::new();
        for index in 0..count {
            joining.spawn(async move {
                let (room, name) = (
                    format!("room-{}", index / ROOM),
                    format!("p{}", index % ROOM),
                );
                let partner = format!("p{}", (index % ROOM) ^ 1);
                let peer = insist(|| Peer::join(addr, &room, &name)).await;
                let client = Arc::new(Client {
                    addr,
                    partner,
                    peer: Mutex::new(peer),
                    joined: watch::Sender::new(1),
                    ledger: Mutex::default(),
                    back: Mutex::new((0, Instant::now())),
                });
                (index, client)
            });
        }
        let mut clients = joining.join_all().await;
        // Partners stand side by side.
        clients.sort_by_key(|(index, _)| *index);
        let mut storm = Self {
            clients: clients.into_iter().map(|(_, client)| client).collect(),
            cut: watch::Sender::new(1),
            stop: watch::Sender::new(false),
            senders: JoinSet::new(),
            readers: JoinSet::new(),
        };
        for client in &storm.clients {
            storm
                .readers
                .spawn(read(client.clone(), storm.cut.subscribe()));
        }
        storm.all_back(1).await;
        storm
    }

    /// Everybody begins to send.
    pub fn begin(&mut self) {
        for client in &self.clients {
            let (cut, stop) = (self.cut.subscribe(), self.stop.subscribe());
            self.senders.spawn(send(client.clone(), cut, stop));
        }
    }

    /// Cuts all connections at once. How long it took until each had its reader again.
    pub async fn cut(&mut self) -> Vec<Duration> {
        let begun = Instant::now();
        self.cut.send_modify(|round| *round += 1);
        let round = *self.cut.borrow();
        self.all_back(round).await;
        let back = self.clients.iter().map(|client| client.back.lock().1);
        back.map(|at| at.duration_since(begun)).collect()
    }

    /// The server is going away or has gone: from now on it is counted who is back.
    pub fn watch_return(&mut self) -> u64 {
        let round = *self.cut.borrow() + 1;
        // Nobody is cut by this: who loses its reader opens the next under the new number.
        self.cut.send_if_modified(|present| {
            *present = round;
            false
        });
        round
    }

    /// Waits until every client's reader is open again.
    pub async fn all_back(&self, round: u64) {
        let is_back = |client: &Arc<Client>| client.back.lock().0 >= round;
        until("all are back", || self.clients.iter().all(is_back)).await;
    }

    /// Waits until so many signals have been accepted.
    pub async fn accepted(&self, least: u64) {
        until("signals flow", || self.total().accepted >= least).await;
    }

    pub fn total(&self) -> Ledger {
        let mut total = Ledger::default();
        for client in &self.clients {
            total.add(&client.ledger.lock());
        }
        total
    }

    /// Lets the senders come to their end, waits for what is under way, and counts.
    pub async fn settle(mut self) -> Ledger {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, async {
            while self.senders.join_next().await.is_some() {}
        })
        .await
        .expect("the senders come to their end");
        until("everything has come", || {
            (0..self.clients.len()).all(|index| {
                let accepted = self.clients[index ^ 1].ledger.lock().accepted;
                self.clients[index].ledger.lock().expected >= accepted
            })
        })
        .await;
        self.total()
    }
}

/// Repeats what may fail while many begin at once.
pub async fn insist<T, F: Future<Output = io::Result<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(between(50, 200)).await;
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads as an EventSource does: on and on, after the waits that the server asks for.
async fn read(client: Arc<Client>, mut cut: watch::Receiver<u64>) {
    let mut wait = Duration::ZERO;
    loop {
        tokio::time::sleep(wait).await;
        let peer = client.peer.lock().clone();
        let round = *cut.borrow_and_update();
        match peer.events(Kind::Sse, &peer.cursor).await {
            Ok(Ok(events)) => wait = client.follow(events, round, &mut cut).await,
            Ok(Err(answer)) if answer.status == 410 => {
                client.join_again(peer).await;
                wait = Duration::ZERO;
            }
            Ok(Err(_)) | Err(_) => wait = between(200, 700),
        }
    }
}

/// Sends a signal a second, each until it is answered.
async fn send(client: Arc<Client>, mut cut: watch::Receiver<u64>, mut stop: watch::Receiver<bool>) {
    let mut connection = None;
    tokio::time::sleep(between(0, 1000)).await;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            _ = stop.changed() => return,
            _ = cut.changed() => if let Some(connection) = connection.take() {
                client.cut_with_a_signal_under_way(connection).await;
            },
        }
        loop {
            let mut joined = client.joined.subscribe();
            cut.borrow_and_update();
            let answer = tokio::select! {
                answer = client.post(&mut connection) => answer,
                _ = cut.changed() => Err(io::ErrorKind::ConnectionReset.into()),
            };
            let wait = match answer {
                Ok(answer) if answer.status == 202 => {
                    let mut ledger = client.ledger.lock();
                    ledger.accepted += 1;
                    ledger.duplicates += u64::from(answer.json["results"][0]["duplicate"] == true);
                    break;
                }
                Ok(answer) if answer.slug() == "ended" => {
                    // Whether the last one was accepted will never be known; it is not sent again.
                    joined.changed().await.expect("it joins again");
                    client.ledger.lock().accepted += 1;
                    break;
                }
                Ok(_) => between(200, 500),
                Err(_) => between(100, 400),
            };
            client.ledger.lock().retries += 1;
            tokio::time::sleep(wait).await;
        }
    }
}

impl Client {
    /// Reads a stream to its end, or until it is cut. How long to wait then.
    async fn follow(
        &self,
        mut events: Events,
        round: u64,
        cut: &mut watch::Receiver<u64>,
    ) -> Duration {
        self.ledger.lock().readers += 1;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = cut.changed() => {
                    let retry = events.retry;
                    events.connection.reset();
                    return retry;
                }
            };
            match event {
                Ok(Some(event)) => self.take(&event, round),
                Ok(None) | Err(_) => return events.retry,
            }
        }
    }

    fn take(&self, event: &Event, round: u64) {
        let mut ledger = self.ledger.lock();
        match event.name.as_str() {
            "ready" => {
                ledger.gaps += u64::from(!event.data["gap"].is_null());
                *self.back.lock() = (round, Instant::now());
            }
            "signal" => ledger.take(event.data["data"].as_u64().expect("a number")),
            "end" if event.data["reason"] == "drain" => ledger.drained += 1,
            _ => {}
        }
        if let Some(id) = &event.id {
            self.peer.lock().cursor.clone_from(id);
        }
    }

    /// The server knows this incarnation no more: the next one.
    async fn join_again(&self, old: Peer) {
        let peer = insist(|| Peer::join(self.addr, &old.room, &old.name)).await;
        *self.peer.lock() = peer;
        let mut ledger = self.ledger.lock();
        ledger.told += 1;
        ledger.anew = true;
        drop(ledger);
        self.joined.send_modify(|count| *count += 1);
    }

    /// The path, header and body of the next signal's request.
    fn next_signal(&self) -> (String, String, String) {
        let peer = self.peer.lock().clone();
        let number = self.ledger.lock().accepted;
        let body =
            json!({"to": self.partner, "type": "n", "data": number, "id": format!("m{number}")});
        (peer.path("/signals"), peer.bearer(), body.to_string())
    }

    /// Resets an idle connection; in some cases a signal was just sent on it, whose answer is lost.
    async fn cut_with_a_signal_under_way(&self, mut connection: Connection) {
        if fastrand::u8(..4) == 0 {
            let (path, bearer, body) = self.next_signal();
            // Whether it arrives is open: it is sent again under its id.
            let _ = connection.send("POST", &path, &bearer, &body).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        connection.reset();
    }

    /// Posts the next signal.
    async fn post(&self, kept: &mut Option<Connection>) -> io::Result<Answer> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.addr).await?,
        };
        let (path, bearer, body) = self.next_signal();
        let answer = connection.call("POST", &path, &bearer, &body).await?;
        *kept = Some(connection);
        Ok(answer)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn a_thousand_peers_cut_at_once_ten_times_lose_and_double_nothing() {
    let program = Program::start(&[]);
    let mut storm = Storm::gather(program.addr, 1000).await;
    storm.begin();
    storm.accepted(1000).await;
    let mut rows = Vec::new();
    for round in 1..=10 {
        let before = storm.total();
        let mut back = storm.cut().await;
        back.sort();
        let after = storm.total();
        rows.push(vec![
            round.to_string(),
            report::seconds(back[back.len() / 2]),
            report::seconds(back[back.len() - 1]),
            (after.accepted - before.accepted).to_string(),
            (after.duplicates - before.duplicates).to_string(),
        ]);
        // Some seconds of undisturbed flow, seen by what is accepted.
        storm.accepted(after.accepted + 1000).await;
    }
    let total = storm.settle().await;
    report::table(
        "1,000 peers, a signal each a second; all connections reset at once, ten times",
        &[
            "cut",
            "half are back after",
            "all are back after",
            "accepted meanwhile",
            "answers lost, repeated",
        ],
        &rows,
    );
    println!("{total}");
    assert_eq!((total.lost, total.twice, total.gaps), (0, 0, 0));
    assert_eq!(total.accepted, total.expected);
    assert!(total.readers >= 11_000, "all were cut, each time");
    assert!(
        total.duplicates > 0,
        "answers were lost, and asked for again"
    );
}
