//! A way to a server that can be shut, or go silent.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What becomes of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It passes.
    Open,
    /// Connections end, also new ones.
    Shut,
    /// Connections stay, and nothing passes.
    Silent,
    /// What is said to a subscriber does not arrive, and never will on that connection.
    Deaf,
}

/// A port that leads to another.
pub struct Gate {
    pub port: u16,
    way: watch::Sender<Way>,
    task: AbortHandle,
}

impl Gate {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (way, watched) = watch::channel(Way::Open);
        let task = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(pass(from, port, watched.clone()));
            }
        });
        Self {
            port: own,
            way,
            task: task.abort_handle(),
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(from: TcpStream, port: u16, mut way: watch::Receiver<Way>) {
    let Ok(to) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let deaf = way.clone();
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    let subscribes = AtomicBool::new(false);
    let up = |bytes: &[u8]| {
        if bytes.windows(9).any(|word| word == b"SUBSCRIBE") {
            subscribes.store(true, Ordering::Relaxed);
        }
        true
    };
    let down = |_: &[u8]| !subscribes.load(Ordering::Relaxed) || *deaf.borrow() != Way::Deaf;
    tokio::select! {
        () = copy(from_read, to_write, way.clone(), up) => {}
        () = copy(to_read, from_write, way.clone(), down) => {}
        _ = way.wait_for(|way| *way == Way::Shut) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    passes: impl Fn(&[u8]) -> bool,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if !passes(&bytes[..count]) {
            std::future::pending::<()>().await;
        }
        let open = way.wait_for(|way| *way != Way::Silent).await.is_ok();
        if !open || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
