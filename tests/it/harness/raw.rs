//! Requests by hand, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Peer, TestServer};

/// A connection by hand, and what has come over it.
pub struct Raw {
    pub socket: TcpStream,
    pub seen: String,
}

impl Raw {
    pub async fn new(server: &TestServer, text: &str) -> Self {
        let address = server.base.trim_start_matches("http://");
        let socket = TcpStream::connect(address).await.expect("a connection");
        let seen = String::new();
        let mut raw = Self { socket, seen };
        raw.write(text).await;
        raw
    }

    pub async fn write(&mut self, text: &str) {
        let written = self.socket.write_all(text.as_bytes()).await;
        written.expect("an open connection");
    }

    /// Reads on; how much there was, and none at the end.
    pub async fn read(&mut self) -> usize {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.socket.read(&mut buffer)).await;
        let read = read.expect("something in time").unwrap_or(0);
        self.seen
            .push_str(&String::from_utf8_lossy(&buffer[..read]));
        read
    }

    /// Reads until `wanted` has come.
    pub async fn expect(&mut self, wanted: &str) {
        while !self.seen.contains(wanted) {
            assert!(self.read().await > 0, "no {wanted:?} in {}", self.seen);
        }
    }

    /// Waits until the server has closed what is open to it still.
    pub async fn gone(&mut self, server: &TestServer) {
        let open = async {
            while !server.lot.is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, open).await.expect("it is closed in time");
    }

    pub async fn end(&mut self) {
        while self.read().await > 0 {}
    }
}

/// The text of a request.
pub fn stream_of(peer: &Peer, version: &str) -> String {
    format!(
        "GET /rooms/{}/peers/{}/events HTTP/{version}\r\nHost: here\r\nAuthorization: Bearer {}\r\n\r\n",
        peer.room, peer.name, peer.token
    )
}

/// The text of a request.
pub fn signal_of(peer: &Peer, signal: &str) -> String {
    format!(
        "POST /rooms/{}/peers/{}/signals HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{signal}",
        peer.room,
        peer.name,
        peer.token,
        signal.len()
    )
}
