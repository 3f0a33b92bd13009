//! The shared store on Redis or Valkey: one server, several behind Sentinels, or a cluster.
//!
//! What is one step of the store is one script of the engine; everything else here is about
//! connections that fail and nodes that die. It must not know what an entry means, the hub, or HTTP.

mod ear;
mod fit;
mod keys;
mod lane;
mod lease;
mod link;
mod options;
mod reply;
mod resolve;
mod script;
mod standing;
mod sweep;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use self::keys::{Keys, Tag};
use self::lease::millis;
use self::link::{Call, Link};
use self::script::Script;
use self::standing::{Clock, Place};
use super::store::{
    Append, Feed, INLINE, Later, News, NodeId, PARTITIONS, ROOM, Ring, RoomsPage, SeatChange,
    Store, StoreError, TOMBSTONE, Tail, feed, partition,
};
use crate::proto::{Door, RoomId, Time};

pub use options::{OpenError, Options};
pub use url::BadUrl;

/// How much of that may pass before an entry renews it, so that not each one has to.
const RENEW: Duration = Duration::from_secs(3600);
/// How long an append is known by its uid: far longer than it is tried.
const UID: Duration = Duration::from_secs(60);
/// How many rooms a page of the census is to have.
const PAGE: usize = 256;
/// How many heads are asked for at once.
const HEADS: usize = 256;

/// A node's handle to the engine. All tasks end with it.
pub struct Redis {
    core: Arc<Core>,
    tasks: Vec<AbortHandle>,
}

/// What the tasks of a node share.
struct Core {
    keys: Keys,
    link: Link,
    place: Arc<Place>,
    clock: Clock,
    feed: Feed,
    lease: Duration,
    /// The node's id and nonce, by which the engine knows its lease.
    name: Mutex<String>,
    /// The directory is to be looked at now.
    look: Notify,
    /// The lease was found to be void.
    void: Notify,
}

impl Redis {
    /// Joins the nodes of an engine. Must be called within a tokio runtime, which everything of
    /// this handle runs on; it has to live as long as the handle.
    ///
    /// # Errors
    /// [`OpenError`] where the options make no sense, the engine does not answer, or its keys are
    /// laid out by another version of this program.
    pub async fn open(options: Options) -> Result<(Arc<Self>, Receiver<News>), OpenError> {
        let url = options.check()?;
        let shown = url.to_string();
        let place = Arc::new(Place::new());
        let keys = Keys::new(&options.prefix);
        let link = Link::open(url, options.wait, keys.clone(), Arc::clone(&place)).await;
        let unreachable = |reason| OpenError::unreachable(&shown, &reason);
        let link = link.map_err(unreachable)?;
        let (feed, news) = feed();
        let core = Arc::new(Core {
            keys,
            link,
            place,
            clock: Clock::new(),
            feed,
            lease: options.lease,
            name: Mutex::default(),
            look: Notify::new(),
            void: Notify::new(),
        });
        let mut redis = Self {
            core: Arc::clone(&core),
            tasks: Vec::new(),
        };
        let following = Arc::clone(&core);
        redis.task(async move { following.link.follow().await });
        fit::look(&core).await.map_err(unreachable)??;
        fit::agree(&core, &options.signers).await?;
        let given = lease::register(&core).await?;
        let (dying, to_sweep) = watch::channel(Vec::new());
        redis.task(lease::keep(Arc::clone(&core), given, dying));
        redis.task(sweep::sweep(Arc::clone(&core), to_sweep));
        redis.task(ear::listen(core));
        Ok((Arc::new(redis), news))
    }

    fn task(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Core {
    /// The engine takes `node` for dead, whatever is known of its lease here.
    fn fenced(&self, node: NodeId) {
        if self.place.holds(node) {
            self.place.give_up();
            self.void.notify_one();
        }
    }

    /// Runs a script that says whether it was done.
    fn step(self: &Arc<Self>, tag: Tag, cmd: redis::Cmd) -> Later<Result<(), StoreError>> {
        let core = Arc::clone(self);
        let call = Call::plain(tag, cmd);
        Box::pin(async move { reply::done(&core.link.call(call).await?) })
    }

    /// A page of one partition's census, and the cursor of the next; 0 where there is none.
    async fn census(
        &self,
        partition: u16,
        cursor: u64,
    ) -> Result<(u64, Vec<(RoomId, usize)>), StoreError> {
        let tag = Tag::Partition(partition);
        let mut cmd = redis::cmd("HSCAN");
        cmd.arg(self.keys.rooms(tag))
            .arg(cursor)
            .arg("COUNT")
            .arg(PAGE);
        let page = self.link.call(Call::plain(tag, cmd)).await?;
        let (next, page): (u64, Vec<(String, usize)>) = reply::read(page)?;
        let named = page.into_iter();
        let named = named.filter_map(|(room, n)| Some((RoomId::parse(&room).ok()?, n)));
        let page: Vec<_> = named.collect();
        if page.is_empty() {
            return Ok((next, page));
        }
        let metas = page.iter().map(|(room, _)| self.keys.meta(room));
        let keys: Vec<_> = std::iter::once(self.keys.rooms(tag)).chain(metas).collect();
        let mut cmd = Script::Living.on(&keys);
        for (room, _) in &page {
            cmd.arg(room.as_str());
        }
        let living: Vec<bool> = reply::read(self.link.call(Call::plain(tag, cmd)).await?)?;
        let rooms = page.into_iter().zip(living);
        let rooms = rooms.filter_map(|(room, living)| living.then_some(room));
        Ok((next, rooms.collect()))
    }
}

impl Store for Redis {
    fn append(&self, room: &RoomId, append: Append) -> Later<Result<Tail, StoreError>> {
        let core = Arc::clone(&self.core);
        let node = core.place.node();
        if !core.place.holds(node) {
            return Box::pin(std::future::ready(Err(StoreError::Fenced)));
        }
        let (tag, cmd) = append_cmd(&core.keys, node, room, &append);
        let call = Call {
            tag,
            cmd,
            replicated: true,
            holder: Some(node),
            asker: append.asker,
        };
        let own = append.entry;
        Box::pin(async move {
            let appended = reply::tail(core.link.call(call).await?, Some(own));
            if appended == Err(StoreError::Fenced) {
                core.fenced(node);
            }
            appended
        })
    }

    fn fetch(&self, room: &RoomId, known: u64) -> Later<Result<Tail, StoreError>> {
        let core = Arc::clone(&self.core);
        let of = core.keys.room(room);
        let mut cmd = Script::Fetch.on(&[of.log, of.meta, of.snap]);
        cmd.arg(known);
        let call = Call::plain(of.tag, cmd);
        Box::pin(async move { reply::tail(core.link.call(call).await?, None) })
    }

    fn heads(&self, rooms: Vec<RoomId>) -> Later<Result<Vec<u64>, StoreError>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let mut by_partition = vec![Vec::new(); usize::from(PARTITIONS)];
            for (place, room) in rooms.iter().enumerate() {
                by_partition[usize::from(partition(room))].push(place);
            }
            let together = by_partition.iter().flat_map(|places| places.chunks(HEADS));
            let asked = together.map(async |places| {
                let metas = places.iter().map(|place| core.keys.meta(&rooms[*place]));
                let metas: Vec<_> = metas.collect();
                let tag = Keys::tag(&rooms[places[0]]);
                let call = Call::plain(tag, Script::Heads.on(&metas));
                let heads: Vec<u64> = reply::read(core.link.call(call).await?)?;
                Ok::<_, StoreError>((places, heads))
            });
            let mut heads = vec![0; rooms.len()];
            for (places, found) in try_join_all(asked).await? {
                for (place, head) in places.iter().zip(found) {
                    heads[*place] = head;
                }
            }
            Ok(heads)
        })
    }

    fn compact(&self, room: &RoomId, at: u64, snapshot: Bytes) -> Later<Result<(), StoreError>> {
        let keys = &self.core.keys;
        let of = keys.room(room);
        let mut cmd = Script::Compact.on(&[of.log, of.meta, of.snap, keys.dead(of.tag)]);
        cmd.arg(self.node().0)
            .arg(at)
            .arg(&snapshot[..])
            .arg(millis(ROOM));
        self.core.step(of.tag, cmd)
    }

    fn census(&self, room: &RoomId, at: u64, members: usize) -> Later<Result<(), StoreError>> {
        let keys = &self.core.keys;
        let of = keys.room(room);
        let beside = (keys.rooms(of.tag), keys.dead(of.tag));
        let all = [of.log, of.meta, of.seats, of.snap, beside.0, beside.1];
        let mut cmd = Script::Census.on(&all);
        cmd.arg(self.node().0)
            .arg(room.as_str())
            .arg(at)
            .arg(members)
            .arg(millis(TOMBSTONE))
            .arg(millis(ROOM))
            .arg(millis(RENEW));
        self.core.step(of.tag, cmd)
    }

    fn release(&self, room: &RoomId, at: u64) -> Later<Result<(), StoreError>> {
        let keys = &self.core.keys;
        let node = self.node();
        let of = keys.room(room);
        let all = [of.meta, keys.kept(of.tag, node), keys.dead(of.tag)];
        let mut cmd = Script::Release.on(&all);
        cmd.arg(node.0).arg(room.as_str()).arg(at);
        self.core.step(of.tag, cmd)
    }

    fn swept(&self, room: &RoomId, node: NodeId) -> Later<Result<(), StoreError>> {
        let keys = &self.core.keys;
        let tag = Keys::tag(room);
        let mut cmd = Script::Swept.on(&[keys.kept(tag, node), keys.dead(tag)]);
        cmd.arg(node.0).arg(room.as_str());
        self.core.step(tag, cmd)
    }

    fn rooms(&self, page: u64) -> Later<Result<RoomsPage, StoreError>> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            let partitions = u64::from(PARTITIONS);
            let (mut partition, mut cursor) = (page % partitions, page / partitions);
            let mut rooms = Vec::new();
            loop {
                let here = u16::try_from(partition).unwrap_or_default();
                let (next, found) = core.census(here, cursor).await?;
                rooms.extend(found);
                cursor = next;
                if cursor == 0 {
                    partition += 1;
                }
                if partition == partitions {
                    return Ok((None, rooms));
                }
                if rooms.len() >= PAGE {
                    return Ok((Some(cursor * partitions + partition), rooms));
                }
            }
        })
    }

    fn node(&self) -> NodeId {
        self.core.place.node()
    }

    fn now(&self) -> Time {
        self.core.clock.now()
    }

    fn resign(&self) -> Later<Result<(), StoreError>> {
        // All but the task that follows the engine's servers.
        for task in self.tasks.iter().skip(1) {
            task.abort();
        }
        Box::pin(lease::resign(Arc::clone(&self.core)))
    }
}

/// The command that appends.
fn append_cmd(keys: &Keys, node: NodeId, room: &RoomId, append: &Append) -> (Tag, redis::Cmd) {
    let of = keys.room(room);
    let mut cmd = Script::Append.on(&[
        of.log,
        of.meta,
        of.seats,
        of.snap,
        keys.uid(room, append.uid),
        keys.dead(of.tag),
        keys.bells(of.tag),
        keys.kept(of.tag, node),
        keys.engine(of.tag),
    ]);
    let ring = match append.ring {
        Ring::Nobody => "n",
        Ring::Peers(_) => "p",
        Ring::Everyone => "e",
    };
    cmd.arg(node.0)
        .arg(keys.channels())
        .arg(partition(room))
        .arg(room.as_str())
        .arg(append.known)
        .arg(u8::from(append.keeps))
        .arg(INLINE)
        .arg(millis(ROOM))
        .arg(millis(RENEW))
        .arg(millis(UID))
        .arg(append.uid)
        .arg(&append.entry[..])
        .arg(ring)
        .arg(&append.other_engine[..])
        .arg(u8::from(append.eases))
        .arg(append.seats.len());
    for change in &append.seats {
        let (verb, peer, door, reader) = match change {
            SeatChange::Take { peer, door, reader } => ("t", peer, door, reader),
            SeatChange::Leave { peer, door, reader } => ("l", peer, door, reader),
        };
        cmd.arg(verb).arg(keys::seat(peer, *door)).arg(reader);
    }
    if let Ring::Peers(peers) = &append.ring {
        for peer in peers {
            for door in Door::ALL {
                cmd.arg(keys::seat(peer, door));
            }
        }
    }
    (of.tag, cmd)
}

/// What is under way, once it is ready; never where nothing is.
async fn of<T>(under_way: Option<&mut Later<T>>) -> T {
    match under_way {
        Some(under_way) => under_way.await,
        None => std::future::pending().await,
    }
}

/// A random number, for jitter and nonces.
fn random() -> u32 {
    // Without a source of randomness, jitter is only less even.
    getrandom::u32().unwrap_or_default()
}
