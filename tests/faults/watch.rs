//! What another peer of the room is told, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::client::Event;
use crate::peer::{Kind, Peer};

type Seen = Arc<Mutex<Vec<(Instant, Event)>>>;

/// The open stream of a peer to whom nothing happens.
pub struct Watch {
    seen: Seen,
    reading: JoinHandle<()>,
}

impl Watch {
    pub async fn of(peer: &Peer) -> Self {
        let events = peer.events(Kind::Sse, &peer.cursor).await;
        let mut events = events.expect("a server").expect("a stream");
        let seen = Seen::default();
        let shared = seen.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(event)) = events.next().await {
                shared.lock().push((Instant::now(), event));
            }
        });
        Self { seen, reading }
    }

    /// When the first event of this name came.
    pub fn at(&self, name: &str) -> Option<Instant> {
        self.first(name).map(|(at, _)| at)
    }

    /// The reason that the first event of this name gave.
    pub fn reason(&self, name: &str) -> String {
        let event = self.first(name);
        event.map_or_else(String::new, |(_, event)| {
            event.data["reason"].as_str().unwrap_or_default().to_owned()
        })
    }

    pub fn count(&self, name: &str) -> usize {
        let seen = self.seen.lock();
        seen.iter().filter(|(_, event)| event.name == name).count()
    }

    /// Waits for the first event of this name.
    pub async fn until(&self, name: &str, patience: Duration) -> Instant {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.at(name) {
                return at;
            }
            assert!(Instant::now() < deadline, "no {name} within {patience:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn first(&self, name: &str) -> Option<(Instant, Event)> {
        let seen = self.seen.lock();
        seen.iter().find(|(_, event)| event.name == name).cloned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
