//! The servers that are compared, and how each is put on the stage.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::flood::SECRET;
use crate::net::{Net, Turn};
use crate::options::Options;
use crate::server::Server;
use crate::stage::{Relay, Size, Stage};
use crate::wire::Wire;

/// Bounds that a load like this would run into, lifted.
const LIFTED: [&str; 24] = [
    "--max-peers-per-room",
    "1000",
    "--max-rooms",
    "0",
    "--max-peers",
    "0",
    "--max-peers-per-ip",
    "0",
    "--max-readers",
    "0",
    "--max-readers-per-ip",
    "0",
    "--max-connections",
    "0",
    "--max-connections-per-ip",
    "0",
    "--joins-per-second",
    "0",
    "--signals-per-second",
    "0",
    "--signals-per-second-per-ip",
    "0",
    "--listen",
    "127.0.0.1:0",
];

/// Where a server comes from.
enum Source {
    Program(PathBuf, Vec<String>),
    Running(SocketAddr, u32),
}

/// One column of the tables.
pub(crate) struct Contender {
    pub(crate) name: String,
    wire: Wire,
    source: Source,
    /// Whether its relay for media is busy, where it has one.
    relay: Option<bool>,
}

impl Contender {
    /// The reference first, then the server, then the one that it is compared with.
    pub(crate) fn all(options: &Options, size: Size) -> anyhow::Result<Vec<Self>> {
        let heartbeat = size.heartbeat.as_millis();
        let reference = vec!["--reference".to_owned(), heartbeat.to_string()];
        let flags = flags(options, size);
        let switchboard = match (options.url, options.pid) {
            (Some(addr), Some(pid)) => Source::Running(addr, pid),
            _ => Source::Program(env!("CARGO_BIN_EXE_switchboard").into(), flags.clone()),
        };
        let column = |name: &str, wire, source| Self {
            name: name.to_owned(),
            wire,
            source,
            relay: None,
        };
        let mut all = vec![
            column(
                "reference",
                Wire::Reference,
                Source::Program(std::env::current_exe()?, reference),
            ),
            column("switchboard", Wire::Switchboard, switchboard),
        ];
        if let Some(path) = &options.against {
            let source = Source::Program(path.clone(), flags);
            all.push(column("against", Wire::Switchboard, source));
        }
        Ok(all)
    }

    /// The server with a relay for media that is idle, and with one that is busy; none where one is
    /// measured that runs already.
    pub(crate) fn relays(options: &Options, size: Size) -> Vec<Self> {
        if options.url.is_some() {
            return Vec::new();
        }
        let mut flags = flags(options, size);
        let relay = [
            ("--turn-listen", "127.0.0.1:0"),
            ("--turn-secret", SECRET),
            ("--stun-per-second", "0"),
            ("--relay-bytes-per-second", "0"),
        ];
        flags.extend(
            relay
                .iter()
                .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]),
        );
        let column = |name: &str, busy| Self {
            name: name.to_owned(),
            wire: Wire::Switchboard,
            source: Source::Program(env!("CARGO_BIN_EXE_switchboard").into(), flags.clone()),
            relay: Some(busy),
        };
        vec![column("relay idle", false), column("relay busy", true)]
    }

    /// A fresh server, unless it runs already; it ends when the guard is dropped.
    pub(crate) fn stage(
        &self,
        size: Size,
        cpu: Option<usize>,
    ) -> anyhow::Result<(Stage, Option<Server>)> {
        let (server, addr, pid) = match &self.source {
            Source::Program(program, flags) => {
                let server = Server::start(program, flags, cpu)?;
                let (addr, pid) = (server.addr, server.pid);
                (Some(server), addr, pid)
            }
            Source::Running(addr, pid) => (None, *addr, *pid),
        };
        let relay = server.as_ref().and_then(|server| server.relay);
        let relay = relay
            .zip(self.relay)
            .map(|(addr, busy)| Relay { addr, busy });
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = format!(
            "{:x}-{}",
            std::process::id(),
            RUNS.fetch_add(1, Ordering::Relaxed)
        );
        let net = Net::new(addr)?;
        let stage = Stage {
            wire: self.wire,
            pid,
            run,
            size,
            net,
            turn: Turn::default(),
            relay,
            helper: None,
        };
        Ok((stage, server))
    }
}

/// What servers are started with.
fn flags(options: &Options, size: Size) -> Vec<String> {
    let heartbeat = size.heartbeat.as_millis();
    let mut flags: Vec<String> = LIFTED.map(str::to_owned).to_vec();
    flags.extend(["--heartbeat".to_owned(), format!("{heartbeat}ms")]);
    flags.extend(options.server_args.split_whitespace().map(str::to_owned));
    flags
}
