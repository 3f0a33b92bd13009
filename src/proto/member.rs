//! One incarnation in a room: what it says about itself, its mailbox, sessions and outbox.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attendance::Attendance;
use super::entry::Receipt;
use super::id::{Epoch, SessionId, SignalId};
use super::mailbox::{Door, Mailbox};
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

/// What a node keeps with each member, beside what all nodes agree on: the ends of the readers that are
/// open there.
pub trait Seating {
    /// How whoever reads there is told that there is something.
    type Call: std::fmt::Debug;
    /// That of an incarnation of which no reader is open.
    fn begin() -> Self;
    /// Something was put into the mailbox; the notices reader is to be told that signals wait, if
    /// `wake`.
    fn notify(&mut self, wake: bool, now: Time, calls: &mut impl Extend<Self::Call>);
    /// Another reader took the place at `door`; the notices reader begins with a `wake`, if `wake`.
    fn replaced(&mut self, door: Door, wake: bool, calls: &mut impl Extend<Self::Call>);
    /// The reader at `door` counts no more.
    fn unseated(&mut self, door: Door, calls: &mut impl Extend<Self::Call>);
    /// A stream that is given nothing else is given a `ping` no later than `at`.
    fn hurry(&mut self, at: Time);
}

/// Nothing is kept; each call is one that was put into something.
impl Seating for () {
    type Call = ();

    fn begin() -> Self {}

    fn notify(&mut self, _: bool, _: Time, calls: &mut impl Extend<Self::Call>) {
        calls.extend([()]);
    }

    fn replaced(&mut self, _: Door, _: bool, _: &mut impl Extend<Self::Call>) {}

    fn unseated(&mut self, _: Door, _: &mut impl Extend<Self::Call>) {}

    fn hurry(&mut self, _: Time) {}
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
    /// Its lease, readers and tickets.
    pub attendance: Attendance,
    pub(super) sessions: Sessions,
    pub(super) outbox: Remembered<SignalId, (u64, Receipt)>,
}

impl<S> Member<S> {
    /// The same member at the seat that `reseat` makes of its former one.
    pub(super) fn reseat<T>(self, reseat: impl FnOnce(S) -> T) -> Member<T> {
        let Self {
            seat,
            epoch,
            order,
            meta,
            joined,
            mailbox,
            key,
            assigned,
            attendance,
            sessions,
            outbox,
        } = self;
        Member {
            seat: reseat(seat),
            epoch,
            order,
            meta,
            joined,
            mailbox,
            key,
            assigned,
            attendance,
            sessions,
            outbox,
        }
    }

    /// Whether it is reached at once.
    pub fn presence(&self) -> Presence {
        let read = self.attendance.reader(Door::Events).is_some();
        match (self.attendance.lease.is_away(), read) {
            (true, _) => Presence::Away,
            (false, true) => Presence::Live,
            (false, false) => Presence::Queued,
        }
    }

    /// Whether signals wait since just now at the events door, so that whoever reads notices only is to
    /// be told. It is told once.
    pub(super) fn begins_to_wait(&mut self) -> bool {
        let Self {
            attendance,
            mailbox,
            ..
        } = self;
        let alone =
            attendance.reader(Door::Events).is_none() && attendance.reader(Door::Notices).is_some();
        let begins = alone && !attendance.told && mailbox.waiting() > 0;
        attendance.told |= begins;
        begins
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
