//! One incarnation in a room: what it says about itself, its mailbox, sessions and outbox.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Receipt;
use super::id::{Epoch, SessionId, SignalId};
use super::mailbox::Mailbox;
use super::remembered::Remembered;
use super::session::{SessionView, Sessions};
use super::signal::Json;
use super::time::Time;

/// Whether a peer is reached at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// A reader of its events is open.
    Live,
    /// None is open now; what is for it is kept.
    Queued,
    /// It is away and its grace is running; what is for it is kept.
    Away,
}

impl Presence {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Presence::Live => "live",
            Presence::Queued => "queued",
            Presence::Away => "away",
        }
    }
}

/// What a node keeps with each member, beside what all nodes agree on.
pub trait Seating {
    /// How whoever reads there is told that there is something.
    type Call: std::fmt::Debug;
    /// That of an incarnation that has just joined.
    fn begin(now: Time) -> Self;
    /// Something was put into the mailbox.
    fn notify(&mut self, mailbox: &Mailbox, now: Time, calls: &mut impl Extend<Self::Call>);
}

/// Nothing is kept; each call is one that was put into something.
impl Seating for () {
    type Call = ();

    fn begin(_: Time) -> Self {}

    fn notify(&mut self, _: &Mailbox, _: Time, calls: &mut impl Extend<Self::Call>) {
        calls.extend([()]);
    }
}

/// One incarnation in a room, and the node's seat for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Member<S = ()> {
    /// The seat.
    #[serde(skip)]
    pub seat: S,
    /// Which incarnation.
    pub epoch: Epoch,
    /// Rises with each join of the room; of two peers the lower one offers.
    pub order: u64,
    /// What the peer says about itself.
    pub meta: Json,
    /// When it joined.
    pub joined: Time,
    /// Its events.
    pub mailbox: Mailbox,
    pub(super) key: Option<Arc<str>>,
    pub(super) assigned: bool,
    pub(super) away: bool,
    /// Whether a reader of its events is open here.
    #[serde(skip)]
    pub reading: bool,
    pub(super) sessions: Sessions,
    pub(super) outbox: Remembered<SignalId, (u64, Receipt)>,
}

impl<S> Member<S> {
    /// The same member at the seat that `reseat` makes of its former one.
    pub(super) fn reseat<T>(self, reseat: impl FnOnce(Epoch, S) -> T) -> Member<T> {
        let Self {
            seat,
            epoch,
            order,
            meta,
            joined,
            mailbox,
            key,
            assigned,
            away,
            reading,
            sessions,
            outbox,
        } = self;
        Member {
            seat: reseat(epoch, seat),
            epoch,
            order,
            meta,
            joined,
            mailbox,
            key,
            assigned,
            away,
            reading,
            sessions,
            outbox,
        }
    }

    /// Whether it is reached at once.
    pub fn presence(&self) -> Presence {
        match (self.away, self.reading) {
            (true, _) => Presence::Away,
            (false, true) => Presence::Live,
            (false, false) => Presence::Queued,
        }
    }

    /// Its open sessions, by id.
    pub fn open_sessions(&self) -> Vec<SessionView> {
        self.sessions.views()
    }

    /// Its sessions, ended ones included while they are remembered, by id.
    pub fn all_sessions(&self, now: Time) -> Vec<SessionView> {
        self.sessions.all_views(now)
    }

    /// One of its sessions.
    pub fn session(&self, session: &SessionId, now: Time) -> Option<SessionView> {
        self.sessions.view(session, now)
    }
}
