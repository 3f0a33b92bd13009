//! How fast entries are appended, printed: `cargo test --test it -- --ignored --nocapture rate`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use switchboard::backplane::redis::Options;
use switchboard::backplane::store::Append;

use super::engine::Server;
use super::world::{Node, World, call, entry, room};

/// How long each measurement takes.
const SPAN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn the_rate_of_appends() {
    for wait in [0, 1] {
        let world = World::redis();
        let port = world.server().port.to_string();
        let replica = Server::redis(&["--replicaof", "127.0.0.1", &port]);
        super::engine::until(|| {
            let info: String = replica.ask(&["INFO", "replication"]);
            info.contains("master_link_status:up")
        })
        .await;
        let options = Options {
            wait,
            lease: Duration::from_secs(15),
            ..world.options()
        };
        let (node, other) = (Node::open(options.clone()).await, Node::open(options).await);
        let node = Arc::new(node);
        for n in 0..500 {
            other.seat(&room(&format!("room-{n}")), "ann", 1).await;
        }
        for flights in [1, 16, 64, 256] {
            measure(&node, wait, flights).await;
        }
        let stats: String = world.server().ask(&["INFO", "commandstats"]);
        let scripts = stats.lines().filter(|line| line.contains("evalsha"));
        scripts.for_each(|line| eprintln!("{line}"));
    }
}

async fn measure(node: &Arc<Node>, wait: usize, flights: u64) {
    let next = Arc::new(AtomicU64::new(0));
    // A node applies whatever it is told of, so that it lacks little.
    let heads: Arc<Vec<_>> = Arc::new((0..500).map(|_| AtomicU64::new(0)).collect());
    let began = Instant::now();
    let flights_of = (0..flights).map(|_| {
        let (node, next, heads) = (Arc::clone(node), Arc::clone(&next), Arc::clone(&heads));
        tokio::spawn(async move {
            let mut spans = Vec::new();
            while began.elapsed() < SPAN {
                let n = next.fetch_add(1, Ordering::Relaxed) % 500;
                let to = room(&format!("room-{n}"));
                let head = &heads[n as usize];
                let append = Append {
                    entry: vec![b'x'; 1024].into(),
                    known: head.load(Ordering::Relaxed),
                    ..if n.is_multiple_of(2) {
                        call("")
                    } else {
                        entry("")
                    }
                };
                let sent = Instant::now();
                let tail = node.append(&to, append).await;
                spans.push(sent.elapsed());
                head.fetch_max(tail.head, Ordering::Relaxed);
                if tail.length > 32 {
                    let kept = node.store.compact(&to, tail.head, "x".into()).await;
                    kept.expect("done");
                }
            }
            spans
        })
    });
    let flights_of: Vec<_> = flights_of.collect();
    let mut spans = Vec::new();
    for flight in flights_of {
        spans.extend(flight.await.expect("no panic"));
    }
    let took = began.elapsed();
    spans.sort_unstable();
    let at = |part: f64| spans[(spans.len() as f64 * part) as usize].as_micros();
    eprintln!(
        "wait {wait}, {flights:3} in flight: {:6.0} appends/s, p50 {:6} us, p99 {:6} us",
        spans.len() as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
    );
}
