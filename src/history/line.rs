//! How what happened is written: an event's name, and one line of JSON. Ids and words need no
//! escaping.

use std::fmt::Write as _;

use crate::hub::Happening;
use crate::proto::{
    CandidateKind, Door, Fact, Frame, Gap, PeerId, Refusal, RoomId, SessionId, Signal, Transport,
    Way,
};

/// A line being written.
struct Line(String);

impl Line {
    fn begin(at: u64, room: &RoomId) -> Self {
        Self(format!(r#"{{"at":{at},"room":"{room}""#))
    }

    fn text(mut self, name: &str, text: impl AsRef<str>) -> Self {
        let _ = write!(self.0, r#","{name}":"{}""#, text.as_ref());
        self
    }

    fn number(mut self, name: &str, number: u128) -> Self {
        let _ = write!(self.0, r#","{name}":{number}"#);
        self
    }

    fn maybe(self, name: &str, text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    fn found(mut self, found: Option<&[CandidateKind]>) -> Self {
        if let Some(found) = found {
            let kinds: Vec<_> = found.iter().map(|kind| kind.as_str()).collect();
            let _ = write!(self.0, r#","found":{kinds:?}"#);
        }
        self
    }

    fn session(self, state: &str, session: &SessionId, from: &PeerId, to: &PeerId) -> Self {
        self.text("session", session.as_str())
            .text("from", from.as_str())
            .text("to", to.as_str())
            .text("state", state)
    }

    fn signal(self, from: &PeerId, signal: &Signal, session: Option<&SessionId>) -> Self {
        self.text("from", from.as_str())
            .maybe("to", signal.to.as_ref().map(PeerId::as_str))
            .text("type", signal.kind.as_str())
            .maybe("session", session.map(SessionId::as_str))
    }

    fn end(mut self, name: &'static str) -> Frame {
        self.0.push('}');
        Frame::new(name, &self.0)
    }
}

/// The line of what happened, in milliseconds since 1970; none where nobody would want to read it.
pub(super) fn of(
    at: u64,
    room: &RoomId,
    happening: &Happening<'_>,
    slug: fn(Refusal) -> &'static str,
) -> Option<Frame> {
    let line = Line::begin(at, room);
    Some(match happening {
        Happening::Fact(fact) => return of_fact(line, fact),
        Happening::Sent { from, signal, sent } => {
            let session = sent.receipt.session.as_ref();
            let mut line = line.signal(from, signal, session);
            if let (Some(_), Some(to)) = (&signal.to, sent.receipt.to.first()) {
                line = line.text("state", to.state.as_str());
            }
            let bytes = signal.data.as_ref().map_or(0, |data| data.as_str().len());
            line = line.number("bytes", bytes as u128);
            if sent.duplicate {
                line.0.push_str(r#","repeat":true"#);
            }
            line.end("signal")
        }
        Happening::Refused {
            from,
            signal,
            refusal,
        } => line
            .signal(from, signal, signal.session.as_ref())
            .text("slug", slug(*refusal))
            .end("refused"),
        Happening::Left { peer, reason } => line
            .text("peer", peer.as_str())
            .text("reason", reason.as_str())
            .end("left"),
    })
}

fn of_fact(line: Line, fact: &Fact) -> Option<Frame> {
    Some(match fact {
        Fact::Joined { peer, order } => line
            .text("peer", peer.as_str())
            .number("order", u128::from(*order))
            .end("joined"),
        Fact::Away(peer) => line.text("peer", peer.as_str()).end("away"),
        Fact::Back(peer) => line.text("peer", peer.as_str()).end("back"),
        Fact::Reads {
            peer,
            door,
            transport,
            before,
            resumed,
            gap,
        } => {
            // A row of polls is told once.
            if *transport == Transport::Poll && *before == Some(Transport::Poll) && gap.is_none() {
                return None;
            }
            let how = match gap {
                Some(_) => "gap",
                None if *resumed => "resumed",
                None => "fresh",
            };
            line.text("peer", peer.as_str())
                .text("door", door_name(*door))
                .text("transport", transport.as_str())
                .text("how", how)
                .maybe("gap", gap.map(Gap::as_str))
                .end("reading")
        }
        Fact::Stopped {
            peer,
            door,
            transport,
            reason,
            open,
        } => {
            let line = line
                .text("peer", peer.as_str())
                .text("door", door_name(*door))
                .text("transport", transport.as_str())
                .number("ms", open.as_millis());
            line.maybe("reason", reason.map(crate::proto::Reason::as_str))
                .end("stopped")
        }
        Fact::Offered { session, from, to } => {
            line.session("offered", session, from, to).end("session")
        }
        Fact::Answered {
            session,
            from,
            to,
            after,
        } => line
            .session("answered", session, from, to)
            .number("after_ms", after.as_millis())
            .end("session"),
        Fact::SessionEnded {
            session,
            from,
            to,
            reason,
            answered,
            after,
        } => {
            let mut line = line
                .session("ended", session, from, to)
                .text("reason", reason.as_str())
                .number("after_ms", after.as_millis());
            let _ = write!(line.0, r#","answered":{answered}"#);
            line.end("session")
        }
        Fact::Reported { peer, report } => line
            .text("peer", peer.as_str())
            .maybe("session", report.session.as_ref().map(SessionId::as_str))
            .text("ice", report.ice.as_str())
            .maybe("way", report.way.map(Way::as_str))
            .found(report.found.as_deref())
            .end("report"),
    })
}

fn door_name(door: Door) -> &'static str {
    match door {
        Door::Events => "events",
        Door::Notices => "notices",
    }
}
