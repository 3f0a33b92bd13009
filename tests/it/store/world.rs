//! An engine with its nodes, whichever it is; the model's clock moves while a node waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use switchboard::backplane::model;
use switchboard::backplane::redis::{Options, Redis};
use switchboard::backplane::store::partition as partition_of;
use switchboard::backplane::store::{
    Append, News, NodeId, Ring, SeatChange, Standing, Store, StoreError, Tail,
};
use switchboard::proto::{Door, PeerId, RoomId, Time};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout};

use super::engine::Server;

/// How long a node waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How short the lease is where tests wait for its end.
pub const LEASE: Duration = Duration::from_secs(2);

/// An engine.
pub enum World {
    /// In this process.
    Model(model::Engine),
    /// A server, or several.
    Engine {
        /// The server, if it is the world's own.
        server: Option<Server>,
        /// Where.
        options: Options,
    },
}

impl World {
    pub fn model() -> Self {
        let start = Time(1_700_000_000_000);
        Self::Model(model::Engine::new(LEASE, start))
    }

    pub fn redis() -> Self {
        Self::of(Server::redis(&[]))
    }

    pub fn valkey() -> Option<Self> {
        Server::valkey().map(Self::of)
    }

    pub fn of(server: Server) -> Self {
        let url = server.url();
        let server = Some(server);
        let options = options(&url);
        Self::Engine { server, options }
    }

    /// A world of its own on an engine that others use too.
    pub fn at(url: &str) -> Self {
        let server = None;
        let options = options(url);
        Self::Engine { server, options }
    }

    pub fn server(&self) -> &Server {
        let Self::Engine {
            server: Some(server),
            ..
        } = self
        else {
            panic!("a server of its own");
        };
        server
    }

    pub fn server_mut(&mut self) -> &mut Server {
        let Self::Engine {
            server: Some(server),
            ..
        } = self
        else {
            panic!("a server of its own");
        };
        server
    }

    pub fn options(&self) -> Options {
        let Self::Engine { options, .. } = self else {
            panic!("an engine");
        };
        options.clone()
    }

    /// A node whose lease is soon over where it is not renewed.
    pub async fn brief_node(&self) -> Node {
        match self {
            Self::Model(_) => self.node().await,
            Self::Engine { options, .. } => Node::open(brief(options.clone())).await,
        }
    }

    pub async fn node(&self) -> Node {
        match self {
            Self::Model(engine) => {
                let (store, news) = engine.join();
                let clock = Some(engine.clone());
                let mut node = Node { store, news, clock };
                node.hear(ready).await;
                node
            }
            Self::Engine { options, .. } => Node::open(options.clone()).await,
        }
    }
}

/// Options with a prefix that no other world has.
pub fn options(url: &str) -> Options {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Options {
        prefix: format!("test-{number}"),
        ..Options::new(url)
    }
}

/// The same with a lease that is soon over.
pub fn brief(options: Options) -> Options {
    Options {
        lease: LEASE,
        ..options
    }
}

/// A node and what it hears.
pub struct Node {
    pub store: Arc<dyn Store>,
    pub news: Receiver<News>,
    clock: Option<model::Engine>,
}

/// The ear is there.
fn ready(news: &News) -> Option<()> {
    matches!(news, News::Missed { partition: None }).then_some(())
}

impl Node {
    pub async fn open(options: Options) -> Self {
        let (store, news) = Redis::open(options).await.expect("an engine that answers");
        let clock = None;
        let mut node = Self { store, news, clock };
        node.hear(ready).await;
        node
    }

    pub fn id(&self) -> NodeId {
        self.store.node()
    }

    /// The next news.
    pub async fn next(&mut self) -> News {
        let Some(engine) = &self.clock else {
            let news = timeout(PATIENCE, self.news.recv()).await;
            return news.expect("news in time").expect("a store that lives");
        };
        for _ in 0..PATIENCE.as_millis() / 50 {
            if let Ok(news) = self.news.try_recv() {
                return news;
            }
            engine.at(engine.now() + Duration::from_millis(50));
            tokio::task::yield_now().await;
        }
        panic!("news in time");
    }

    /// The first that is wanted; what comes before is dropped.
    pub async fn hear<T>(&mut self, wanted: impl Fn(&News) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the news never come");
            if let Some(found) = wanted(&self.next().await) {
                return found;
            }
        }
    }

    /// The next entry that it is rung for.
    pub async fn bell(&mut self) -> (RoomId, u64, u64, Option<Bytes>) {
        let entry = |news: &News| match news.clone() {
            News::Entry {
                room,
                prev,
                at,
                entry,
            } => Some((room, prev, at, entry)),
            News::Missed { .. } | News::Lost { .. } | News::Standing(_) => None,
        };
        self.hear(entry).await
    }

    /// The next standing.
    pub async fn standing(&mut self) -> Standing {
        let standing = |news: &News| match news {
            News::Standing(standing) => Some(*standing),
            News::Missed { .. } | News::Lost { .. } | News::Entry { .. } => None,
        };
        self.hear(standing).await
    }

    /// The next room that is lost.
    pub async fn lost(&mut self) -> (RoomId, NodeId) {
        let lost = |news: &News| match news {
            News::Lost { room, node } => Some((room.clone(), *node)),
            News::Missed { .. } | News::Standing(_) | News::Entry { .. } => None,
        };
        self.hear(lost).await
    }

    pub async fn append(&self, to: &RoomId, append: Append) -> Tail {
        self.try_append(to, append).await.expect("stored")
    }

    pub async fn try_append(&self, to: &RoomId, append: Append) -> Result<Tail, StoreError> {
        self.store.append(to, append).await
    }

    pub async fn fetch(&self, of: &RoomId, known: u64) -> Tail {
        self.store.fetch(of, known).await.expect("an answer")
    }

    /// Appends `text` for nobody to hear.
    pub async fn say(&self, to: &RoomId, text: &str) -> u64 {
        self.append(to, entry(text)).await.at
    }

    /// Seats a reader here.
    pub async fn seat(&self, to: &RoomId, of: &str, reader: u64) {
        let seats = vec![take(of, reader)];
        let append = Append {
            seats,
            ..entry("seat")
        };
        self.append(to, append).await;
    }

    /// Keeps a peer in the room from now on.
    pub async fn keep(&self, to: &RoomId) -> u64 {
        let append = Append {
            keeps: true,
            ..entry("keep")
        };
        self.append(to, append).await.at
    }
}

pub fn room(name: &str) -> RoomId {
    RoomId::parse(name).expect("an id")
}

pub fn peer(name: &str) -> PeerId {
    PeerId::parse(name).expect("an id")
}

/// A key of the room's partition.
pub fn key(options: &Options, of: &str, rest: &str) -> String {
    let partition = partition_of(&room(of));
    format!("{}:{{p{partition:02}}}:{rest}", options.prefix)
}

/// An append that rings nobody, and knows nothing.
pub fn entry(text: &str) -> Append {
    static UID: AtomicU64 = AtomicU64::new(1);
    Append {
        uid: UID.fetch_add(1, Ordering::Relaxed),
        known: 0,
        entry: Bytes::copy_from_slice(text.as_bytes()),
        other_engine: Bytes::from_static(b"another engine"),
        ring: Ring::Nobody,
        seats: Vec::new(),
        keeps: false,
        eases: false,
        asker: None,
    }
}

/// An append that rings everyone.
pub fn call(text: &str) -> Append {
    Append {
        ring: Ring::Everyone,
        ..entry(text)
    }
}

pub fn take(of: &str, reader: u64) -> SeatChange {
    SeatChange::Take {
        peer: peer(of),
        door: Door::Events,
        reader,
    }
}

pub fn leave(of: &str, reader: u64) -> SeatChange {
    SeatChange::Leave {
        peer: peer(of),
        door: Door::Events,
        reader,
    }
}

pub fn texts(tail: &Tail) -> Vec<&str> {
    let texts = tail.entries.iter();
    let texts = texts.map(|(_, entry)| std::str::from_utf8(entry).expect("text"));
    texts.collect()
}
