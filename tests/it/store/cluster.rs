//! A cluster of three primaries with a replica each.

use std::time::Duration;

use switchboard::backplane::redis::Options;
use switchboard::backplane::store::partition as partition_of;
use switchboard::backplane::store::{Append, News, Standing, StoreError};
use tokio::time::{Instant, sleep};

use super::engine::{Server, until};
use super::port::free_port;
use super::world::{Node, World, call, entry, options, room, texts};

/// The servers: primaries first, then the replica of each in the same order.
pub struct Cluster(Vec<Server>);

impl Cluster {
    pub async fn start() -> Self {
        let servers = (0..6).map(|_| {
            let bus = free_port().to_string();
            Server::redis(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "1500",
                "--cluster-replica-validity-factor",
                "0",
            ])
        });
        let servers: Vec<_> = servers.collect();
        let bounds = [0, 5461, 10923, 16384];
        for (server, bounds) in servers.iter().zip(bounds.windows(2)) {
            let (first, last) = (bounds[0].to_string(), (bounds[1] - 1).to_string());
            let () = server.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for (epoch, server) in servers.iter().enumerate() {
            let epoch = (epoch + 1).to_string();
            let () = server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        for server in &servers[1..] {
            let (port, bus) = (servers[0].port.to_string(), bus(&servers[0]));
            let () = server.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        until(|| servers.iter().all(|server| known(server) == 6)).await;
        for (primary, replica) in servers[..3].iter().zip(&servers[3..]) {
            let id: String = primary.ask(&["CLUSTER", "MYID"]);
            let () = replica.ask(&["CLUSTER", "REPLICATE", &id]);
        }
        until(|| {
            let ok = |server: &Server| info(server).contains("cluster_state:ok");
            let linked = |server: &Server| {
                let info: String = server.ask(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            };
            servers.iter().all(ok) && servers[3..].iter().all(linked)
        })
        .await;
        Self(servers)
    }

    pub fn url(&self) -> String {
        let seeds = self
            .0
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port));
        let seeds: Vec<_> = seeds.collect();
        format!("redis+cluster://{}", seeds.join(","))
    }

    /// Which of the servers has the key.
    fn owner(&self, key: &str) -> usize {
        let slot: i64 = self.0[0].ask(&["CLUSTER", "KEYSLOT", key]);
        let bounds = [5461, 10923, 16384];
        bounds
            .iter()
            .position(|bound| slot < *bound)
            .expect("a slot")
    }
}

fn info(server: &Server) -> String {
    server.ask(&["CLUSTER", "INFO"])
}

fn known(server: &Server) -> usize {
    let nodes: String = server.ask(&["CLUSTER", "NODES"]);
    nodes.lines().count()
}

/// The port of a server's bus, from how it describes itself: `ip:port@bus`.
fn bus(server: &Server) -> String {
    let nodes: String = server.ask(&["CLUSTER", "NODES"]);
    let own = nodes.lines().find(|line| line.contains("myself"));
    let address = own
        .and_then(|line| line.split(' ').nth(1))
        .expect("an address");
    let bus = address.split('@').nth(1).expect("a bus");
    bus.split(',').next().expect("a port").to_owned()
}

#[tokio::test]
async fn a_cluster_does_all_that_one_server_does_and_outlives_a_primary() {
    let cluster = Cluster::start().await;
    super::all(|| World::at(&cluster.url())).await;
    a_slot_is_held_up(&cluster).await;
    a_slot_moves(&cluster).await;
    a_primary_is_killed(cluster).await;
}

/// While the keys of a slot are here and there, which Redis refuses, the others are served.
async fn a_slot_is_held_up(cluster: &Cluster) {
    let options = options(&cluster.url());
    let mut node = Node::open(options.clone()).await;
    let (held_up, to) = (room("held-up"), room("elsewhere"));
    for to in [&held_up, &to] {
        node.keep(to).await;
    }
    let key = format!("{}:{{p{:02}}}:dead", options.prefix, partition_of(&held_up));
    let from = cluster.owner(&key);
    let (source, target) = (&cluster.0[from], &cluster.0[(from + 1) % 3]);
    let slot: i64 = source.ask(&["CLUSTER", "KEYSLOT", &key]);
    let slot = slot.to_string();
    let id = |server: &Server| -> String { server.ask(&["CLUSTER", "MYID"]) };
    let () = target.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(source)]);
    let () = source.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(target)]);
    let refused = node.try_append(&held_up, entry("too early"));
    let told = async {
        for n in 0..50 {
            node.say(&to, &n.to_string()).await;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (refused, ()) = tokio::join!(refused, told);
    assert_eq!(refused, Err(StoreError::Unavailable));
    assert_eq!(node.fetch(&to, 0).await.length, 51);
    while let Ok(news) = node.news.try_recv() {
        assert_ne!(news, News::Standing(Standing::Cut));
    }
    for server in [target, source] {
        let () = server.ask(&["CLUSTER", "SETSLOT", &slot, "STABLE"]);
    }
    let tail = node.append(&held_up, entry("in time")).await;
    assert_eq!(texts(&tail), ["keep", "in time"]);
}

/// Appends go on while their slot moves from one primary to another.
async fn a_slot_moves(cluster: &Cluster) {
    let options = Options {
        lease: Duration::from_secs(30),
        ..options(&cluster.url())
    };
    let node = Node::open(options.clone()).await;
    let to = room("moving");
    node.keep(&to).await;
    let partition = partition_of(&to);
    let key = format!("{}:{{p{partition:02}}}:dead", options.prefix);
    let from = cluster.owner(&key);
    let (source, target) = (&cluster.0[from], &cluster.0[(from + 1) % 3]);
    let slot: i64 = source.ask(&["CLUSTER", "KEYSLOT", &key]);
    let slot = slot.to_string();
    let id = |server: &Server| -> String { server.ask(&["CLUSTER", "MYID"]) };
    let (source_id, target_id) = (id(source), id(target));
    let texts_told = async {
        for n in 0..200 {
            node.say(&to, &n.to_string()).await;
        }
    };
    let moving = async {
        sleep(Duration::from_millis(20)).await;
        let () = target.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]);
        let () = source.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]);
        loop {
            // The store's tasks run meanwhile: some keys are here, and others there.
            sleep(Duration::from_millis(20)).await;
            let keys: Vec<String> = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.is_empty() {
                break;
            }
            let port = target.port.to_string();
            let words = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            let keys = keys.iter().map(String::as_str);
            let words: Vec<_> = words.into_iter().chain(keys).collect();
            let () = source.ask(&words);
        }
        for server in [target, source] {
            let () = server.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]);
        }
    };
    tokio::join!(texts_told, moving);
    let tail = node.fetch(&to, 0).await;
    let told: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(texts(&tail)[1..], told);
    let stored: u64 = target.ask(&["EXISTS", &key.replace("dead", "r:moving:log")]);
    assert_eq!(stored, 1);
}

async fn a_primary_is_killed(mut cluster: Cluster) {
    let options = Options {
        lease: Duration::from_secs(30),
        ..options(&cluster.url())
    };
    let (a, mut b) = (
        Node::open(options.clone()).await,
        Node::open(options.clone()).await,
    );
    // Rooms at each of the three primaries.
    let rooms: Vec<_> = (0..12).map(|n| room(&format!("room-{n}"))).collect();
    for to in &rooms {
        b.seat(to, "ben", 1).await;
    }
    let to = &rooms[0];
    let partition = partition_of(to);
    let key = format!("{}:{{p{partition:02}}}:dead", options.prefix);
    let owner = cluster.owner(&key);
    let kept = a.say(to, "kept").await;
    // The replica gets to know of nothing any more, and takes over all the same.
    cluster.0[owner + 3].pause();
    let () = cluster.0[owner].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    let lost = a.say(to, "lost").await;
    cluster.0[owner].kill();
    cluster.0[owner + 3].resume();
    let began = Instant::now();
    let append = entry("after");
    let after = loop {
        let known = Append {
            known: lost,
            ..append.clone()
        };
        match a.try_append(to, known).await {
            Ok(tail) => break tail,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error}"),
        }
    };
    eprintln!("appends went on {:?} after the kill", began.elapsed());
    assert!(after.set_back);
    assert_eq!(texts(&after), ["seat", "kept", "another engine", "after"]);
    assert!(after.at > lost && lost > kept);
    assert!(b.fetch(to, lost).await.set_back);
    // All rooms can be written to, and all bells are heard.
    for to in &rooms {
        let at = a.append(to, call("on")).await.at;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "a bell is never heard");
            let news = b.next().await;
            let heard = matches!(news, News::Entry { at: heard, .. } if heard == at);
            if heard || news == (News::Missed { partition: None }) {
                break;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}
