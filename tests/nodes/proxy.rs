//! HAProxy in front of the nodes: each request goes to whichever is next, and is ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::port::free_port;

const HINT: &str = "install haproxy 2.4 or later (Debian: apt-get install haproxy)";
const PATIENCE: Duration = Duration::from_secs(20);

/// A running HAProxy; it ends with this.
pub struct Proxy {
    pub addr: SocketAddr,
    stats: SocketAddr,
    file: PathBuf,
    child: Child,
}

impl Proxy {
    /// One in front of these addresses, whether anyone listens there yet or not.
    pub async fn before(nodes: &[SocketAddr]) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let stats = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let name = format!("switchboard-proxy-{}-{}", std::process::id(), addr.port());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, configuration(addr, stats, nodes)).expect("a file");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(HINT);
        let proxy = Self {
            addr,
            stats,
            file,
            child,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(addr).await.is_err() {
            assert!(Instant::now() < deadline, "HAProxy does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy
    }

    /// Waits until so many nodes are ready.
    pub async fn until_ready(&self, nodes: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let table = self.stats().await.unwrap_or_default();
            let states = table.lines().filter(|line| line.starts_with("nodes,node"));
            let up = states.filter(|state| state.contains(",UP,")).count();
            if up == nodes {
                return;
            }
            assert!(Instant::now() < deadline, "{up} nodes are ready: {table}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How it stands with the nodes, a line each.
    async fn stats(&self) -> std::io::Result<String> {
        let mut socket = TcpStream::connect(self.stats).await?;
        socket.write_all(b"GET /;csv HTTP/1.0\r\n\r\n").await?;
        let mut table = String::new();
        socket.read_to_string(&mut table).await?;
        Ok(table)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

fn configuration(addr: SocketAddr, stats: SocketAddr, nodes: &[SocketAddr]) -> String {
    let servers = nodes.iter().enumerate();
    let servers: String = servers
        .map(|(at, node)| format!("  server node{at} {node} check\n"))
        .collect();
    format!(
        "global\n  maxconn 8000\n\
         defaults\n  mode http\n  option redispatch\n  retries 3\n\
         \x20 timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n  timeout check 500ms\n\
         listen nodes\n  bind {addr}\n  balance roundrobin\n\
         \x20 option httpchk GET /readyz\n  http-check expect status 200\n\
         \x20 default-server inter 500ms fall 2 rise 1\n{servers}\
         frontend stats\n  bind {stats}\n  stats enable\n  stats uri /\n"
    )
}
