//! Nodes that follow the news as a hub does have the whole log, whatever fails meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use switchboard::backplane::redis::Options;
use switchboard::backplane::store::partition as partition_of;
use switchboard::backplane::store::{Append, News, Ring, Standing, Store, StoreError, Tail};
use switchboard::proto::RoomId;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::world::{Node, World, entry, room, take};

/// How many rooms there are.
const ROOMS: usize = 4;
/// How many entries each node appends.
const ENTRIES: usize = 400;

/// What a node has applied of each room.
#[derive(Default)]
struct Applied {
    known: u64,
    entries: Vec<(u64, Bytes)>,
}

impl Applied {
    fn take(&mut self, tail: Tail) {
        if tail.set_back {
            self.known = 0;
            self.entries.clear();
        }
        for (at, entry) in tail.entries {
            self.apply(at, entry);
        }
    }

    fn apply(&mut self, at: u64, entry: Bytes) {
        if at > self.known {
            self.known = at;
            self.entries.push((at, entry));
        }
    }
}

type Logs = Arc<Mutex<BTreeMap<RoomId, Applied>>>;

/// A node that follows.
struct Follower {
    store: Arc<dyn Store>,
    logs: Logs,
    following: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Follower {
    fn of(node: Node) -> Self {
        let (store, logs) = (node.store, Logs::default());
        let following = tokio::spawn(follow(Arc::clone(&store), Arc::clone(&logs), node.news));
        Self {
            store,
            logs,
            following,
        }
    }

    fn known(&self, of: &RoomId) -> u64 {
        self.logs.lock().get(of).map_or(0, |log| log.known)
    }

    async fn append(&self, to: &RoomId, append: Append) -> Result<u64, StoreError> {
        let known = self.known(to);
        let tail = self.store.append(to, Append { known, ..append }).await?;
        let at = tail.at;
        self.logs.lock().entry(to.clone()).or_default().take(tail);
        Ok(at)
    }
}

async fn follow(store: Arc<dyn Store>, logs: Logs, mut news: Receiver<News>) {
    let known = |of: &RoomId| logs.lock().get(of).map_or(0, |log| log.known);
    let catch_up = async |of: &RoomId| {
        while let Err(StoreError::Unavailable) = store
            .fetch(of, known(of))
            .await
            .map(|tail| logs.lock().entry(of.clone()).or_default().take(tail))
        {}
    };
    while let Some(news) = news.recv().await {
        match news {
            News::Entry {
                room,
                prev,
                at,
                entry,
            } => match entry {
                Some(entry) if prev == known(&room) => {
                    logs.lock().entry(room).or_default().apply(at, entry);
                }
                Some(_) | None if at > known(&room) => catch_up(&room).await,
                Some(_) | None => {}
            },
            News::Missed { partition } => {
                let rooms: Vec<_> = logs.lock().keys().cloned().collect();
                let there = |room: &RoomId| partition.is_none_or(|at| partition_of(room) == at);
                let rooms: Vec<_> = rooms.into_iter().filter(there).collect();
                let heads = loop {
                    if let Ok(heads) = store.heads(rooms.clone()).await {
                        break heads;
                    }
                };
                for (room, head) in rooms.iter().zip(heads) {
                    if head != known(room) {
                        catch_up(room).await;
                    }
                }
            }
            News::Standing(Standing::Fenced) => panic!("the lease is longer than the test"),
            News::Standing(_) | News::Lost { .. } => {}
        }
    }
}

fn rooms() -> Vec<RoomId> {
    (0..ROOMS).map(|n| room(&format!("room-{n}"))).collect()
}

/// Appends what nobody else does, and tells what is stored for certain.
async fn talk(node: &Follower, name: &str) -> BTreeSet<String> {
    let rooms = rooms();
    let mut stored = BTreeSet::new();
    for n in 0..ENTRIES {
        let text = format!("{name} {n}");
        let append = Append {
            ring: Ring::Everyone,
            ..entry(&text)
        };
        if node.append(&rooms[n % ROOMS], append).await.is_ok() {
            stored.insert(text);
        }
        sleep(Duration::from_millis(5)).await;
    }
    stored
}

/// All that may happen to a server that keeps what it was told.
async fn trouble(world: &mut World) {
    let kinds = ["normal", "pubsub"];
    for round in 0..6 {
        sleep(Duration::from_millis(150)).await;
        let () = world.server().ask(&["SCRIPT", "FLUSH"]);
        let words = ["CLIENT", "KILL", "TYPE", kinds[round % 2], "SKIPME", "yes"];
        let _: u64 = world.server().ask(&words);
    }
    world.server().pause();
    sleep(Duration::from_millis(2300)).await;
    world.server().resume();
    sleep(Duration::from_millis(200)).await;
    world.server_mut().restart();
}

#[tokio::test]
async fn all_nodes_have_the_same_log_after_all_that_may_happen() {
    let mut world = World::redis();
    let options = Options {
        lease: Duration::from_secs(60),
        ..world.options()
    };
    let mut nodes = Vec::new();
    for reader in 0..3 {
        let node = Follower::of(Node::open(options.clone()).await);
        for to in rooms() {
            let seats = vec![take(&format!("peer-{reader}"), reader)];
            let seat = Append {
                seats,
                ..entry("seat")
            };
            node.append(&to, seat).await.expect("stored");
        }
        nodes.push(node);
    }
    let talking = async {
        tokio::join!(
            talk(&nodes[0], "a"),
            talk(&nodes[1], "b"),
            talk(&nodes[2], "c")
        )
    };
    let ((mut stored, of_b, of_c), ()) = tokio::join!(talking, trouble(&mut world));
    stored.extend(of_b);
    stored.extend(of_c);
    assert!(stored.len() > 3 * ENTRIES / 2, "{}", stored.len());
    let mut found = BTreeSet::new();
    for to in rooms() {
        let log = nodes[0].store.fetch(&to, 0).await.expect("an answer");
        for node in &nodes {
            let deadline = Instant::now() + Duration::from_secs(30);
            while node.known(&to) != log.head {
                assert!(Instant::now() < deadline, "a node never catches up");
                sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(node.logs.lock()[&to].entries, log.entries);
        }
        for (_, text) in &log.entries {
            let text = String::from_utf8(text.to_vec()).expect("text");
            let told = text == "seat" || text == "another engine";
            assert!(told || found.insert(text), "stored twice");
        }
    }
    assert!(stored.is_subset(&found), "{:?}", stored.difference(&found));
}
