//! The way of commands to the servers that take them, for as long as it may take.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::RwLock;
use redis::{Client, Cmd, ConnectionInfo, Value};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::keys::{Keys, Tag};
use super::lane::{Attempt, Job, Lane, TROUBLE, is_gone};
use super::resolve::{Map, Unresolved, resolve};
use super::standing::{Place, Sign, Trouble};
use super::url::{self, Address, EngineUrl, Kind};
use crate::backplane::store::{NodeId, StoreError};

/// How long a command is tried.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// How often at most the engine is asked which servers take writes.
const LOOK: Duration = Duration::from_millis(200);
/// How often Sentinels are asked unprompted: a primary may have been demoted that answers still.
const LOOK_UNPROMPTED: Duration = Duration::from_secs(5);

/// A command, and how it is to be treated.
pub(super) struct Call {
    pub(super) tag: Tag,
    pub(super) cmd: Cmd,
    /// It is sent together with appends, and enough replicas have to have it before it counts.
    pub(super) replicated: bool,
    /// Who this node has to be still when it is sent.
    pub(super) holder: Option<NodeId>,
    /// Who has to be there still.
    pub(super) asker: Option<Weak<()>>,
}

impl Call {
    /// A command that neither waits for replicas nor depends on who this node is.
    pub(super) fn plain(tag: Tag, cmd: Cmd) -> Self {
        Self {
            tag,
            cmd,
            replicated: false,
            holder: None,
            asker: None,
        }
    }
}

/// The connections of a node, but for the one that it is rung through.
pub(super) struct Link {
    url: EngineUrl,
    replicas: usize,
    keys: Keys,
    place: Arc<Place>,
    routes: RwLock<Arc<Routes>>,
    stale: Notify,
    pub(super) trouble: Arc<Trouble>,
}

#[derive(Default)]
struct Routes {
    shards: Vec<Arc<Shard>>,
    of: Vec<usize>,
}

struct Shard {
    server: ConnectionInfo,
    appends: Lane,
    /// What keeps this node's lease and its ear waits for nothing else.
    upkeep: Lane,
    others: Lane,
}

impl Link {
    /// A link that knows the engine's servers already.
    pub(super) async fn open(
        url: EngineUrl,
        replicas: usize,
        keys: Keys,
        place: Arc<Place>,
    ) -> Result<Self, Unresolved> {
        let map = resolve(&url, Vec::new()).await?;
        let link = Self {
            url,
            replicas,
            keys,
            place,
            routes: RwLock::default(),
            stale: Notify::new(),
            trouble: Arc::new(Trouble::new()),
        };
        link.take(map)?;
        Ok(link)
    }

    /// Takes up where the servers are, keeping the connections to those that stay.
    fn take(&self, map: Map) -> Result<(), Unresolved> {
        let before = Arc::clone(&self.routes.read());
        let mut shards = Vec::with_capacity(map.servers.len());
        for server in map.servers {
            let same = |shard: &&Arc<Shard>| shard.server.addr() == server.addr();
            shards.push(match before.shards.iter().find(same) {
                Some(shard) => Arc::clone(shard),
                None => {
                    let client = Client::open(server.clone())?;
                    let place = || Arc::clone(&self.place);
                    let trouble = || Arc::clone(&self.trouble);
                    Arc::new(Shard {
                        server,
                        appends: Lane::for_appends(
                            client.clone(),
                            self.replicas,
                            self.keys.clone(),
                            place(),
                            trouble(),
                        ),
                        upkeep: Lane::start(client.clone(), place(), trouble(), Sign::Proof),
                        others: Lane::start(client, place(), trouble(), Sign::Doubt),
                    })
                }
            });
        }
        let of = map.of.to_vec();
        *self.routes.write() = Arc::new(Routes { shards, of });
        Ok(())
    }

    /// Follows the servers of the engine for ever.
    pub(super) async fn follow(&self) {
        let unprompted = matches!(self.url.kind, Kind::Sentinel(_));
        loop {
            if unprompted {
                let _ = timeout(LOOK_UNPROMPTED, self.stale.notified()).await;
            } else {
                self.stale.notified().await;
            }
            let known = Arc::clone(&self.routes.read());
            let known = known.shards.iter().map(|shard| shard.server.clone());
            match resolve(&self.url, known.collect()).await {
                Ok(map) => {
                    if let Err(error) = self.take(map) {
                        tracing::warn!(%error, "an engine's server cannot be used");
                    }
                }
                Err(error) => tracing::debug!(%error, "the engine's servers are not known"),
            }
            sleep(jittered(LOOK)).await;
        }
    }

    /// The servers may have changed.
    pub(super) fn look_again(&self) {
        self.stale.notify_one();
    }

    /// A server that takes writes, another each time where there are several.
    pub(super) fn any_server(&self) -> Option<ConnectionInfo> {
        let routes = Arc::clone(&self.routes.read());
        let count = routes.shards.len().max(1);
        let shard = routes.shards.get(super::random() as usize % count);
        shard.map(|shard| shard.server.clone())
    }

    /// Sends a command, and tries again until it is answered or [`PATIENCE`] is over.
    pub(super) async fn call(&self, call: Call) -> Result<Value, StoreError> {
        let tried = timeout(PATIENCE, self.attempts(call)).await;
        tried.unwrap_or(Err(StoreError::Unavailable))
    }

    async fn attempts(&self, call: Call) -> Result<Value, StoreError> {
        let begun = Instant::now();
        let sign = match call.tag {
            Tag::Directory => Sign::Proof,
            Tag::Partition(_) | Tag::Config => Sign::Doubt,
        };
        let mut unanswered = None;
        let cmd = Arc::new(call.cmd);
        let mut pause = PAUSES.0;
        let mut asked = None;
        loop {
            // Also where nothing can be sent at all.
            if call.holder.is_some_and(|node| !self.place.holds(node)) {
                return Err(StoreError::Fenced);
            }
            if is_gone(call.asker.as_ref()) {
                return Err(StoreError::Refused);
            }
            let (answer, answered) = oneshot::channel();
            let job = Job {
                cmd: Arc::clone(&cmd),
                asking: asked.is_some(),
                replicated: call.replicated,
                holder: call.holder,
                asker: call.asker.clone(),
                answer,
            };
            let lane = self.lane(call.tag, call.replicated, asked.take());
            let answer = async {
                match lane {
                    Some(lane) => lane.send(job).await,
                    None => drop(job),
                }
                answered.await
            };
            match answer.await {
                Ok(Attempt::Done(value)) => return Ok(value),
                Ok(Attempt::Fenced) => return Err(StoreError::Fenced),
                Ok(Attempt::Full) => return Err(StoreError::Full),
                Ok(Attempt::Refused) => return Err(StoreError::Refused),
                Ok(Attempt::Ask(address)) => {
                    asked = Some(address);
                    continue;
                }
                Ok(Attempt::Again) => {}
                Ok(Attempt::Elsewhere) | Err(_) => self.look_again(),
            }
            if begun.elapsed() > TROUBLE {
                unanswered.get_or_insert_with(|| self.trouble.begin(sign));
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The lane to the server where the tag lies, or to the one that was named instead.
    fn lane(&self, tag: Tag, append: bool, instead: Option<Address>) -> Option<Lane> {
        let routes = self.routes.read();
        let shard = match instead {
            Some(address) => routes
                .shards
                .iter()
                .find(|shard| url::address(&shard.server).as_ref() == Some(&address)),
            None => routes
                .of
                .get(tag.number())
                .and_then(|at| routes.shards.get(*at)),
        };
        shard.map(|shard| {
            let lane = match tag {
                _ if append => &shard.appends,
                Tag::Directory => &shard.upkeep,
                Tag::Partition(_) | Tag::Config => &shard.others,
            };
            lane.clone()
        })
    }
}

/// Between half of a span and the whole of it, so that not all nodes do it at once.
pub(super) fn jittered(span: Duration) -> Duration {
    span.mul_f64(0.5 + f64::from(super::random()) / f64::from(u32::MAX) / 2.0)
}
