//! What the server pushes to a peer: a name and one line of JSON, encoded once however many read it.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::{PeerId, SessionId};
use super::reason::Reason;
use super::signal::{Json, Signal};

/// An event without its id, as the lines `event:` and `data:` of an SSE stream.
///
/// Neither part can hold a line break: names are ours, and the data is JSON on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

const EVENT: &str = "event: ";
const DATA: &str = "\ndata: ";
const END: &str = "\n\n";

impl Frame {
    /// An event named `name` whose data is the JSON text `data`, which stands on one line.
    pub fn new(name: &'static str, data: &str) -> Self {
        debug_assert!(!data.contains(['\n', '\r']));
        let mut lines = frame(name, data.len());
        lines.push_str(data);
        finish(lines)
    }

    /// A signal from `from`, in `session` where it has one.
    pub fn signal(from: &PeerId, signal: &Signal, session: Option<&SessionId>) -> Self {
        let data = signal.data.as_ref().map_or("null", Json::as_str);
        let mut lines = frame("signal", data.len() + 192);
        let mut add = |parts: &[&str]| parts.iter().for_each(|part| lines.push_str(part));
        let kind = signal.kind.as_str();
        add(&[r#"{"from":""#, from.as_str(), r#"","type":""#, kind]);
        if let Some(session) = session {
            add(&[r#"","session":""#, session.as_str()]);
        }
        add(&[r#"","data":"#, data]);
        if let Some(id) = &signal.id {
            add(&[r#","id":""#, id.as_str(), "\""]);
        }
        lines.push('}');
        finish(lines)
    }

    /// A peer joined.
    pub fn peer_joined(peer: &PeerId, meta: &Json, order: u64) -> Self {
        Self::peer("peer-joined", peer, meta, order)
    }

    /// A peer replaced its meta.
    pub fn peer_updated(peer: &PeerId, meta: &Json, order: u64) -> Self {
        Self::peer("peer-updated", peer, meta, order)
    }

    fn peer(name: &'static str, peer: &PeerId, meta: &Json, order: u64) -> Self {
        let meta = meta.as_str();
        Self::new(
            name,
            &format!(r#"{{"peer":"{peer}","meta":{meta},"order":{order}}}"#),
        )
    }

    /// A peer has no reader and gave no sign of life; its `grace` is counted from the loss.
    pub fn peer_away(peer: &PeerId, grace: Duration) -> Self {
        let grace = grace.as_millis();
        Self::new(
            "peer-away",
            &format!(r#"{{"peer":"{peer}","grace_ms":{grace}}}"#),
        )
    }

    /// A peer that was away came back.
    pub fn peer_back(peer: &PeerId) -> Self {
        Self::new("peer-back", &format!(r#"{{"peer":"{peer}"}}"#))
    }

    /// A peer's incarnation ended.
    pub fn peer_left(peer: &PeerId, reason: Reason) -> Self {
        Self::new(
            "peer-left",
            &format!(r#"{{"peer":"{peer}","reason":"{reason}"}}"#),
        )
    }

    /// A session with `peer` ended; `data` is the bye's.
    pub fn session_ended(
        session: &SessionId,
        peer: &PeerId,
        reason: Reason,
        data: Option<&Json>,
    ) -> Self {
        let mut text = format!(r#"{{"session":"{session}","peer":"{peer}","reason":"{reason}""#);
        if let Some(data) = data {
            let _ = write!(text, r#","data":{}"#, data.as_str());
        }
        text.push('}');
        Self::new("session-ended", &text)
    }

    /// The same data under another name.
    pub fn renamed(&self, name: &'static str) -> Self {
        let mut lines = frame(name, self.data().len());
        lines.push_str(&String::from_utf8_lossy(self.data()));
        finish(lines)
    }

    /// The same where the bye's data found no room: that it is missing is said in its place.
    pub fn session_ended_without_its_data(
        session: &SessionId,
        peer: &PeerId,
        reason: Reason,
    ) -> Self {
        let said = format!(r#""session":"{session}","peer":"{peer}","reason":"{reason}""#);
        Self::new("session-ended", &format!(r#"{{{said},"data_lost":true}}"#))
    }

    /// The event's name.
    pub fn name(&self) -> &[u8] {
        let rest = self.0.get(EVENT.len()..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest);
        rest.get(..end.unwrap_or_default()).unwrap_or_default()
    }

    /// The event's data, a JSON text.
    pub fn data(&self) -> &[u8] {
        let from = EVENT.len() + self.name().len() + DATA.len();
        let until = self.0.len() - END.len();
        self.0.get(from..until).unwrap_or_default()
    }

    /// The lines `event:` and `data:` and the empty line that ends the event.
    pub fn sse_lines(&self) -> &[u8] {
        &self.0
    }

    /// What this event costs in a mailbox, in bytes.
    pub fn cost(&self) -> usize {
        self.0.len()
    }
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (name, data) = (self.name(), self.data());
        (String::from_utf8_lossy(name), String::from_utf8_lossy(data)).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (name, data) = <(String, String)>::deserialize(d)?;
        let mut lines = frame(&name, data.len());
        lines.push_str(&data);
        Ok(finish(lines))
    }
}

impl std::fmt::Debug for Frame {
    /// The name and the length: data may hold what peers say to each other.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}({} bytes)",
            String::from_utf8_lossy(self.name()),
            self.data().len()
        )
    }
}

/// The longest text that is kept to write the next one into, in bytes.
const SPARE: usize = 64 * 1024;

thread_local! {
    /// Each event is written here, and kept in what it needs.
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

fn frame(name: &str, data: usize) -> String {
    let mut lines = TEXT.take();
    lines.clear();
    lines.reserve(EVENT.len() + name.len() + DATA.len() + data + END.len());
    lines.push_str(EVENT);
    lines.push_str(name);
    lines.push_str(DATA);
    lines
}

fn finish(mut lines: String) -> Frame {
    lines.push_str(END);
    let frame = Frame(lines.as_bytes().into());
    if lines.capacity() <= SPARE {
        TEXT.set(lines);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::signal::Kind;

    #[test]
    fn a_frame_is_two_lines_and_gives_its_parts_back() {
        let peer = PeerId::parse("bob").expect("an id");
        let frame = Frame::peer_left(&peer, Reason::Timeout);
        let lines: &[u8] = b"event: peer-left\ndata: {\"peer\":\"bob\",\"reason\":\"timeout\"}\n\n";
        assert_eq!(frame.sse_lines(), lines);
        assert_eq!(frame.name(), b"peer-left");
        assert_eq!(frame.data(), br#"{"peer":"bob","reason":"timeout"}"#);
    }

    #[test]
    fn a_signal_carries_its_data_as_it_was_sent() {
        let from = PeerId::parse("alice").expect("an id");
        let signal = Signal {
            to: None,
            kind: Kind::Candidate,
            session: None,
            data: Some(Json::compact("{\"a\": 1.0,\n\"a\":\"\u{2028}\"}")),
            id: None,
            spare: None,
        };
        let frame = Frame::signal(&from, &signal, None);
        let data =
            "{\"from\":\"alice\",\"type\":\"candidate\",\"data\":{\"a\":1.0,\"a\":\"\u{2028}\"}}";
        assert_eq!(frame.data(), data.as_bytes());
    }
}
