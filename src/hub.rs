//! The handle that the doors use: join, send, read, leave. It knows no HTTP.

mod attach;
mod bounds;
pub mod clock;
mod common;
mod duties;
pub mod ends;
mod follow;
mod leaving;
mod live;
mod place;
pub mod reader;
pub mod refused;
mod replica;
mod route;
pub mod saved;
mod seat;
pub mod sending;
mod table;
mod timer;
pub mod view;
pub mod witness;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

pub use crate::proto::{TicketId, TicketRefused};
pub use attach::{Attach, Opening};
pub use clock::Clock;
pub use common::Tasks;
pub use ends::End;
pub use place::Place;
pub use reader::{Flow, Reader, Sink};
pub use refused::{HubLimits, Refused};
pub use saved::{SavedHub, SavedRoom};
pub use sending::Sending;
pub use view::{Caller, JoinedRoom, PeerView, RoomView};
pub use witness::{Happening, Whose, Witness};

use crate::backplane::store::Store;
use crate::backplane::{Backplane, Failed, Memory};
use crate::proto::{
    Bounds, Entry, Epoch, Gauge, Join, Json, Outcome, Reason, Refusal, Remembered, RoomId,
    SessionId, SessionView, Time, Timings,
};
use common::Common;
use live::{Live, Shared, State};
use place::Readers;
use view::views;

/// The rooms of this node, and everything that happens in them.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    rooms: RwLock<HashMap<RoomId, Arc<Live>>>,
    backplane: Box<dyn Backplane>,
    limits: HubLimits,
    readers: Arc<Readers>,
    /// Numbers readers.
    serial: AtomicU64,
}

impl Hub {
    /// A hub without rooms.
    pub fn new(
        limits: HubLimits,
        timings: Timings,
        clock: Clock,
        backplane: impl Backplane + 'static,
    ) -> Self {
        Self::of(limits, timings, clock, Box::new(backplane), None)
    }

    /// A hub that shares its rooms with those of other nodes; what the store tells is to be handed to
    /// [`Hub::follow`].
    pub fn sharing(
        limits: HubLimits,
        timings: Timings,
        store: Arc<dyn Store>,
        tasks: Tasks,
    ) -> Self {
        let clock = Clock::Store(store.clone());
        let common = Common::new(store, tasks);
        Self::of(limits, timings, clock, Box::new(Memory), Some(common))
    }

    fn of(
        limits: HubLimits,
        timings: Timings,
        clock: Clock,
        backplane: Box<dyn Backplane>,
        common: Option<Common>,
    ) -> Self {
        let shared = Shared {
            clock,
            bounds: Arc::new(Bounds {
                limits: limits.room,
                timings,
            }),
            timer: timer::Timer::default(),
            held: Gauge::default(),
            draining: AtomicBool::new(false),
            ends: Mutex::new(Remembered::new(limits.ends, ends::TOMBSTONE)),
            common,
            witness: OnceLock::new(),
        };
        let inner = Inner {
            shared: Arc::new(shared),
            rooms: RwLock::default(),
            backplane,
            limits,
            readers: Arc::default(),
            serial: AtomicU64::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The spans that presence and delivery are judged by.
    pub fn timings(&self) -> &Timings {
        &self.inner.shared.bounds.timings
    }

    /// The present time by the calendar, in milliseconds since 1970.
    pub fn calendar(&self) -> u64 {
        self.inner.shared.clock.calendar()
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.inner.shared.clock.now()
    }

    /// Lets time pass: does what falls due, for as long as it is polled.
    pub async fn run(&self) {
        loop {
            self.inner.shared.timer.wait(&self.inner.shared.clock).await;
            self.tick();
            // However much falls due, the rest of this thread has its turn.
            tokio::task::yield_now().await;
        }
    }

    /// Does what is due now. A panic over one room leaves the others their time, and that one is
    /// looked at again a heartbeat later.
    pub fn tick(&self) {
        let now = self.now();
        for live in self.inner.shared.timer.due(now) {
            let duties = AssertUnwindSafe(|| {
                for entry in live.tick(now) {
                    self.append_aside(&live, entry);
                }
            });
            if catch_unwind(duties).is_err() {
                let again = now + self.timings().heartbeat;
                live.arm(&mut live.lock(), Some(again));
            }
        }
        self.inner.shared.ends.lock().forget(now);
    }

    /// Joins a room, which begins where it does not exist.
    ///
    /// # Errors
    /// [`Refusal::PeerExists`], [`Refusal::RoomFull`]; too many rooms; too many peers; going away.
    pub async fn join(&self, room: &RoomId, join: Join) -> Result<JoinedRoom, Refused> {
        // Rooms that are shared go on without this node.
        if self.is_draining() && !self.is_shared() {
            return Err(Refused::Draining);
        }
        if !self.is_present(room, &join) {
            self.has_place()?;
        }
        let joined = loop {
            let live = self.begin(room)?;
            let entry = Entry::Join {
                wish: join.clone(),
                node: self.node(),
                bounds: self.is_shared().then(|| self.inner.shared.bounds.clone()),
            };
            match self.append(&live, entry).await {
                Ok(Outcome::Joined(joined)) => break joined,
                Ok(Outcome::Refused(refusal)) => return Err(refusal.into()),
                Ok(Outcome::Done | Outcome::Sent(..) | Outcome::Attached(_)) => {
                    return Err(ended(Reason::Unknown));
                }
                // The last peer left between the two steps: begin the room anew.
                Err(Failed::Closed) => self.forget(&live),
                Err(Failed::Unavailable) => return Err(Refused::Unavailable),
            }
        };
        let caller = Caller {
            room: room.clone(),
            peer: joined.peer,
            epoch: joined.epoch,
        };
        self.look(&caller, |state, now| {
            let member = state.room.incarnation(&caller.peer, caller.epoch)?;
            let (order, cursor) = (member.order, member.mailbox.acknowledged());
            let peers = views(state, Some(&caller.peer), now);
            let caller = caller.clone();
            Some(JoinedRoom {
                caller,
                new: joined.new,
                order,
                cursor,
                peers,
            })
        })
    }

    /// Who is in a room, by order; nobody where it does not exist.
    pub fn peers(&self, room: &RoomId) -> Vec<PeerView> {
        let Some(live) = self.room(room) else {
            return Vec::new();
        };
        let state = live.lock();
        views(&state, None, self.now())
    }

    /// Replaces a peer's meta.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where the caller's incarnation is over.
    pub async fn set_meta(&self, caller: &Caller, meta: Json) -> Result<(), Refused> {
        let live = self.room_of(caller)?;
        let (peer, epoch) = (caller.peer.clone(), caller.epoch);
        match self.append(&live, Entry::Meta { peer, epoch, meta }).await {
            Ok(Outcome::Done) => Ok(()),
            other => Err(self.failed(caller, other.err())),
        }
    }

    /// All rooms of all nodes that share them, by name.
    ///
    /// # Errors
    /// The store of shared rooms does not answer.
    pub async fn all_rooms(&self) -> Result<Vec<RoomView>, Refused> {
        let Some(common) = &self.inner.shared.common else {
            return Ok(self.rooms());
        };
        let mut all = BTreeMap::new();
        let mut page = Some(0);
        while let Some(next) = page {
            let told = common.store.rooms(next).await;
            let (following, rooms) = told.map_err(|_| Refused::Unavailable)?;
            all.extend(rooms.into_iter().filter(|(_, peers)| *peers > 0));
            page = following;
        }
        let view = |(room, peers)| RoomView { room, peers };
        Ok(all.into_iter().map(view).collect())
    }

    /// All rooms of this node, by name.
    pub fn rooms(&self) -> Vec<RoomView> {
        let all: Vec<_> = self.inner.rooms.read().values().cloned().collect();
        let mut views: Vec<_> = all
            .iter()
            .map(|live| RoomView {
                room: live.id.clone(),
                peers: live.lock().room.len(),
            })
            .filter(|view| view.peers > 0)
            .collect();
        views.sort_by(|a, b| a.room.cmp(&b.room));
        views
    }

    /// The caller's sessions, ended ones included while they are remembered.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where the caller's incarnation is over.
    pub fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Refused> {
        self.visit(caller, |state, now| {
            state
                .room
                .incarnation(&caller.peer, caller.epoch)
                .map(|m| m.all_sessions(now))
        })
    }

    /// One of the caller's sessions.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`]; [`Refusal::Ended`] where the caller's incarnation is over.
    pub fn session(&self, caller: &Caller, session: &SessionId) -> Result<SessionView, Refused> {
        let found = self.visit(caller, |state, now| {
            state
                .room
                .incarnation(&caller.peer, caller.epoch)
                .map(|m| m.session(session, now))
        })?;
        found.ok_or(Refused::Room(Refusal::UnknownSession))
    }

    /// The caller proves to be alive, and will be expected to go on doing so (section 7).
    ///
    /// # Errors
    /// [`Refusal::Ended`] where the caller's incarnation is over.
    pub async fn alive(&self, caller: &Caller) -> Result<(), Refused> {
        let live = self.room_of(caller)?;
        if self.is_shared() && self.look(caller, |state, now| is_heard(state, caller, now))? {
            // It may have ended meanwhile.
            self.sync(&caller.room).await?;
            return self.find(caller);
        }
        match self.append(&live, seen(caller, true)).await {
            Ok(Outcome::Done) => Ok(()),
            other => Err(self.failed(caller, other.err())),
        }
    }

    /// Checks that the caller's incarnation is present, and counts that as a sign of life.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where it is over.
    pub fn check(&self, caller: &Caller) -> Result<(), Refused> {
        self.visit(caller, |_, _| Some(()))
    }

    /// Whether the caller's incarnation is present; no sign of life of it.
    ///
    /// # Errors
    /// [`Refusal::Ended`] where it is over.
    pub fn find(&self, caller: &Caller) -> Result<(), Refused> {
        self.look(caller, |_, _| Some(()))
    }

    /// The end of an incarnation, while it is remembered.
    pub fn end(&self, epoch: Epoch) -> Option<End> {
        self.inner
            .shared
            .ends
            .lock()
            .get(&epoch, self.now())
            .map(|(end, _)| end.clone())
    }

    /// Runs `work` on the caller's room, as a request of the caller's.
    fn visit<T>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&mut State, Time) -> Option<T>,
    ) -> Result<T, Refused> {
        let live = self.room_of(caller)?;
        self.is_seen(&live, caller);
        self.look(caller, work)
    }

    /// The caller gives a sign of life; other nodes are told of it where it tells them something.
    fn is_seen(&self, live: &Arc<Live>, caller: &Caller) {
        let wants = |state: &mut State, now| {
            let member = state.room.incarnation(&caller.peer, caller.epoch)?;
            Some(member.attendance.lease.wants(now))
        };
        if !self.is_shared() || self.look(caller, wants) == Ok(true) {
            self.append_aside(live, seen(caller, false));
        }
    }

    /// Why an entry of the caller's was not applied.
    fn failed(&self, caller: &Caller, error: Option<Failed>) -> Refused {
        match error {
            Some(Failed::Unavailable) => Refused::Unavailable,
            Some(Failed::Closed) | None => self.end_of(caller.epoch),
        }
    }

    /// Runs `work` on the caller's room, if its incarnation is present.
    fn look<T>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&mut State, Time) -> Option<T>,
    ) -> Result<T, Refused> {
        let live = self.room_of(caller)?;
        let mut state = live.lock();
        let present = state.room.incarnation(&caller.peer, caller.epoch).is_some();
        let worked = present.then(|| work(&mut state, self.now())).flatten();
        drop(state);
        worked.ok_or_else(|| self.end_of(caller.epoch))
    }

    fn room_of(&self, caller: &Caller) -> Result<Arc<Live>, Refused> {
        self.room(&caller.room)
            .ok_or_else(|| self.end_of(caller.epoch))
    }

    fn end_of(&self, epoch: Epoch) -> Refused {
        let known = self.end(epoch);
        if known.is_none() && !self.has_store() {
            return Refused::Unavailable;
        }
        ended(known.map_or(Reason::Unknown, |end| end.reason))
    }
}

fn seen(caller: &Caller, alive: bool) -> Entry {
    Entry::Seen {
        peer: caller.peer.clone(),
        epoch: caller.epoch,
        alive,
    }
}

/// Whether the caller proves to be alive, and the other nodes know that as well as they need.
fn is_heard(state: &mut State, caller: &Caller, now: Time) -> Option<bool> {
    let member = state.room.incarnation(&caller.peer, caller.epoch)?;
    let lease = &member.attendance.lease;
    Some(lease.is_proving() && !lease.wants(now))
}

fn ended(reason: Reason) -> Refused {
    Refused::Room(Refusal::Ended(reason))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod several;
