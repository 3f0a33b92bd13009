//! What a node does with rooms that it shares with others: their logs are kept by a store, and each
//! node that has a room applies the same entries to a room of its own.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::live::{Live, State};
use super::replica::{Taken, Waiting, pack};
use super::route::Route;
use super::{Caller, Hub, Refused};
use crate::backplane::store::{
    Append, Later, PARTITIONS, Ring, Standing, Store, StoreError, Tail, partition,
};
use crate::backplane::{Appending, Failed};
use crate::proto::{Entry, NodeId, ReaderId, RoomId, Time};

/// Entries, and bytes of them, that a log may hold before what they came to is kept in their place.
const LONG: (usize, u64) = (256, 1024 * 1024);

/// What an entry is led by where the log may have lost its end; it has no number of its own.
static OTHER_ENGINE: LazyLock<Bytes> = LazyLock::new(|| pack(0, &Entry::OtherEngine));

/// The store, and where this node stands with it.
pub(super) struct Common {
    pub(super) store: Arc<dyn Store>,
    /// Which process this is.
    nonce: u64,
    tasks: Tasks,
    /// The store does not answer.
    cut: AtomicBool,
    /// When it first answered.
    since: OnceLock<Time>,
    /// Until then no peer of a partition's rooms is judged by its lease: it may not have been able to
    /// come.
    lenient: Box<[AtomicU64]>,
    looking: Mutex<Looking>,
    /// The rooms that are being swept after a node, and how many may be at a time.
    sweeping: Mutex<HashSet<(RoomId, NodeId)>>,
    pub(super) sweepers: Semaphore,
}

/// Rooms that are fetched or swept at a time.
pub(super) const TOGETHER: usize = 32;

/// Where entries may have been missed.
#[derive(Default)]
struct Looking {
    /// They are being looked for.
    running: bool,
    /// The partitions that are to be looked at next.
    next: BTreeSet<u16>,
    /// Those where the store did not answer.
    later: BTreeSet<u16>,
}

/// Who drives what nobody waits for.
pub enum Tasks {
    /// A runtime.
    Runtime(Handle),
    /// A test, which takes them out.
    Queue(Arc<Mutex<Vec<Later<()>>>>),
}

impl Tasks {
    fn spawn(&self, task: Later<()>) {
        match self {
            Tasks::Runtime(runtime) => drop(runtime.spawn(task)),
            Tasks::Queue(queue) => queue.lock().push(task),
        }
    }
}

impl Common {
    pub(super) fn new(store: Arc<dyn Store>, tasks: Tasks) -> Self {
        Self {
            store,
            nonce: RandomState::new().hash_one(0),
            tasks,
            cut: AtomicBool::new(false),
            since: OnceLock::new(),
            lenient: (0..PARTITIONS).map(|_| AtomicU64::new(0)).collect(),
            looking: Mutex::default(),
            sweeping: Mutex::default(),
            sweepers: Semaphore::new(TOGETHER),
        }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(Box::pin(task));
    }

    /// Whether the store does not answer now.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Notes whether the store answers; whether that is new.
    pub(super) fn stands(&self, standing: Standing) -> bool {
        let cut = !matches!(standing, Standing::Joined(_));
        self.cut.swap(cut, Ordering::Relaxed) != cut
    }

    /// The store answers now; since when it has done so first.
    pub(super) fn answers_since(&self, now: Time) -> Time {
        *self.since.get_or_init(|| now)
    }

    /// No peer is judged by its lease before that.
    pub(super) fn be_lenient(&self, until: Time) {
        for lenient in &self.lenient {
            lenient.fetch_max(until.0, Ordering::Relaxed);
        }
    }

    /// The same for one room, and whichever shares its partition.
    fn be_lenient_in(&self, room: &RoomId, until: Time) {
        if let Some(lenient) = self.lenient.get(usize::from(partition(room))) {
            lenient.fetch_max(until.0, Ordering::Relaxed);
        }
    }

    /// Notes partitions that are to be looked at; whether nobody is doing so.
    pub(super) fn look_at(&self, partitions: impl Iterator<Item = u16>) -> bool {
        let mut looking = self.looking.lock();
        looking.next.extend(partitions);
        !std::mem::replace(&mut looking.running, true)
    }

    /// The partitions that are to be looked at now; with none, nobody does so any more.
    pub(super) fn to_look_at(&self) -> BTreeSet<u16> {
        let mut looking = self.looking.lock();
        looking.running = !looking.next.is_empty();
        std::mem::take(&mut looking.next)
    }

    /// Whoever looked at partitions has come to grief.
    pub(super) fn looked(&self) {
        self.looking.lock().running = false;
    }

    /// A partition could not be looked at.
    pub(super) fn look_later(&self, partition: u16) {
        self.looking.lock().later.insert(partition);
    }

    /// The partitions that could not be looked at.
    pub(super) fn put_off(&self) -> BTreeSet<u16> {
        std::mem::take(&mut self.looking.lock().later)
    }

    /// A sweep of a room after a node, until it is dropped; none where one is under way.
    pub(super) fn begin_sweep(&self, room: &RoomId, node: NodeId) -> Option<impl Drop> {
        let which = (room.clone(), node);
        let begun = self.sweeping.lock().insert(which.clone());
        let end = |which| {
            self.sweeping.lock().remove(&which);
        };
        begun.then(|| scopeguard::guard(which, end))
    }

    pub(super) fn lenient_until(&self, room: &RoomId) -> Time {
        let lenient = self.lenient.get(usize::from(partition(room)));
        lenient.map_or(Time(0), |until| Time(until.load(Ordering::Relaxed)))
    }
}

impl Hub {
    /// Who this node is.
    pub(super) fn node(&self) -> NodeId {
        let common = self.inner.shared.common.as_ref();
        common.map_or(NodeId::default(), |common| common.store.node())
    }

    /// Whether rooms are shared with other nodes.
    pub fn is_shared(&self) -> bool {
        self.inner.shared.common.is_some()
    }

    /// Whether the store of shared rooms answers, as far as is known.
    pub fn has_store(&self) -> bool {
        let common = self.inner.shared.common.as_ref();
        common.is_none_or(|common| !common.is_cut())
    }

    /// Appends to the log of a shared room.
    pub(super) fn append_to_log(
        &self,
        common: &Common,
        live: &Arc<Live>,
        entry: Entry,
    ) -> Appending {
        self.append_ringing(common, live, entry, None)
    }

    /// The same; all who are to hear of it may be more than is known here.
    fn append_ringing(
        &self,
        common: &Common,
        live: &Arc<Live>,
        entry: Entry,
        all: Option<Ring>,
    ) -> Appending {
        if common.is_cut() {
            return Appending::done(Err(Failed::Unavailable));
        }
        // Another process may have had the same id before: an engine that lost data gives it twice.
        let uid = self.next_id().number() ^ common.nonce;
        let (waiter, outcome) = oneshot::channel();
        // A reader for a client that has gone must not come late, in the place of its next one.
        let held = matches!(entry, Entry::Attach(_)).then(|| Arc::new(()));
        let asker = held.as_ref().map(Arc::downgrade);
        let bytes = pack(uid, &entry);
        let mut state = live.lock();
        let Route {
            ring,
            seats,
            keeps,
            eases,
        } = Route::of(&state.room, &entry);
        let ring = all.unwrap_or(ring);
        let known = state.room.applied();
        let waiting = Waiting::new(entry, ring.clone(), waiter);
        state.replica().waiting.insert(uid, waiting);
        state.replica().kept |= keeps;
        drop(state);
        let append = Append {
            uid,
            known,
            entry: bytes,
            other_engine: OTHER_ENGINE.clone(),
            ring,
            seats,
            keeps,
            eases,
            asker,
        };
        let (hub, live) = (self.clone(), live.clone());
        let appended = common.store.append(&live.id, append);
        common.spawn(async move {
            // Whoever waits does so no longer, whatever becomes of this.
            let mut kept = scopeguard::guard(false, |kept| {
                let waiting = live.lock().replica().waiting.remove(&uid);
                waiting.into_iter().for_each(|waiting| waiting.done(kept));
            });
            *kept = match appended.await {
                Ok(tail) => {
                    if !hub.take(&live, tail, known) && hub.sync(&live.id).await.is_err() {
                        hub.catch_up(&live);
                    }
                    true
                }
                Err(error) => {
                    tracing::debug!(%error, "an entry was not appended");
                    hub.is_unheard(&live.id, error);
                    // It may be there all the same.
                    hub.catch_up(&live);
                    false
                }
            };
        });
        Appending::Later(Box::pin(async move {
            let _held = held;
            outcome.await.unwrap_or(Err(Failed::Unavailable))
        }))
    }

    /// Applies what of a log is new here, and does what follows from it. The store told it of a room
    /// that was `known` up to there; where that is no use any more it is to be asked again.
    pub(super) fn take(&self, live: &Arc<Live>, tail: Tail, known: u64) -> bool {
        let long = tail.at > 0 && (tail.length >= LONG.0 || tail.size >= LONG.1);
        let taken = live.take(tail, known);
        if taken.stale {
            return false;
        }
        self.follow_up(live, taken, long);
        true
    }

    pub(super) fn follow_up(&self, live: &Arc<Live>, taken: Taken, long: bool) {
        let Some(common) = &self.inner.shared.common else {
            return;
        };
        let Taken {
            census,
            back,
            seats,
            stale: _,
        } = taken;
        for (peer, door) in seats {
            if let Some(keeps) = live.keeps_seat(peer, door) {
                self.append_aside(live, keeps);
            }
        }
        for caller in back {
            // Others were not rung, since it was not known here that they have to hear of it.
            let (peer, epoch) = (caller.0, caller.1);
            let seen = Entry::Seen {
                peer,
                epoch,
                alive: false,
            };
            // It comes to its end by itself.
            drop(self.append_ringing(common, live, seen, Some(Ring::Everyone)));
        }
        let emptied = matches!(census, Some((_, 0)));
        if !long && census.is_none() {
            return;
        }
        let snapshot = (long || emptied).then(|| live.snapshot()).flatten();
        let (store, room) = (common.store.clone(), live.clone());
        common.spawn(async move {
            if let Some((at, bytes)) = snapshot {
                let kept = store.compact(&room.id, at, bytes).await;
                room.lock().replica().compacting = false;
                tell(kept);
            }
            if let Some((at, members)) = census {
                tell(store.census(&room.id, at, members).await);
            }
        });
    }

    /// The room with all that was appended before now, if there is one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn sync(&self, room: &RoomId) -> Result<(), Refused> {
        let Some(common) = &self.inner.shared.common else {
            return Ok(());
        };
        self.fetched(common, room).await.map(drop)
    }

    pub(super) async fn fetched(
        &self,
        common: &Common,
        room: &RoomId,
    ) -> Result<Option<Arc<Live>>, Refused> {
        if common.is_cut() {
            return Err(Refused::Unavailable);
        }
        loop {
            let live = self.room(room);
            let known = live.as_ref().map_or(0, |live| live.lock().room.applied());
            let fetched = common.store.fetch(room, known).await;
            let tail = fetched.map_err(|error| {
                self.is_unheard(room, error);
                Refused::Unavailable
            })?;
            if live.is_none() && tail.head == 0 {
                return Ok(None);
            }
            let live = live.unwrap_or_else(|| self.enter(room));
            live.lock().replica().used = self.now();
            if self.take(&live, tail, known) {
                return Ok(Some(live));
            }
        }
    }

    /// Has the caller's incarnation here, if it is anywhere; done at once where it is here already.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn reach(&self, caller: &Caller) -> Option<Later<Result<(), Refused>>> {
        self.inner.shared.common.as_ref()?;
        let used = |state: &mut State, now| {
            state.replica().used = now;
            Some(())
        };
        if self.look(caller, used).is_ok() {
            return None;
        }
        let (hub, room) = (self.clone(), caller.room.clone());
        Some(Box::pin(async move { hub.sync(&room).await }))
    }

    /// Where the store does not answer for a room, whoever is in it may not be able to come.
    fn is_unheard(&self, room: &RoomId, error: StoreError) {
        if let Some(common) = &self.inner.shared.common
            && error == StoreError::Unavailable
        {
            common.be_lenient_in(room, self.now() + self.timings().grace);
        }
    }

    /// Brings a room up to date, aside.
    pub(super) fn catch_up(&self, live: &Arc<Live>) {
        let Some(common) = &self.inner.shared.common else {
            return;
        };
        common.spawn(self.clone().caught_up(live.clone()));
    }

    /// Brings a room up to date, unless somebody is at it.
    pub(super) async fn caught_up(self, live: Arc<Live>) {
        let Some(common) = &self.inner.shared.common else {
            return;
        };
        loop {
            let known = {
                let mut state = live.lock();
                if std::mem::replace(&mut state.replica().fetching, true) {
                    return;
                }
                state.room.applied()
            };
            let fetching = scopeguard::guard((), |()| live.lock().replica().fetching = false);
            let tail = match common.store.fetch(&live.id, known).await {
                Ok(tail) => tail,
                Err(error) => {
                    self.is_unheard(&live.id, error);
                    return common.look_later(partition(&live.id));
                }
            };
            drop(fetching);
            let wanted = std::mem::take(&mut live.lock().replica().wanted);
            let head = tail.head;
            if self.take(&live, tail, known) && wanted <= head {
                return;
            }
        }
    }

    /// The id of one more reader, whose number no other reader or entry of any node has.
    pub(super) fn next_id(&self) -> ReaderId {
        let serial = self.inner.serial.fetch_add(1, Ordering::Relaxed);
        ReaderId::new(self.node(), serial)
    }
}

/// A failure of what is done again later in any case.
pub(super) fn tell(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the store was not told");
    }
}
