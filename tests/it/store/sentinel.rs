//! A primary and its replica that a Sentinel watches over.

use std::time::Duration;

use switchboard::backplane::redis::Options;
use switchboard::backplane::store::News;

use super::engine::{Server, until};
use super::port::free_port;
use super::world::{Node, call, key, options, room, texts};

#[tokio::test]
async fn nodes_follow_the_primary_that_a_sentinel_names() {
    let mut primary = Server::redis(&[]);
    let port = primary.port.to_string();
    let replica = Server::redis(&["--replicaof", "127.0.0.1", &port]);
    until(|| {
        let info: String = replica.ask(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    })
    .await;
    let watch = format!(
        "sentinel monitor main 127.0.0.1 {port} 1\n\
         sentinel down-after-milliseconds main 1000\n\
         sentinel failover-timeout main 3000\n"
    );
    let sentinel = Server::redis(&[&watch, "--sentinel"]);
    until(|| {
        let slaves: Vec<redis::Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]);
        !slaves.is_empty()
    })
    .await;
    let dead = free_port();
    let url = format!(
        "redis+sentinel://127.0.0.1:{dead},127.0.0.1:{}/main",
        sentinel.port
    );
    let options = Options {
        lease: Duration::from_secs(30),
        ..options(&url)
    };
    let log = key(&options, "sentinel", "r:sentinel:log");
    let (a, mut b) = (Node::open(options.clone()).await, Node::open(options).await);
    let to = room("sentinel");
    b.seat(&to, "ben", 1).await;
    let before = a.append(&to, call("before")).await.at;
    assert_eq!(b.bell().await.2, before);
    // Without wait nothing says when the replica has it.
    until(|| replica.ask::<usize>(&["XLEN", &log]) == 2).await;
    primary.kill();
    // What is asked for now is done at the new primary.
    until(|| {
        let role: redis::RedisResult<Vec<redis::Value>> = replica.try_ask(&["ROLE"]);
        role.is_ok_and(|role| role.first() == Some(&redis::Value::BulkString(b"master".to_vec())))
    })
    .await;
    let tail = b.fetch(&to, 0).await;
    assert_eq!(texts(&tail), ["seat", "before"]);
    // The ear follows too.
    let after = a.append(&to, call("after")).await.at;
    let heard = |news: &News| match news {
        News::Entry { at, .. } => Some(*at == after),
        News::Missed { partition: None } => Some(true),
        News::Missed { .. } | News::Lost { .. } | News::Standing(_) => None,
    };
    assert!(b.hear(heard).await);
}
