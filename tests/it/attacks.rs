//! What an attacker tries, one noun a file: each is refused and changes nothing. The table that names
//! these tests stands in docs/security.md.

mod borrowed;
mod crossing;
mod enumeration;
mod floods;
mod forged;
mod ids;
mod injection;
mod jwt;
mod keys;
mod log;
mod nesting;
mod smuggling;
mod table;
mod tickets;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{PATIENCE, Peer, TestServer};

/// What the server said to bytes that were sent as they are, until it closed the connection.
struct Heard(String);

impl Heard {
    /// The status of each answer.
    fn statuses(&self) -> Vec<u16> {
        let answers = self.0.split("HTTP/1.1 ").skip(1);
        let status = |answer: &str| answer.get(..3).and_then(|status| status.parse().ok());
        answers.filter_map(status).collect()
    }
}

/// Sends bytes as they are, and hears what comes until the server closes.
async fn send(server: &TestServer, bytes: impl AsRef<[u8]>) -> Heard {
    let address = server.base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    // A server that refuses early may close before it has taken everything.
    let _ = socket.write_all(bytes.as_ref()).await;
    let mut heard = Vec::new();
    let closing = async {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = socket.read(&mut buffer).await {
            heard.extend_from_slice(&buffer[..length]);
        }
    };
    tokio::time::timeout(PATIENCE, closing)
        .await
        .expect("the server closes the connection");
    Heard(String::from_utf8_lossy(&heard).into_owned())
}

/// The data of the signals that wait for a peer.
async fn waiting(peer: &Peer) -> Vec<Value> {
    let polled = peer.poll("wait=0&max=1000").await;
    let events = polled["events"].as_array().expect("events");
    let signals = events.iter().filter(|event| event["event"] == "signal");
    signals.map(|event| event["data"].clone()).collect()
}

/// The doors of a peer that want its token in the header, each with a body that is in order.
const DOORS: &[(&str, &str, &str)] = &[
    ("PATCH", "", "{}"),
    ("POST", "/meta", "{}"),
    ("POST", "/signals", r#"{"to":"bob","type":"x"}"#),
    ("GET", "/events", ""),
    ("GET", "/poll?wait=0", ""),
    ("POST", "/poll", r#"{"wait":0}"#),
    ("GET", "/notices", ""),
    ("GET", "/sessions", ""),
    ("GET", "/sessions/s1", ""),
    ("POST", "/alive", ""),
    ("POST", "/tickets", "{}"),
];
