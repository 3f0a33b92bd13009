//! Hubs that have their rooms in common, each driven as a server drives its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use switchboard::backplane::Memory;
use switchboard::backplane::model::Engine;
use switchboard::backplane::redis::{Options, Redis};
use switchboard::backplane::store::{News, Store};
use switchboard::hub::{Clock, Hub, HubLimits, JoinedRoom, PeerView, Refused, Tasks};
use switchboard::proto::{
    Epoch, Join, MailboxLimits, PeerId, Presence, RoomId, RoomLimits, Time, Timings,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::guest::Guest;
use super::words::{peer, room};
use crate::store::engine::Server;
use crate::store::world::options;

/// How long anything may take that must come.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether something came to be.
const STEP: Duration = Duration::from_millis(10);
/// How many hubs a house has.
pub const HUBS: usize = 3;
/// Where all meet, unless a case says otherwise.
pub const ROOM: &str = "demo";

/// What bounds a house.
#[derive(Clone, Copy)]
pub struct Ways {
    pub room: RoomLimits,
    pub timings: Timings,
}

/// Nobody is away, and all finds room.
pub const CALM: Ways = Ways {
    room: RoomLimits {
        peers: 8,
        sessions: 3,
        remembered: 64,
        mailbox: MailboxLimits {
            events: 256,
            bytes: 512 << 10,
            control_events: 256,
            control_bytes: 256 << 10,
        },
    },
    timings: Timings {
        away_after: Duration::from_secs(60),
        grace: Duration::from_secs(120),
        join_grace: Duration::from_secs(120),
        resume_window: Duration::from_secs(300),
        heartbeat: Duration::from_secs(15),
        slow_after: Duration::ZERO,
    },
};

/// Mailboxes are soon full.
pub const NARROW: Ways = Ways {
    room: RoomLimits {
        mailbox: MailboxLimits {
            events: 8,
            control_events: 4,
            ..CALM.room.mailbox
        },
        ..CALM.room
    },
    ..CALM
};

/// Who is lost is soon away, and has much time to come back.
pub const FLEETING: Ways = Ways {
    timings: Timings {
        away_after: Duration::from_millis(200),
        ..CALM.timings
    },
    ..CALM
};

/// Who is lost is soon away, and soon gone.
pub const BRIEF: Ways = Ways {
    timings: Timings {
        grace: Duration::from_millis(2000),
        ..FLEETING.timings
    },
    ..CALM
};

/// What the hubs have their rooms in common by.
pub enum Ground {
    /// There is one hub, and its clones.
    Memory,
    /// The model of a store.
    Model,
    /// An engine.
    Engine {
        url: String,
        /// The server, where it ends with the last that uses it.
        _server: Option<Arc<Server>>,
    },
}

impl Ground {
    pub fn memory() -> Self {
        Self::Memory
    }

    pub fn model() -> Self {
        Self::Model
    }

    pub fn redis() -> Self {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let start = || Some(Server::redis(&[]));
        Self::on(&SHARED, start).expect("a server")
    }

    pub fn valkey() -> Option<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        Self::on(&SHARED, Server::valkey)
    }

    /// An engine that others look after.
    pub fn at(url: &str) -> Self {
        let url = url.to_owned();
        let _server = None;
        Self::Engine { url, _server }
    }

    /// The server that all of this process share who use it at the same time.
    fn on(shared: &Mutex<Weak<Server>>, start: impl FnOnce() -> Option<Server>) -> Option<Self> {
        let mut shared = shared.lock().unwrap_or_else(|poison| poison.into_inner());
        let server = match shared.upgrade() {
            Some(server) => server,
            None => Arc::new(start()?),
        };
        *shared = Arc::downgrade(&server);
        let url = server.url();
        let _server = Some(server);
        Some(Self::Engine { url, _server })
    }

    /// A house of its own on this ground.
    pub async fn house(&self, ways: Ways) -> House {
        let mut house = House {
            hubs: Vec::new(),
            ways,
            soil: match self {
                Self::Memory => Soil::Memory,
                Self::Model => Soil::Model(Engine::new(Duration::from_secs(60), START)),
                Self::Engine { url, .. } => Soil::Engine(options(url)),
            },
            tasks: JoinSet::new(),
            guests: AtomicUsize::new(0),
        };
        if let Soil::Model(engine) = &house.soil {
            let engine = engine.clone();
            house.tasks.spawn(async move { pass_time(&engine).await });
        }
        for _ in 0..HUBS {
            house.another().await;
        }
        house
    }
}

/// The model's time at first.
const START: Time = Time(1_700_000_000_000);

/// Moves the model's clock as real time passes.
async fn pass_time(engine: &Engine) {
    let began = Instant::now();
    let mut steps = tokio::time::interval(Duration::from_millis(5));
    loop {
        steps.tick().await;
        engine.at(START + began.elapsed());
    }
}

/// What a house stands on.
enum Soil {
    Memory,
    Model(Engine),
    Engine(Options),
}

/// Hubs that have their rooms in common; all ends with it.
pub struct House {
    hubs: Vec<Hub>,
    pub ways: Ways,
    soil: Soil,
    tasks: JoinSet<()>,
    guests: AtomicUsize,
}

impl House {
    /// One more hub.
    pub async fn another(&mut self) {
        let hub = match &self.soil {
            Soil::Memory => match self.hubs.first() {
                Some(hub) => hub.clone(),
                None => self.alone(),
            },
            Soil::Model(engine) => {
                let (store, news) = engine.join();
                self.sharing(store, news)
            }
            Soil::Engine(options) => {
                let opened = Redis::open(options.clone()).await;
                let (store, news) = opened.expect("an engine that answers");
                self.sharing(store, news)
            }
        };
        self.hubs.push(hub);
    }

    fn limits(&self) -> HubLimits {
        HubLimits {
            room: self.ways.room,
            rooms: 0,
            peers: 0,
            readers: 0,
            held: 0,
            ends: 1000,
        }
    }

    fn alone(&mut self) -> Hub {
        let clock = Clock::machine(Time(0));
        let hub = Hub::new(self.limits(), self.ways.timings, clock, Memory);
        self.drive(&hub);
        hub
    }

    fn sharing(&mut self, store: Arc<dyn Store>, news: Receiver<News>) -> Hub {
        let tasks = Tasks::Runtime(Handle::current());
        let hub = Hub::sharing(self.limits(), self.ways.timings, store, tasks);
        self.drive(&hub);
        let follower = hub.clone();
        self.tasks.spawn(async move { follower.follow(news).await });
        hub
    }

    fn drive(&mut self, hub: &Hub) {
        let hub = hub.clone();
        self.tasks.spawn(async move { hub.run().await });
    }

    /// One of the hubs; they come round again.
    pub fn hub(&self, number: usize) -> &Hub {
        &self.hubs[number % self.hubs.len()]
    }

    /// All hubs, each with its number.
    pub fn each(&self) -> impl Iterator<Item = (usize, &Hub)> {
        self.hubs.iter().enumerate()
    }

    /// Joins at the next hub.
    pub async fn join(&self, name: &str) -> Guest<'_> {
        self.join_in(ROOM, name).await
    }

    pub async fn join_in(&self, to: &str, name: &str) -> Guest<'_> {
        let number = self.guests.fetch_add(1, Ordering::Relaxed);
        let joined = self.try_join_in(number, to, wish(name)).await;
        let joined = joined.expect("joined");
        assert!(joined.new);
        Guest::new(self, joined, number + 1)
    }

    /// Joins at that hub, as the door does it.
    pub async fn try_join(&self, number: usize, wish: Join) -> Result<JoinedRoom, Refused> {
        self.try_join_in(number, ROOM, wish).await
    }

    async fn try_join_in(
        &self,
        number: usize,
        to: &str,
        wish: Join,
    ) -> Result<JoinedRoom, Refused> {
        let (hub, to) = (self.hub(number), room(to));
        hub.sync(&to).await?;
        hub.join(&to, wish).await
    }

    /// Who is in the room, as each hub says; they agree.
    pub async fn peers(&self) -> Vec<Seen> {
        let mut all = Vec::new();
        for (_, hub) in self.each() {
            all.push(seen(&peers(hub, &room(ROOM)).await));
        }
        assert!(all.iter().all(|seen| *seen == all[0]), "{all:?}");
        all.swap_remove(0)
    }
}

/// A peer as others see it, but for the time: its id, meta, state and order.
pub type Seen = (String, String, Presence, u64);

pub fn seen(views: &[PeerView]) -> Vec<Seen> {
    let seen = |view: &PeerView| {
        let (peer, meta) = (view.peer.to_string(), view.meta.as_str().to_owned());
        (peer, meta, view.state, view.order)
    };
    views.iter().map(seen).collect()
}

/// Who is in a room, as the door tells it.
pub async fn peers(hub: &Hub, of: &RoomId) -> Vec<PeerView> {
    hub.sync(of).await.expect("a store that answers");
    hub.peers(of)
}

/// A plain wish to join.
pub fn wish(name: &str) -> Join {
    static EPOCH: AtomicU64 = AtomicU64::new(1);
    let peer: PeerId = peer(name);
    Join {
        peer,
        epoch: Epoch(EPOCH.fetch_add(1, Ordering::Relaxed)),
        meta: None,
        key: None,
        assigned: false,
        holds: None,
        fresh: false,
    }
}

/// Waits until it is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < deadline, "it never came to be: {what}");
        sleep(STEP).await;
    }
}
