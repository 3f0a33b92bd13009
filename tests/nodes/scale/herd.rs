//! Many peers in one process, each with an idle stream: how they join, read, send, and come back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Connection, Event};
use crate::member::{between, name};
use crate::peer::{Kind, Peer};

/// How many peers a room has.
pub const ROOM: usize = 4;
/// How many requests of one process are under way while peers join and open their streams.
const AT_ONCE: usize = 48;
const TRY: Duration = Duration::from_secs(10);

/// The peers of a process.
#[derive(Default)]
pub struct Herd {
    nodes: RwLock<Vec<Node>>,
    peers: RwLock<Vec<Arc<One>>>,
    pub told: Mutex<Told>,
}

#[derive(Clone)]
struct Node {
    addr: SocketAddr,
    streams: Arc<AtomicUsize>,
}

/// What the streams of a herd told.
#[derive(Debug, Default)]
pub struct Told {
    /// How long each signal took, in microseconds.
    pub took: Vec<u64>,
    pub away: usize,
    pub left: usize,
}

struct One {
    room: usize,
    place: usize,
    peer: Peer,
    /// Where it reads, if anywhere, and since when.
    reads: Mutex<Option<(SocketAddr, Instant)>>,
}

impl Herd {
    /// The nodes that take requests from now on.
    pub fn face(&self, addrs: &[SocketAddr]) {
        let mut nodes = self.nodes.write();
        let before = std::mem::take(&mut *nodes);
        *nodes = addrs
            .iter()
            .map(|addr| {
                let known = before.iter().find(|node| node.addr == *addr).cloned();
                known.unwrap_or_else(|| Node {
                    addr: *addr,
                    streams: Arc::default(),
                })
            })
            .collect();
    }

    fn node(&self, turn: usize) -> Node {
        let nodes = self.nodes.read();
        nodes[turn % nodes.len()].clone()
    }

    /// The node with the fewest streams, as a balancer finds it.
    fn emptiest(&self) -> Node {
        let nodes = self.nodes.read();
        let fewest = nodes
            .iter()
            .min_by_key(|node| node.streams.load(Ordering::Relaxed));
        fewest.expect("a node").clone()
    }

    /// All peers of these rooms join, each at another node than its neighbours.
    pub async fn join(self: &Arc<Self>, rooms: std::ops::Range<usize>) {
        let next = Arc::new(AtomicUsize::new(rooms.start * ROOM));
        let mut joining = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (herd, next, end) = (self.clone(), next.clone(), rooms.end * ROOM);
            joining.spawn(async move {
                let mut kept = std::collections::HashMap::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end {
                        return;
                    }
                    let (room, place) = (index / ROOM, index % ROOM);
                    let addr = herd.node(room + place).addr;
                    let peer = join(&mut kept, addr, room, place).await;
                    let one = Arc::new(One {
                        room,
                        place,
                        peer,
                        reads: Mutex::default(),
                    });
                    herd.peers.write().push(one);
                }
            });
        }
        joining.join_all().await;
    }

    /// All peers of these rooms open their streams, at another node than where they joined.
    pub async fn open(self: &Arc<Self>, rooms: std::ops::Range<usize>) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let peers = self.peers.read().clone();
        let mut opening = JoinSet::new();
        for one in peers.into_iter().filter(|one| rooms.contains(&one.room)) {
            let permit = permits.clone().acquire_owned().await.expect("it is open");
            let herd = self.clone();
            opening.spawn(async move {
                let node = herd.node(one.room + one.place + 1);
                let (opened, ready) = tokio::sync::oneshot::channel();
                tokio::spawn(herd.read(one, node, opened));
                let _ = ready.await;
                drop(permit);
            });
        }
        opening.join_all().await;
    }

    /// Reads on and on.
    async fn read(
        self: Arc<Self>,
        one: Arc<One>,
        mut node: Node,
        opened: tokio::sync::oneshot::Sender<()>,
    ) {
        let (mut cursor, mut opened) = (one.peer.cursor.clone(), Some(opened));
        loop {
            let mut peer = one.peer.clone();
            peer.addr = node.addr;
            node.streams.fetch_add(1, Ordering::Relaxed);
            let mut wait = between(200, 700);
            let opening = timeout(TRY, peer.events(Kind::Sse, &cursor)).await;
            if let Ok(Ok(Ok(mut events))) = opening {
                while let Ok(Some(event)) = events.next().await {
                    if event.name == "ready" {
                        *one.reads.lock() = Some((node.addr, Instant::now()));
                        opened.take().map(|opened| opened.send(()));
                    }
                    self.take(&event, &mut cursor);
                }
                wait = events.retry;
                *one.reads.lock() = None;
            }
            node.streams.fetch_sub(1, Ordering::Relaxed);
            sleep(wait).await;
            node = self.emptiest();
        }
    }

    fn take(&self, event: &Event, cursor: &mut String) {
        if let Some(id) = &event.id {
            id.clone_into(cursor);
        }
        match event.name.as_str() {
            "signal" => {
                let sent = event.data["data"].as_u64().unwrap_or_default();
                self.told.lock().took.push(now().saturating_sub(sent));
            }
            "peer-away" => self.told.lock().away += 1,
            "peer-left" => self.told.lock().left += 1,
            _ => {}
        }
    }

    /// How many peers read, and how many do at this node.
    pub fn reading(&self, at: Option<SocketAddr>) -> usize {
        let peers = self.peers.read();
        let reads = |one: &&Arc<One>| {
            let reads = *one.reads.lock();
            reads.is_some_and(|(addr, _)| at.is_none_or(|at| at == addr))
        };
        peers.iter().filter(reads).count()
    }

    pub fn peers(&self) -> usize {
        self.peers.read().len()
    }

    /// Waits until all read; how long after `since` each opened that was not reading then, in
    /// milliseconds.
    pub async fn back(&self, since: Instant) -> Vec<u64> {
        while self.reading(None) < self.peers() {
            sleep(Duration::from_millis(50)).await;
        }
        let peers = self.peers.read();
        let opened = peers
            .iter()
            .filter_map(|one| one.reads.lock().map(|(_, at)| at));
        let late = opened.filter(|at| *at > since);
        late.map(|at| at.duration_since(since).as_millis() as u64)
            .collect()
    }

    /// Sends from one peer of a random room to another for so long, so many at a time, through nodes
    /// where the receiver does not read. How many were accepted, and how many were not.
    pub async fn relay(self: &Arc<Self>, span: Duration, at_once: usize) -> (usize, usize) {
        let mut by_room = std::collections::BTreeMap::<usize, Vec<Arc<One>>>::new();
        for one in self.peers.read().iter() {
            by_room.entry(one.room).or_default().push(one.clone());
        }
        let rooms: Arc<Vec<_>> = Arc::new(by_room.into_values().collect());
        let until = Instant::now() + span;
        let mut sending = JoinSet::new();
        for _ in 0..at_once {
            let (herd, rooms) = (self.clone(), rooms.clone());
            sending.spawn(async move {
                let mut kept = std::collections::HashMap::new();
                let (mut accepted, mut refused) = (0, 0);
                while Instant::now() < until {
                    let room = &rooms[fastrand::usize(..rooms.len())];
                    let (from, to) = (&room[0], &room[1 + fastrand::usize(..room.len() - 1)]);
                    match herd.send(&mut kept, from, to).await {
                        Ok(202) => accepted += 1,
                        _ => refused += 1,
                    }
                }
                (accepted, refused)
            });
        }
        let sums = sending.join_all().await;
        let sum = |part: fn(&(usize, usize)) -> usize| sums.iter().map(part).sum();
        (sum(|sum| sum.0), sum(|sum| sum.1))
    }

    /// A node, if possible another than that one.
    fn other_than(&self, addr: Option<SocketAddr>) -> SocketAddr {
        let nodes = self.nodes.read();
        let other = nodes.iter().find(|node| Some(node.addr) != addr);
        other.unwrap_or(&nodes[0]).addr
    }

    async fn send(&self, kept: &mut Kept, from: &One, to: &One) -> std::io::Result<u16> {
        let reads = to.reads.lock().map(|(addr, _)| addr);
        let addr = self.other_than(reads);
        let signal = json!({"to": name(to.place), "type": "n", "data": now()}).to_string();
        let mut connection = match kept.remove(&addr) {
            Some(connection) => connection,
            None => Connection::open(addr).await?,
        };
        let (path, bearer) = (from.peer.path("/signals"), from.peer.bearer());
        let answer = timeout(TRY, connection.call("POST", &path, &bearer, &signal)).await??;
        kept.insert(addr, connection);
        Ok(answer.status)
    }
}

type Kept = std::collections::HashMap<SocketAddr, Connection>;

async fn join(kept: &mut Kept, addr: SocketAddr, room: usize, place: usize) -> Peer {
    let body = json!({"peer": name(place), "key": format!("{room} {place} of the herd")});
    let path = format!("/rooms/room-{room}/peers");
    loop {
        let tried = async {
            let mut connection = match kept.remove(&addr) {
                Some(connection) => connection,
                None => Connection::open(addr).await?,
            };
            let answer = connection
                .call("POST", &path, "", &body.to_string())
                .await?;
            std::io::Result::Ok((connection, answer))
        };
        if let Ok(Ok((connection, answer))) = timeout(TRY, tried).await {
            kept.insert(addr, connection);
            if matches!(answer.status, 200 | 201) {
                return Peer::of(addr, &answer.json);
            }
        }
        sleep(between(100, 300)).await;
    }
}

/// Microseconds of a clock that all tasks of the process share.
fn now() -> u64 {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_micros() as u64
}
