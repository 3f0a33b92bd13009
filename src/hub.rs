//! The handle that the doors use: join, send, read, leave. It knows no HTTP.

mod attach;
mod bounds;
pub mod clock;
pub mod ends;
mod leaving;
mod live;
mod place;
pub mod reader;
pub mod refused;
pub mod saved;
mod seat;
pub mod sending;
mod table;
mod timer;
pub mod view;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

use parking_lot::{Mutex, RwLock};

pub use crate::proto::{TicketId, TicketRefused};
pub use attach::{Attach, Opening};
pub use clock::Clock;
pub use ends::End;
pub use place::Place;
pub use reader::{Flow, Reader, Sink};
pub use refused::{HubLimits, Refused};
pub use saved::{SavedHub, SavedRoom};
pub use sending::Sending;
pub use view::{Caller, JoinedRoom, PeerView, RoomView};

use crate::backplane::{Backplane, Closed};
use crate::proto::{
    Bounds, Entry, Epoch, Gauge, Join, Json, NodeId, Outcome, Reason, Refusal, Remembered, RoomId,
    SessionId, SessionView, Time, Timings,
};
use live::{Live, Shared, State};
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
    readers: Arc<AtomicUsize>,
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
        };
        let inner = Inner {
            shared: Arc::new(shared),
            rooms: RwLock::default(),
            backplane: Box::new(backplane),
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
        if self.is_draining() {
            return Err(Refused::Draining);
        }
        if !self.is_present(room, &join) {
            self.has_place()?;
        }
        let joined = loop {
            let live = self.enter(room)?;
            let entry = Entry::Join {
                wish: join.clone(),
                node: NodeId::default(),
                bounds: None,
            };
            match self.append(&live, entry).await {
                Ok(Outcome::Joined(joined)) => break joined,
                Ok(Outcome::Refused(refusal)) => return Err(refusal.into()),
                Ok(Outcome::Done | Outcome::Sent(..) | Outcome::Attached(_)) => {
                    return Err(ended(Reason::Unknown));
                }
                // The last peer left between the two steps: begin the room anew.
                Err(Closed) => self.forget(&live),
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
            _ => Err(self.end_of(caller.epoch)),
        }
    }

    /// All rooms, by name.
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
        match self.append(&live, seen(caller, true)).await {
            Ok(Outcome::Done) => Ok(()),
            _ => Err(self.end_of(caller.epoch)),
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
        self.find(caller)?;
        let live = self.room_of(caller)?;
        self.append_aside(&live, seen(caller, false));
        self.look(caller, work)
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
        ended(self.end(epoch).map_or(Reason::Unknown, |end| end.reason))
    }
}

fn seen(caller: &Caller, alive: bool) -> Entry {
    Entry::Seen {
        peer: caller.peer.clone(),
        epoch: caller.epoch,
        alive,
    }
}

fn ended(reason: Reason) -> Refused {
    Refused::Room(Refusal::Ended(reason))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;
