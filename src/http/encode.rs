//! Events and views as text: SSE, NDJSON, JSON arrays. Ids and names need no escaping.

use std::fmt::Write as _;
use std::io::Write as _;

use super::query::Encoding;
use super::tickets::calendar;
use crate::config::fixed::POLL_BYTES;
use crate::hub::{Caller, Opening, PeerView, Sink};
use crate::proto::{
    Cursor, Frame, Gap, Reason, Sent, SessionState, SessionView, Time, Timings, ToWhom,
};

/// Frames as a stream writes them.
pub(super) struct Chunk<'a> {
    encoding: Encoding,
    clocked: bool,
    bytes: &'a mut Vec<u8>,
    /// What stood there before.
    before: usize,
}

impl<'a> Chunk<'a> {
    /// Adds to `bytes`. With `clocked`, each `ping` says when it is written.
    pub(super) fn new(encoding: Encoding, clocked: bool, bytes: &'a mut Vec<u8>) -> Self {
        let before = bytes.len();
        Self {
            encoding,
            clocked,
            bytes,
            before,
        }
    }

    /// The wait before an EventSource's reconnect, in milliseconds.
    pub(super) fn retry(&mut self, millis: u64) {
        if self.encoding == Encoding::Sse {
            let _ = writeln!(self.bytes, "retry: {millis}");
        }
    }

    /// 2 KiB of comment, for gateways that hold back a first small write.
    pub(super) fn pad(&mut self) {
        if self.encoding == Encoding::Sse {
            let _ = writeln!(self.bytes, ":{:2046}", "");
        }
    }

    /// A `ping` that is none of the hub's.
    pub(super) fn ping(&mut self) {
        self.control(&Frame::new("ping", "{}"));
    }

    /// The last event of a stream.
    pub(super) fn end(&mut self, reason: Reason, detail: Option<&str>) {
        self.control(&end_frame(reason, detail));
    }

    fn write(&mut self, frame: &Frame) {
        match self.encoding {
            Encoding::Sse => self.bytes.extend_from_slice(frame.sse_lines()),
            Encoding::Ndjson => self.ndjson(None, frame),
        }
    }

    fn ndjson(&mut self, id: Option<Cursor>, frame: &Frame) {
        write_json(self.bytes, id, frame);
        self.bytes.extend_from_slice(b"\n");
    }
}

impl Sink for Chunk<'_> {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        match self.encoding {
            Encoding::Sse => {
                self.bytes.extend_from_slice(b"id: ");
                id.write(self.bytes);
                self.bytes.push(b'\n');
                self.bytes.extend_from_slice(frame.sse_lines());
            }
            Encoding::Ndjson => self.ndjson(Some(id), frame),
        }
    }

    fn control(&mut self, frame: &Frame) {
        if self.clocked && frame.name() == b"ping" {
            let sent = calendar();
            return self.write(&Frame::new("ping", &format!(r#"{{"sent_ms":{sent}}}"#)));
        }
        self.write(frame);
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.before
    }
}

/// Frames as a poll's answer holds them: the inside of a JSON array.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    max: usize,
    count: usize,
}

impl Batch {
    pub(super) fn new(max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max,
            count: 0,
        }
    }

    fn add(&mut self, id: Option<Cursor>, frame: &Frame) {
        if self.count > 0 {
            self.bytes.extend_from_slice(b",");
        }
        self.count += 1;
        write_json(&mut self.bytes, id, frame);
    }
}

impl Sink for Batch {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        self.add(Some(id), frame);
    }

    fn control(&mut self, frame: &Frame) {
        self.add(None, frame);
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn is_full(&self) -> bool {
        self.count >= self.max || self.bytes.len() >= POLL_BYTES
    }
}

fn write_json(out: &mut Vec<u8>, id: Option<Cursor>, frame: &Frame) {
    out.extend_from_slice(b"{");
    if let Some(id) = id {
        out.extend_from_slice(br#""id":""#);
        id.write(out);
        out.extend_from_slice(br#"","#);
    }
    out.extend_from_slice(br#""event":""#);
    out.extend_from_slice(frame.name());
    out.extend_from_slice(br#"","data":"#);
    out.extend_from_slice(frame.data());
    out.extend_from_slice(b"}");
}

/// The last event of a reader.
pub(super) fn end_frame(reason: Reason, detail: Option<&str>) -> Frame {
    let mut data = format!(
        r#"{{"reason":"{reason}","retry":"{}""#,
        reason.retry().as_str()
    );
    if let Some(detail) = detail {
        let _ = write!(data, r#","detail":{}"#, quoted(detail));
    }
    data.push('}');
    Frame::new("end", &data)
}

/// The first event of a stream; with `clocked` it says when it is written.
pub(super) fn ready_frame(
    caller: &Caller,
    opening: &Opening,
    timings: &Timings,
    clocked: bool,
) -> Frame {
    let Caller { room, peer, .. } = caller;
    let Opening {
        cursor,
        resumed,
        replayed,
        ..
    } = opening;
    let (heartbeat, grace) = (timings.heartbeat.as_millis(), timings.grace.as_millis());
    let mut data = format!(
        concat!(
            r#"{{"room":"{}","peer":"{}","cursor":"{}","resumed":{},"replayed":{},"#,
            r#""heartbeat_ms":{},"grace_ms":{}"#,
        ),
        room, peer, cursor, resumed, replayed, heartbeat, grace
    );
    if clocked {
        let _ = write!(data, r#","sent_ms":{}"#, calendar());
    }
    write_missing(&mut data, opening);
    data.push('}');
    Frame::new("ready", &data)
}

/// What a reader is told where it does not go on exactly where it stood: `,"gap":…` and who and
/// what there is as of now.
pub(super) fn write_missing(out: &mut String, opening: &Opening) {
    if let Some(gap) = opening.gap {
        let _ = write!(out, r#","gap":{{"reason":"{}""#, gap.as_str());
        if let Gap::Evicted { lost } = gap {
            let _ = write!(out, r#","lost":{lost}"#);
        }
        out.push('}');
    }
    if !opening.resumed {
        let sessions: Vec<_> = opening
            .sessions
            .iter()
            .map(|view| session_json(view, Time(0)))
            .collect();
        let peers = peers_json(&opening.peers);
        let _ = write!(
            out,
            r#","peers":{peers},"sessions":[{}]"#,
            sessions.join(",")
        );
    }
}

/// Peers as a join and `ready` list them.
pub(super) fn peers_json(peers: &[PeerView]) -> String {
    let mut json = String::new();
    list(&mut json, peers, |out, view| {
        write_peer(out, view);
        out.push('}');
    });
    json
}

/// Peers as discovery lists them.
pub(super) fn discovery_json(peers: &[PeerView]) -> String {
    let mut json = String::from(r#"{"peers":"#);
    list(&mut json, peers, |out, view| {
        write_peer(out, view);
        let _ = write!(out, r#","joined_ms_ago":{}}}"#, view.joined_ago.as_millis());
    });
    json.push('}');
    json
}

fn write_peer(out: &mut String, view: &PeerView) {
    let PeerView {
        peer,
        meta,
        state,
        order,
        ..
    } = view;
    let (meta, state) = (meta.as_str(), state.as_str());
    let _ = write!(
        out,
        r#"{{"peer":"{peer}","meta":{meta},"state":"{state}","order":{order}"#
    );
}

/// A session as its party sees it.
pub(super) fn session_json(view: &SessionView, now: Time) -> String {
    let SessionView {
        session,
        peer,
        state,
    } = view;
    let (state, ended) = match state {
        SessionState::Offered => ("offered", None),
        SessionState::Answered => ("answered", None),
        SessionState::Ended { reason, at } => ("ended", Some((reason, now.since(*at)))),
    };
    let mut out = format!(r#"{{"session":"{session}","peer":"{peer}","state":"{state}""#);
    if let Some((reason, ago)) = ended {
        let _ = write!(
            out,
            r#","reason":"{reason}","ended_ms_ago":{}"#,
            ago.as_millis()
        );
    }
    out.push('}');
    out
}

/// Adds what a sender is told of its accepted signals.
pub(super) fn write_results(out: &mut String, results: &[Sent]) {
    list(out, results, |out, sent| {
        out.push('{');
        if let Some(id) = &sent.id {
            for part in [r#""id":""#, id.as_str(), r#"","#] {
                out.push_str(part);
            }
        }
        if let Some(session) = &sent.receipt.session {
            for part in [r#""session":""#, session.as_str(), r#"","#] {
                out.push_str(part);
            }
        }
        out.push_str(r#""to":"#);
        list(out, &sent.receipt.to, |out, to| {
            let ToWhom {
                peer,
                state,
                refused,
            } = to;
            let end = if *refused {
                r#"","refused":"mailbox-full"}"#
            } else {
                r#""}"#
            };
            for part in [
                r#"{"peer":""#,
                peer.as_str(),
                r#"","state":""#,
                state.as_str(),
                end,
            ] {
                out.push_str(part);
            }
        });
        out.push_str(if sent.duplicate {
            r#","duplicate":true}"#
        } else {
            "}"
        });
    });
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
