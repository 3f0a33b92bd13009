//! Three nodes over one store, behind HAProxy, and room for a fourth.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::engine::{Server, until};
use crate::port::free_port;
use crate::program::{Program, file};
use crate::proxy::Proxy;

/// How many nodes there are at first.
pub const NODES: usize = 3;
const SECRET: &str = "a secret that all nodes of these scenes share";

/// What the nodes of a scene share their rooms over.
pub struct Store {
    pub primary: Server,
    pub replicas: Vec<Server>,
    sentinel: Option<Server>,
}

impl Store {
    /// One Redis.
    pub fn single() -> Self {
        Self::of(Server::redis(&[]))
    }

    /// One Redis, which listens on this address too.
    pub fn also_at(address: &str) -> Self {
        let bound = ["--bind", "127.0.0.1", address, "--protected-mode", "no"];
        Self::of(Server::redis(&bound))
    }

    fn of(primary: Server) -> Self {
        Self {
            primary,
            replicas: Vec::new(),
            sentinel: None,
        }
    }

    /// A primary and its replicas, one of which takes its place when it is gone.
    pub async fn watched(replicas: usize) -> Self {
        let primary = Server::redis(&[]);
        let port = primary.port.to_string();
        let replica = |_| Server::redis(&["--replicaof", "127.0.0.1", &port]);
        let replicas: Vec<_> = (0..replicas).map(replica).collect();
        for replica in &replicas {
            until(|| {
                let info: String = replica.ask(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            })
            .await;
        }
        let watch = format!(
            "sentinel monitor main 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds main 1000\n\
             sentinel failover-timeout main 3000\n"
        );
        let sentinel = Server::redis(&[&watch, "--sentinel"]);
        until(|| {
            let known: Vec<redis::Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]);
            known.len() == replicas.len()
        })
        .await;
        Self {
            primary,
            replicas,
            sentinel: Some(sentinel),
        }
    }

    /// Whether one of the replicas was promoted.
    pub fn has_promoted(&self) -> bool {
        self.replicas.iter().any(|replica| {
            let info: redis::RedisResult<String> = replica.try_ask(&["INFO", "replication"]);
            info.is_ok_and(|info| info.contains("role:master"))
        })
    }

    fn url(&self) -> String {
        match &self.sentinel {
            Some(sentinel) => format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port),
            None => self.primary.url(),
        }
    }
}

/// How a node is started.
pub struct Start {
    /// Where it finds the store; none: where the others do.
    pub store: Option<String>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The command that leads to the program; none: the program itself.
    pub command: Option<Command>,
}

/// The nodes, what they share, and the way to them.
pub struct Fleet {
    pub store: Store,
    pub front: SocketAddr,
    nodes: Vec<Option<Program>>,
    listen: Vec<SocketAddr>,
    flags: Vec<String>,
    proxy: Proxy,
}

impl Fleet {
    /// Three nodes with these flags.
    pub async fn start(store: Store, flags: &[&str]) -> Self {
        Self::with(store, flags, |_, _| {}).await
    }

    /// So many nodes with these flags.
    pub async fn of(nodes: usize, store: Store, flags: &[&str]) -> Self {
        Self::build(nodes, store, flags, |_, _| {}).await
    }

    /// Three, with another way to start some of them.
    pub async fn with(store: Store, flags: &[&str], other: impl Fn(usize, &mut Start)) -> Self {
        Self::build(NODES, store, flags, other).await
    }

    async fn build(
        nodes: usize,
        store: Store,
        flags: &[&str],
        other: impl Fn(usize, &mut Start),
    ) -> Self {
        let mut starts = Vec::new();
        for at in 0..=nodes {
            let mut start = Start {
                store: None,
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
                command: None,
            };
            other(at, &mut start);
            starts.push(start);
        }
        let listen: Vec<_> = starts.iter().map(|start| start.listen).collect();
        let proxy = Proxy::before(&listen).await;
        let mut fleet = Self {
            store,
            front: proxy.addr,
            nodes: Vec::new(),
            listen,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            proxy,
        };
        for start in starts.into_iter().take(nodes) {
            let node = fleet.run(start);
            fleet.nodes.push(Some(node));
        }
        fleet.proxy.until_ready(nodes).await;
        fleet
    }

    fn run(&self, start: Start) -> Program {
        let url = start.store.unwrap_or_else(|| self.store.url());
        let mut flags = vec!["--backplane", &url, "--secret", SECRET];
        flags.extend(self.flags.iter().map(String::as_str));
        let mut command = start.command.unwrap_or_else(|| Command::new(file()));
        let log = std::env::var("NODES_LOG").unwrap_or_else(|_| "info".to_owned());
        command.env("RUST_LOG", log);
        Program::run(command, &start.listen.to_string(), &flags)
    }

    /// One more, ready.
    pub async fn add(&mut self) {
        let start = Start {
            store: None,
            listen: self.listen[self.nodes.len()],
            command: None,
        };
        let node = self.run(start);
        self.nodes.push(Some(node));
        self.proxy.until_ready(self.nodes.len()).await;
    }

    /// A node that has gone is started again where it was; ready.
    pub async fn again(&mut self, at: usize) {
        let start = Start {
            store: None,
            listen: self.listen[at],
            command: None,
        };
        self.nodes[at] = Some(self.run(start));
        self.proxy.until_ready(self.nodes.len()).await;
    }

    /// A node, by its number.
    pub fn node(&mut self, at: usize) -> &mut Program {
        self.nodes[at].as_mut().expect("it runs")
    }

    /// What the nodes said, where it is worth telling.
    pub fn tell(&self) {
        let nodes = self.nodes.iter().enumerate();
        for (at, node) in nodes.filter_map(|(at, node)| Some((at, node.as_ref()?))) {
            let said = node.said();
            let lines = said.lines();
            let worth = lines.filter(|line| line.contains("ERROR") || line.contains("panicked"));
            worth.for_each(|line| println!("node {at}: {line}"));
        }
    }
}
