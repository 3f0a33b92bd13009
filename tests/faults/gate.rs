//! A TCP proxy that does to a connection what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the proxy does with what the server says.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Hands it on.
    Pass,
    /// Hands it on up to the middle of this text, and cuts both sides.
    CutIn(String),
    /// Hands nothing on, and cuts both sides once the server has answered.
    Swallow,
}

/// A proxy in front of one server.
pub struct Gate {
    pub addr: SocketAddr,
    rule: Arc<Mutex<Rule>>,
    accepting: JoinHandle<()>,
}

impl Gate {
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let rule = Arc::new(Mutex::new(Rule::Pass));
        let shared = rule.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server");
                tokio::spawn(carry(client, server, shared.clone()));
            }
        });
        Self {
            addr,
            rule,
            accepting,
        }
    }

    pub fn rule(&self, rule: Rule) {
        *self.rule.lock() = rule;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, rule: Arc<Mutex<Rule>>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut recent = Vec::new();
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => if server.write_all(&up[..count]).await.is_err() { return },
            },
            read = server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                let bytes = &down[..count];
                let present = rule.lock().clone();
                let passes = match &present {
                    Rule::Pass => count,
                    Rule::Swallow => 0,
                    Rule::CutIn(text) => {
                        recent.extend_from_slice(bytes);
                        let at = recent.windows(text.len()).position(|part| part == text.as_bytes());
                        let middle = at.map(|at| at + text.len() / 2);
                        // What came in earlier pieces is already through.
                        middle.map_or(count, |middle| (middle + count).saturating_sub(recent.len()))
                    }
                };
                if client.write_all(&bytes[..passes]).await.is_err() {
                    return;
                }
                if passes < count {
                    break;
                }
            },
        }
    }
    for side in [&client, &server] {
        let _ = SockRef::from(side).set_linger(Some(Duration::ZERO));
    }
}
