//! Scenarios of the core: input, exact outputs, move the clock.

mod joining;
mod presence;
mod sending;
mod sessions;

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::proto::entry::{Attaching, Joined, Receipt, Sent};
use crate::proto::fact::Transport;
use crate::proto::id::{NodeId, ReaderId, SessionId, SignalId};
use crate::proto::lease::Timings;
use crate::proto::mailbox::Door;
use crate::proto::member::Presence;
use crate::proto::session::SessionState;
use crate::proto::signal::{Json, Kind, Signal};

const LIMITS: RoomLimits = RoomLimits {
    peers: 4,
    sessions: 3,
    remembered: 8,
    mailbox: MailboxLimits {
        events: 8,
        bytes: 4096,
        control_events: 6,
        control_bytes: 4096,
    },
};

const TIMINGS: Timings = Timings {
    away_after: Duration::from_secs(2),
    grace: Duration::from_secs(30),
    join_grace: Duration::from_secs(120),
    resume_window: Duration::from_secs(180),
    heartbeat: Duration::from_secs(15),
    slow_after: Duration::from_secs(10),
};

/// A room, the time, and where each peer's reader stands.
struct World {
    room: Room,
    now: Time,
    epochs: u64,
    at: HashMap<String, u64>,
    gone: Vec<String>,
}

impl World {
    fn new() -> Self {
        let bounds = Bounds {
            limits: LIMITS,
            timings: TIMINGS,
        };
        let room = Room::new(RoomId::parse("demo").expect("an id"), bounds.into());
        Self {
            room,
            now: Time(0),
            epochs: 0,
            at: HashMap::new(),
            gone: Vec::new(),
        }
    }

    /// A room with these peers, who have read of each other's arrival.
    fn with(peers: &[&str]) -> Self {
        let mut world = Self::new();
        for peer in peers {
            world.join(peer);
        }
        for peer in peers {
            world.read(peer);
        }
        world
    }

    fn apply(&mut self, entry: Entry) -> Outcome {
        let applied = self.room.apply(self.room.applied() + 1, self.now, entry);
        let line = |gone: &Gone| format!("{} {}", gone.peer, gone.reason);
        self.gone.extend(applied.gone.iter().map(line));
        applied.outcome
    }

    fn join_as(&mut self, peer: &str, change: impl FnOnce(&mut Join)) -> Result<Joined, Refusal> {
        self.epochs += 1;
        let mut join = Join {
            peer: id(peer),
            epoch: Epoch(self.epochs),
            meta: None,
            key: None,
            assigned: false,
            holds: None,
            fresh: false,
        };
        change(&mut join);
        let (wish, node, bounds) = (join, NodeId::default(), None);
        match self.apply(Entry::Join { wish, node, bounds }) {
            Outcome::Joined(joined) => {
                if joined.new {
                    self.at.insert(joined.peer.to_string(), 0);
                }
                Ok(joined)
            }
            Outcome::Refused(refusal) => Err(refusal),
            other @ (Outcome::Sent(..) | Outcome::Attached(_) | Outcome::Done) => {
                panic!("{other:?}")
            }
        }
    }

    fn join(&mut self, peer: &str) -> Epoch {
        self.join_as(peer, |_| ()).expect("room for one more").epoch
    }

    fn epoch(&self, peer: &str) -> Epoch {
        self.room.member(&id(peer)).expect("a member").epoch
    }

    fn leave(&mut self, peer: &str, reason: Reason) {
        let (peer, epoch) = (id(peer), None);
        self.apply(Entry::Leave {
            peer,
            epoch,
            reason,
            detail: None,
        });
    }

    /// A reader of this peer's opens and is lost.
    fn is_lost(&mut self, peer: &str) {
        let (peer, epoch) = (id(peer), self.epoch(peer));
        let (door, reader) = (Door::Events, ReaderId::new(NodeId(0), self.now.0));
        self.apply(Entry::Attach(Attaching {
            peer: peer.clone(),
            epoch,
            door,
            reader,
            cursor: None,
            reconnect: false,
            cursor_shown: false,
            ticket: None,
            transport: Transport::Sse,
        }));
        self.apply(Entry::Detach {
            peer,
            epoch,
            door,
            reader,
            written: 0,
            reason: None,
            told: None,
        });
    }

    /// A peer that was lost counts as away.
    fn goes_away(&mut self, peer: &str) {
        self.is_lost(peer);
        self.now = self.now + TIMINGS.away_after;
        self.is_away(peer);
    }

    /// It is said that a peer is away.
    fn is_away(&mut self, peer: &str) {
        let (peer, epoch) = (id(peer), self.epoch(peer));
        self.apply(Entry::Away { peer, epoch });
    }

    /// A peer is heard of.
    fn comes_back(&mut self, peer: &str) {
        let (peer, epoch) = (id(peer), self.epoch(peer));
        self.apply(Entry::Seen {
            peer,
            epoch,
            alive: false,
        });
    }

    fn send_all(
        &mut self,
        from: &str,
        signals: Vec<Signal>,
    ) -> (Vec<Sent>, Option<(usize, Refusal)>) {
        let epoch = self.epoch(from);
        match self.apply(Entry::Send {
            from: id(from),
            epoch,
            signals,
            crowded: Vec::new(),
        }) {
            Outcome::Sent(sent, refused) => (sent, refused),
            other @ (Outcome::Joined(_)
            | Outcome::Attached(_)
            | Outcome::Done
            | Outcome::Refused(_)) => {
                panic!("{other:?}")
            }
        }
    }

    fn send(&mut self, from: &str, signal: Signal) -> Result<Receipt, Refusal> {
        match self.send_all(from, vec![signal]) {
            (sent, None) => Ok(sent.into_iter().next().expect("one result").receipt),
            (_, Some((_, refusal))) => Err(refusal),
        }
    }

    /// All that a reader of this peer's gets now, each event as `name data`.
    fn read(&mut self, peer: &str) -> Vec<String> {
        let now = self.now;
        let at = self.at.get(peer).copied().unwrap_or_default();
        let epoch = self.epoch(peer);
        let member = self.room.incarnation(&id(peer), epoch).expect("a member");
        let mut lines = Vec::new();
        for (_, frame) in member.mailbox.after(Door::Events, None, at) {
            let (name, data) = (frame.name().to_vec(), frame.data().to_vec());
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            lines.push(format!("{} {}", text(name), text(data)));
        }
        let head = member.mailbox.head();
        member
            .mailbox
            .wrote(Door::Events, head, now, &LIMITS.mailbox);
        self.at.insert(peer.to_owned(), head);
        lines
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.room.expire(self.now, TIMINGS.resume_window);
    }

    fn sessions(&self, peer: &str) -> Vec<(String, String, SessionState)> {
        let member = self.room.member(&id(peer)).expect("a member");
        let all = member.all_sessions(self.now).into_iter();
        all.map(|view| (view.session.to_string(), view.peer.to_string(), view.state))
            .collect()
    }
}

fn id(peer: &str) -> PeerId {
    PeerId::parse(peer).expect("an id")
}

/// A signal in the form `TYPE to PEER in SESSION`; `to` and `in` may be left out.
fn signal(text: &str) -> Signal {
    let mut words = text.split(' ');
    let kind = Kind::parse(words.next().unwrap_or_default()).expect("a type");
    let (mut to, mut session) = (None, None);
    while let (Some(what), Some(name)) = (words.next(), words.next()) {
        match what {
            "to" => to = Some(id(name)),
            "in" => session = SessionId::parse(name).ok(),
            other => panic!("{other}"),
        }
    }
    let data = Some(Json::compact("1"));
    Signal {
        to,
        kind,
        session,
        data,
        id: None,
        spare: SessionId::parse("spare").ok(),
    }
}

fn with_id(text: &str, name: &str) -> Signal {
    Signal {
        id: SignalId::parse(name).ok(),
        ..signal(text)
    }
}
