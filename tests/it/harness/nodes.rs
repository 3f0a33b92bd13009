//! The same tests over several nodes: `SWITCHBOARD_NODES=3` has each server be so many, over one Redis
//! and behind HAProxy, which gives each request to the next of them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use super::free_port;
use super::until;
use crate::store::engine::Server as Engine;

/// How many nodes a server is to be; none where it is one, on its own.
pub fn wanted() -> Option<usize> {
    let text = std::env::var("SWITCHBOARD_NODES").ok()?;
    Some(text.parse().expect("SWITCHBOARD_NODES is a number"))
}

/// The Redis of this process, which ends with the last server.
pub fn engine() -> Arc<Engine> {
    static ENGINE: Mutex<Weak<Engine>> = Mutex::new(Weak::new());
    let mut known = ENGINE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    known.upgrade().unwrap_or_else(|| {
        let engine = Arc::new(Engine::redis(&[]));
        *known = Arc::downgrade(&engine);
        engine
    })
}

/// What several nodes share.
pub struct Shared {
    pub front: Front,
    pub engine: Arc<Engine>,
    /// That of their keys.
    pub prefix: String,
}

impl Shared {
    /// How many readers the store has seats for: one that opens or closes does so there once its node
    /// has said so.
    pub fn seats(&self) -> usize {
        let script = "local seats = 0
            for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
              seats = seats + redis.call('HLEN', key)
            end
            return seats";
        let keys = format!("{}:*:where", self.prefix);
        self.engine.ask(&["EVAL", script, "0", &keys])
    }
}

/// HAProxy before some nodes.
pub struct Front {
    pub addr: SocketAddr,
    child: Child,
    dir: PathBuf,
}

impl Front {
    /// A round robin over `nodes`.
    pub async fn before(nodes: &[SocketAddr]) -> Self {
        let port = free_port();
        let dir = std::env::temp_dir().join(format!("switchboard-front-{port}"));
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut text = format!(
            "global\n    maxconn 2000\n\
             defaults\n    mode http\n    timeout connect 5s\n    timeout client 120s\n    \
             timeout server 120s\n    timeout http-request 60s\n    option abortonclose\n\
             frontend front\n    bind 127.0.0.1:{port}\n    use_backend posts if METH_POST\n    \
             default_backend others\n"
        );
        // Without that option HAProxy holds polls whose client has gone; with it, it drops what a beacon
        // says whose connection closes at once.
        let backends = [("others", ""), ("posts", "    no option abortonclose\n")];
        for (name, option) in backends {
            let _ = write!(text, "backend {name}\n    balance roundrobin\n{option}");
            for (n, node) in nodes.iter().enumerate() {
                let _ = writeln!(text, "    server node{n} {node}");
            }
        }
        let file = dir.join("haproxy.cfg");
        std::fs::write(&file, text).expect("a file");
        let mut command = Command::new("haproxy");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin"));
        command.arg("-db").arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy (Debian: apt-get install haproxy)");
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        until(async || std::net::TcpStream::connect(addr).is_ok()).await;
        Self { addr, child, dir }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
