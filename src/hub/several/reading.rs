//! How clients read, and what they may be given.

use super::asking::{Answer, Ask};
use super::truth::number_of;
use super::world::{Bell, World};
use super::*;
use crate::proto::Transport;

/// An open reader, on both ends.
pub(super) struct Open {
    reader: Reader,
    pub(super) life: usize,
    pub(super) node: usize,
    pub(super) door: Door,
    pub(super) stream: bool,
    pub(super) since: Time,
    pub(super) bell: Arc<Bell>,
    /// The number of the last event that came by it, or where it began.
    at: u64,
    /// The client has closed it, and the node has not noticed.
    pub(super) left: bool,
}

#[derive(Default)]
struct Taken {
    events: Vec<(Cursor, Frame)>,
    control: usize,
}

impl Sink for Taken {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        self.events.push((id, frame.clone()));
    }

    fn control(&mut self, _: &Frame) {
        self.control += 1;
    }

    fn len(&self) -> usize {
        self.events.len() + self.control
    }

    fn is_full(&self) -> bool {
        self.len() >= 6
    }
}

/// A reader without a ticket.
pub(super) fn plain(door: Door, cursor: Option<Cursor>, stream: bool) -> Attach {
    Attach {
        door,
        only: None,
        cursor: cursor.map(Ok),
        reconnect: false,
        cursor_shown: false,
        ticket: None,
        transport: if stream {
            Transport::Sse
        } else {
            Transport::Poll
        },
        left: None,
        place: None,
    }
}

impl World {
    /// A client opens a reader, mostly elsewhere than before.
    pub(super) fn open(&mut self, life: usize, door: Door, stream: bool) {
        let but = self.lives[life].at;
        let Some(node) = self.some_node(but) else {
            return;
        };
        let hub = self.nodes[node].hub().clone();
        let (seen, caller) = (
            self.lives[life].seen[door as usize],
            self.lives[life].caller.clone(),
        );
        let cursor = (seen > 0).then_some(Cursor {
            epoch: caller.epoch,
            seq: seen,
        });
        let mut attach = plain(door, cursor, stream);
        let mut ticket = None;
        if stream && door == Door::Events && self.chance(50) {
            let again = self.lives[life].ticket.filter(|_| self.net.chance(60));
            count("ticket", if again.is_some() { "again" } else { "fresh" });
            attach.reconnect = again.is_some();
            let issued = hub.calendar();
            let nonce = self.serial();
            let shown = again.unwrap_or(TicketId { nonce, issued });
            attach.ticket = Some((shown, issued));
            ticket = Some(shown);
        }
        if but.is_some_and(|but| but != node) {
            count("reader", "elsewhere");
        }
        self.lives[life].opening[door as usize] = true;
        self.lives[life].has_read = true;
        self.lives[life].at = Some(node);
        self.say(|| format!("{} opens {door:?} at {node} after {seen}", caller.peer));
        let future = Box::pin(async move {
            let reached = match hub.reach(&caller) {
                Some(reaching) => reaching.await,
                None => Ok(()),
            };
            Answer::Opened(match reached {
                Ok(()) => hub.attach(&caller, attach).await,
                Err(refused) => Err(refused),
            })
        });
        self.begin(
            node,
            Some(Ask::Open {
                life,
                door,
                stream,
                ticket,
            }),
            future,
        );
    }

    pub(super) fn opened(
        &mut self,
        node: usize,
        life: usize,
        (door, stream, ticket): (Door, bool, Option<TicketId>),
        opened: Result<(Reader, Opening), Refused>,
    ) {
        let d = door as usize;
        let now = self.now();
        self.lives[life].opening[d] = false;
        let person = self.lives[life].person;
        let (reader, opening) = match opened {
            Ok(opened) => opened,
            Err(refused) => {
                if matches!(refused, Refused::Ticket(_)) {
                    count("ticket", "refused");
                    self.lives[life].ticket = None;
                }
                self.refused_life(life, &refused);
                return self.soon(person, 1_500);
            }
        };
        if self.lives[life].over {
            return;
        }
        let (room, epoch) = (reader.caller().room.clone(), reader.caller().epoch);
        let from = opening.cursor.seq;
        self.say(|| {
            format!(
                "{}: {door:?} is open at {node} from {from}, {:?}",
                reader.caller().peer,
                opening.gap
            )
        });
        if let Some(gap) = opening.gap {
            let kind = match gap {
                Gap::Evicted { .. } => "evicted",
                Gap::Reset => "reset",
                Gap::Overflow => "overflow",
                Gap::BadCursor => "bad-cursor",
            };
            count("gap", kind);
            let fell = self.truths.with(&room, |truth| truth.fell.is_some());
            assert!(fell || gap != Gap::Reset, "{epoch} stands where nothing is");
            self.lives[life].excused[d] = self.lives[life].excused[d].max(from);
        } else if opening.resumed {
            assert_eq!(from, self.lives[life].seen[d], "resumed where it stood");
            count("reader", "resumed");
        }
        count("reader", if stream { "stream" } else { "poll" });
        if door == Door::Notices {
            count("reader", "notices");
        }
        if stream {
            self.lives[life].ticket = ticket.or(self.lives[life].ticket);
        }
        if let Some(older) = self.lives[life].open[d] {
            // The client lets go of the older one; its node may notice late.
            self.close(older, true);
        }
        let serial = self.serial();
        self.lives[life].open[d] = Some(serial);
        self.lives[life].proof = now;
        let bell = Bell::rung();
        let at = from;
        let open = Open {
            reader,
            life,
            node,
            door,
            stream,
            since: now,
            bell,
            at,
            left: false,
        };
        self.opens.insert(serial, open);
    }

    /// A reader is given what there is.
    pub(super) fn pull(&mut self, serial: u64) {
        let mut open = self.opens.remove(&serial).expect("an open reader");
        open.bell.take();
        let mut taken = Taken::default();
        let waker = std::task::Waker::from(open.bell.clone());
        let flow = open
            .reader
            .poll_pull(&mut Context::from_waker(&waker), &mut taken);
        let (life, d) = (open.life, open.door as usize);
        let over = match flow {
            Poll::Ready(Flow::Ended(reason)) => Some(reason),
            Poll::Ready(Flow::More) => {
                open.bell = Bell::rung();
                None
            }
            Poll::Ready(Flow::Wrote) | Poll::Pending => None,
        };
        let breaks = !self.quiet && !taken.events.is_empty() && self.chance(3);
        let arrives = !open.left && !breaks && !self.lives[life].over;
        if arrives {
            for (id, frame) in &taken.events {
                self.gets(&mut open, *id, frame);
            }
            if !open.stream || taken.events.is_empty() {
                // What is filtered out moves a cursor too, where the client is told.
                let at = open.reader.cursor().seq;
                if !open.stream {
                    self.lives[life].seen[d] = self.lives[life].seen[d].max(at);
                }
            }
        }
        let (stream, left) = (open.stream, open.left);
        let (node, newest) = (open.node, self.lives[life].open[d] == Some(serial));
        self.opens.insert(serial, open);
        if let Some(reason) = over {
            self.say(|| {
                format!(
                    "{} {serial} at {node} ends: {reason}",
                    self.lives[life].caller.peer
                )
            });
            count("reader over", reason.as_str());
            self.close(serial, false);
            if left || !newest {
                return;
            }
            match reason {
                Reason::Left
                | Reason::Timeout
                | Reason::Kicked
                | Reason::RoomClosed
                | Reason::Rejoined
                | Reason::Unknown => self.is_over(life, reason),
                Reason::Replaced => {
                    // Only what it had asked for itself can have taken its place.
                    let own = self.lives[life].opening[d] || self.lives[life].gave_up.is_some();
                    assert!(
                        own,
                        "{} was replaced by nobody",
                        self.lives[life].caller.peer
                    );
                }
                Reason::Drain | Reason::Slow | Reason::Silent => {}
                other @ (Reason::Hangup | Reason::MaxAge | Reason::Busy | Reason::Expired) => {
                    panic!("a reader ended for {other}")
                }
            }
            return self.soon(self.lives[life].person, 1_000);
        }
        if breaks {
            self.say(|| format!("{serial} breaks while it writes"));
            self.lose(serial);
        } else if !stream && !taken.events.is_empty() && !left {
            self.close(serial, false);
            self.soon(self.lives[life].person, 300);
        }
    }

    /// An event arrives.
    fn gets(&mut self, open: &mut Open, id: Cursor, frame: &Frame) {
        let life = &mut self.lives[open.life];
        let (d, seq) = (open.door as usize, id.seq);
        let caller = &life.caller;
        assert_eq!(id.epoch, caller.epoch);
        assert!(seq > open.at, "{}: {seq} after {}", caller.peer, open.at);
        let got = &life.got[d];
        let (at, excused) = (open.at, life.excused[d]);
        self.truths.with(&caller.room, |truth| {
            let held = truth.boxes.get(&caller.epoch);
            let held = held.unwrap_or_else(|| panic!("{caller:?} has no mailbox"));
            assert!(
                held.has(seq, frame),
                "{caller:?}: {seq} was never there: {frame:?}, but {:?}",
                held.events.get(&seq)
            );
            let needed = if d == 0 { &held.needed } else { &held.notices };
            let missed = needed
                .range(at + 1..seq)
                .find(|n| **n > excused && !got.contains(n));
            assert!(
                missed.is_none(),
                "{}: {missed:?} is skipped by {seq}",
                caller.peer
            );
            if let (Some(number), 0) = (number_of(frame), d) {
                let stands = held.signals.get(&number);
                let lost = truth.lost.contains(&number);
                assert!(lost || stands == Some(&seq), "signal {number} comes twice");
            }
        });
        life.got[d].insert(seq);
        life.seen[d] = life.seen[d].max(seq);
        open.at = seq;
        count("delivered", if d == 0 { "events" } else { "notices" });
    }

    /// The client is done with a reader; the node notices now, or late.
    pub(super) fn close(&mut self, serial: u64, late: bool) {
        let now = self.now();
        let Some(open) = self.opens.get_mut(&serial) else {
            return;
        };
        let life = &mut self.lives[open.life];
        let door = &mut life.open[open.door as usize];
        if *door == Some(serial) {
            *door = None;
            let counts = !self.nodes[open.node].frozen && !open.left;
            life.proof = if counts {
                life.proof.max(now)
            } else {
                life.proof
            };
        }
        open.left = true;
        if !late {
            self.opens.remove(&serial);
        }
    }

    /// A connection is lost, and both ends notice.
    pub(super) fn lose(&mut self, serial: u64) {
        let person = self
            .opens
            .get(&serial)
            .map(|open| self.lives[open.life].person);
        self.close(serial, false);
        if let Some(person) = person {
            self.soon(person, 1_000);
        }
    }

    /// Nothing arrives any more, which the client notices late, and the node later.
    pub(super) fn lose_sight(&mut self, serial: u64) {
        let Some(open) = self.opens.get(&serial).filter(|open| !open.left) else {
            return;
        };
        let person = self.lives[open.life].person;
        self.close(serial, true);
        let late = Time(self.now().0 + self.rng.u64(3_000..15_000));
        self.people[person].next = Some(late);
    }

    /// Whether a client reads now, as far as anyone can tell.
    pub(super) fn reads(&self, life: usize) -> bool {
        let open = self.lives[life].open.iter().flatten();
        open.map(|serial| &self.opens[serial])
            .any(|open| self.nodes[open.node].runs())
    }
}
