//! What one client of the simulation knows, and what it checks of each event.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::hub::{Caller, Reader};
use crate::proto::Door;

/// What one client knows and what it must yet be told.
pub(super) struct Client {
    pub(super) caller: Caller,
    /// Signals accepted for it, in order; those before `next` have come.
    pub(super) expected: Vec<u64>,
    pub(super) next: usize,
    /// The last event seen at `/events` or `/poll`, and what every event seen said.
    pub(super) seen: u64,
    pub(super) said: BTreeMap<u64, String>,
    pub(super) notices_seen: u64,
    /// Events were announced to be missing since the last one that came.
    pub(super) gap: bool,
    pub(super) ended_sessions: HashSet<String>,
    pub(super) left_peers: HashSet<String>,
    pub(super) reader: Option<Reader>,
    pub(super) notices: Option<Reader>,
    /// It has posted `alive`, and may so fall silent with a reader open.
    pub(super) proved: bool,
}

impl Client {
    pub(super) fn new(caller: Caller) -> Self {
        Self {
            caller,
            expected: Vec::new(),
            next: 0,
            seen: 0,
            said: BTreeMap::new(),
            notices_seen: 0,
            gap: false,
            ended_sessions: HashSet::new(),
            left_peers: HashSet::new(),
            reader: None,
            notices: None,
            proved: false,
        }
    }

    /// Takes an event as a client does: by number, once. Whether it was new.
    pub(super) fn take(&mut self, door: Door, seq: u64, name: &str, data: &str) -> bool {
        if let Some(said) = self.said.get(&seq) {
            assert_eq!(said, data, "a number always stands for the same event");
        }
        let last = if door == Door::Events {
            &mut self.seen
        } else {
            &mut self.notices_seen
        };
        if seq <= *last {
            return false;
        }
        *last = seq;
        let value: Value = serde_json::from_str(data).expect("JSON");
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        if door == Door::Notices {
            assert!(["session-ended", "peer-left"].contains(&name), "{name}");
            return false;
        }
        self.said.insert(seq, data.to_owned());
        match name {
            "signal" => {
                let number = value["data"].as_u64().expect("a number");
                let rest = &self.expected[self.next..];
                let at = rest.iter().position(|expected| *expected == number);
                let skipped = at.expect("it was sent to this incarnation, and did not come before");
                assert!(
                    skipped == 0 || self.gap,
                    "{skipped} went missing in silence"
                );
                self.next += skipped + 1;
                self.gap = false;
            }
            "session-ended" => {
                assert!(
                    self.ended_sessions.insert(text("session")),
                    "a session ends once: {data}"
                );
            }
            "peer-left" => {
                self.left_peers.insert(text("peer"));
            }
            "peer-joined" | "peer-updated" | "peer-away" | "peer-back" => {
                assert_ne!(
                    text("peer"),
                    self.caller.peer.as_str(),
                    "nobody is told of itself"
                );
            }
            other => panic!("{other}"),
        }
        true
    }
}
