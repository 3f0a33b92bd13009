//! Who looks on while a server runs: its figures, its history, and its log. What the log says of
//! rooms and peers is said at the level `debug`, from envelopes only.

use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::hub::{Happening, Whose, Witness};
use crate::metrics::Metrics;
use crate::proto::{Fact, Reason, RoomId, Transport};

/// All who look on.
pub(super) struct Witnesses {
    pub(super) metrics: Arc<Metrics>,
    /// Where there are operators to read it.
    pub(super) history: Option<Arc<History>>,
}

impl Witness for Witnesses {
    fn saw(&self, room: &RoomId, happening: &Happening<'_>, whose: Whose, at: u64) {
        self.metrics.saw(room, happening, whose, at);
        if let Some(history) = &self.history {
            history.saw(room, happening, whose, at);
        }
        if whose == Whose::Own && tracing::enabled!(tracing::Level::DEBUG) {
            log(room, happening);
        }
    }

    fn delivered(&self, transport: Transport, after: Duration) {
        self.metrics.delivered(transport, after);
    }
}

/// One line for each event that matters.
fn log(room: &RoomId, happening: &Happening<'_>) {
    let why = |reason: &Option<Reason>| reason.map_or("gone", Reason::as_str);
    match happening {
        Happening::Fact(fact) => match fact {
            Fact::Joined { peer, .. } => tracing::debug!(%room, %peer, "joined"),
            Fact::Away(peer) => tracing::debug!(%room, %peer, "away"),
            Fact::Back(peer) => tracing::debug!(%room, %peer, "back"),
            Fact::Reads {
                peer,
                door,
                transport,
                resumed,
                gap,
                ..
            } => {
                let transport = transport.as_str();
                tracing::debug!(%room, %peer, ?door, transport, resumed, ?gap, "attached");
            }
            Fact::Stopped {
                peer,
                door,
                transport,
                reason,
                open,
            } => {
                let (transport, reason) = (transport.as_str(), why(reason));
                tracing::debug!(%room, %peer, ?door, transport, reason, ?open, "detached");
            }
            Fact::Offered { session, from, to } => {
                tracing::debug!(%room, %session, %from, %to, "offered");
            }
            Fact::Answered {
                session,
                from,
                to,
                after,
            } => tracing::debug!(%room, %session, %from, %to, ?after, "answered"),
            Fact::SessionEnded {
                session,
                from,
                to,
                reason,
                answered,
                after,
            } => {
                tracing::debug!(%room, %session, %from, %to, %reason, answered, ?after, "session ended");
            }
            Fact::Reported { peer, report } => {
                let (ice, way) = (report.ice.as_str(), report.way);
                let (session, found) = (&report.session, &report.found);
                tracing::debug!(%room, %peer, ?session, ice, ?way, ?found, "reported");
            }
        },
        Happening::Sent { .. } => {}
        Happening::Refused {
            from,
            signal,
            refusal,
        } => {
            let kind = signal.kind.as_str();
            tracing::debug!(%room, %from, to = ?signal.to, kind, %refusal, "signal refused");
        }
        Happening::Left { peer, reason } => tracing::debug!(%room, %peer, %reason, "left"),
    }
}
