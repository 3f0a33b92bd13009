//! The sessions of one incarnation: open ones by id, ended ones remembered with their reason.

use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::id::{Epoch, PeerId, SessionId};
use super::map::Map;
use super::reason::Reason;
use super::remembered::Remembered;
use super::time::Time;

/// How long the end of a session or an incarnation is remembered.
pub const TOMBSTONE: Duration = Duration::from_secs(600);

/// Ended sessions that one incarnation remembers at most.
const MOST_ENDED: usize = 256;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// An offer was made.
    Offered,
    /// It was answered.
    Answered,
    /// It is over.
    Ended {
        /// Why.
        reason: Reason,
        /// When.
        at: Time,
    },
}

/// A session as one of its parties sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its id.
    pub session: SessionId,
    /// The other party.
    pub peer: PeerId,
    /// How far it is.
    pub state: SessionState,
}

/// An open session, seen by one of its two incarnations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) peer: PeerId,
    pub(super) epoch: Epoch,
    pub(super) answered: bool,
    /// When it was offered.
    since: Time,
}

/// An open session that has ended.
pub(super) struct Over {
    answered: bool,
    since: Time,
}

impl Over {
    /// What has happened: it ended by the doing of `from`, or because that peer ended.
    pub(super) fn fact(
        &self,
        session: SessionId,
        from: PeerId,
        to: PeerId,
        reason: Reason,
        now: Time,
    ) -> Fact {
        Fact::SessionEnded {
            session,
            from,
            to,
            reason,
            answered: self.answered,
            after: now.since(self.since),
        }
    }
}

/// An ended session, seen by one of its two incarnations.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ended {
    peer: PeerId,
    epoch: Epoch,
    reason: Reason,
}

/// What one incarnation knows of its sessions; nothing is kept where there is none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sessions(Option<Box<Known>>);

/// Open sessions, and ended ones for a while.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Known {
    open: Map<SessionId, Open>,
    ended: Remembered<SessionId, Ended>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            open: Map::default(),
            ended: Remembered::new(MOST_ENDED, TOMBSTONE),
        }
    }
}

impl Deref for Sessions {
    type Target = Known;

    fn deref(&self) -> &Known {
        static NONE: LazyLock<Known> = LazyLock::new(Known::default);
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl Sessions {
    pub(super) fn start(&mut self, session: SessionId, peer: PeerId, epoch: Epoch, now: Time) {
        let known = self.0.get_or_insert_default();
        known.open.insert(
            session,
            Open {
                peer,
                epoch,
                answered: false,
                since: now,
            },
        );
    }

    /// Answers an open session; since when it was offered, if this is the first answer.
    pub(super) fn answer(&mut self, session: &SessionId) -> Option<Time> {
        let open = self.0.as_mut()?.open.get_mut(session)?;
        let first = !std::mem::replace(&mut open.answered, true);
        first.then_some(open.since)
    }

    /// Ends an open session, if there is one.
    pub(super) fn end(&mut self, session: &SessionId, reason: Reason, now: Time) -> Option<Over> {
        let known = self.0.as_mut()?;
        let open = known.open.remove(session)?;
        let over = Over {
            answered: open.answered,
            since: open.since,
        };
        known.ended.insert(
            session.clone(),
            Ended {
                peer: open.peer,
                epoch: open.epoch,
                reason,
            },
            now,
        );
        Some(over)
    }

    pub(super) fn forget(&mut self, now: Time) {
        if let Some(known) = &mut self.0 {
            known.ended.forget(now);
            if known.open.is_empty() && known.ended.is_empty() {
                self.0 = None;
            }
        }
    }
}

impl Known {
    pub(super) fn open(&self, session: &SessionId) -> Option<&Open> {
        self.open.get(session)
    }

    pub(super) fn open_with(&self, peer: &PeerId) -> Vec<SessionId> {
        let mut found: Vec<_> = self.all_open().filter(|(_, o)| o.peer == *peer).collect();
        found.sort_by(|a, b| a.0.cmp(b.0));
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn all_open(&self) -> impl Iterator<Item = (&SessionId, &Open)> {
        self.open.iter()
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Why this session is over, where it was one with `peer`; and whether with its incarnation
    /// `epoch`, not with a former one.
    pub(super) fn over_with(
        &self,
        session: &SessionId,
        peer: &PeerId,
        epoch: Epoch,
        now: Time,
    ) -> Option<(Reason, bool)> {
        let (ended, _) = self.ended.get(session, now)?;
        (ended.peer == *peer).then_some((ended.reason, ended.epoch == epoch))
    }

    /// Why this session is over, whoever it was with.
    pub(super) fn over(&self, session: &SessionId, now: Time) -> Option<Reason> {
        self.ended.get(session, now).map(|(ended, _)| ended.reason)
    }

    pub(super) fn view(&self, session: &SessionId, now: Time) -> Option<SessionView> {
        if let Some(open) = self.open.get(session) {
            return Some(view_of(session, open));
        }
        let (ended, at) = self.ended.get(session, now)?;
        let state = SessionState::Ended {
            reason: ended.reason,
            at,
        };
        Some(SessionView {
            session: session.clone(),
            peer: ended.peer.clone(),
            state,
        })
    }

    /// The open ones, by id.
    pub(super) fn views(&self) -> Vec<SessionView> {
        let mut views: Vec<_> = self
            .open
            .iter()
            .map(|(id, open)| view_of(id, open))
            .collect();
        views.sort_by(|a, b| a.session.cmp(&b.session));
        views
    }

    /// Open and ended ones, by id.
    pub(super) fn all_views(&self, now: Time) -> Vec<SessionView> {
        let mut views = self.views();
        for (session, ended, at) in self.ended.iter(now) {
            if !self.open.contains_key(session) {
                let state = SessionState::Ended {
                    reason: ended.reason,
                    at,
                };
                let peer = ended.peer.clone();
                views.push(SessionView {
                    session: session.clone(),
                    peer,
                    state,
                });
            }
        }
        views.sort_by(|a, b| a.session.cmp(&b.session));
        views
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.ended.deadline()
    }
}

fn view_of(session: &SessionId, open: &Open) -> SessionView {
    let state = if open.answered {
        SessionState::Answered
    } else {
        SessionState::Offered
    };
    SessionView {
        session: session.clone(),
        peer: open.peer.clone(),
        state,
    }
}
