//! The hub under test, its clock and its clients, beside the oracle.

use std::collections::{BTreeMap, VecDeque};

use super::client::Client;
use super::member::Duty;
use super::open::{Open, Pulled, Standing};
use super::oracle::Oracle;
use super::*;
use crate::backplane::{self, Appending, Memory};

/// A single node's backplane that notes what was appended, in its order.
#[derive(Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Vec<Entry>>>);

impl Backplane for Noted {
    fn append(&self, log: &dyn backplane::Log, entry: Entry) -> Appending {
        self.0.lock().push(entry.clone());
        Memory.append(log, entry)
    }
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) noted: Noted,
    pub(super) millis: Arc<AtomicU64>,
    pub(super) rng: Rng,
    pub(super) oracle: Oracle,
    pub(super) readers: BTreeMap<u64, Open>,
    pub(super) clients: BTreeMap<Epoch, Client>,
    /// Incarnations that have ended, the last ones.
    pub(super) gone: VecDeque<Caller>,
    /// Signals that may be sent again.
    pub(super) repeats: VecDeque<(Caller, Signal)>,
    /// The last tick.
    pub(super) ticked: Time,
    pub(super) number: u64,
    pub(super) log: Rc<RefCell<Log>>,
}

/// What is told where a step fails: its number, and what happened before.
#[derive(Default)]
pub(super) struct Log {
    pub(super) step: u64,
    pub(super) lines: VecDeque<String>,
}

/// How much is told.
const TOLD: usize = 30;

impl World {
    pub(super) fn new(seed: u64, log: Rc<RefCell<Log>>) -> Self {
        let (noted, millis) = (Noted::default(), Arc::default());
        Self {
            hub: hub(&noted, &millis),
            noted,
            millis,
            rng: Rng::with_seed(seed),
            oracle: Oracle::default(),
            readers: BTreeMap::new(),
            clients: BTreeMap::new(),
            gone: VecDeque::new(),
            repeats: VecDeque::new(),
            ticked: Time(0),
            number: 0,
            log,
        }
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        let mut log = self.log.borrow_mut();
        if log.lines.len() == TOLD {
            log.lines.pop_front();
        }
        let (step, millis) = (log.step, self.millis.load(Ordering::Relaxed));
        log.lines
            .push_back(format!("{step} at {millis}: {}", what()));
    }

    pub(super) fn now(&self) -> Time {
        self.hub.now()
    }

    /// A new number, for ids that stand for nothing else.
    pub(super) fn fresh(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    pub(super) fn choose<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        self.rng.choice(from).cloned()
    }

    /// Someone who is present.
    pub(super) fn present(&mut self) -> Option<Caller> {
        let all = self.oracle.callers();
        self.choose(&all)
    }

    /// Opens a reader where it may be opened; its number.
    pub(super) fn attach(&mut self, caller: &Caller, attach: Attach) -> Option<u64> {
        let now = self.now();
        let (door, only, presented) = (attach.door, attach.only.clone(), attach.cursor);
        let (stream, ticket) = (
            attach.transport.is_stream(),
            attach.ticket.map(|(ticket, _)| ticket),
        );
        self.say(|| format!("{} attaches {attach:?}", name(caller)));
        let expected = self.may_attach(caller, &attach, now);
        let attached = self.hub.attach(caller, attach).now_or_never();
        let (reader, opening) = match (expected, attached.expect("at once")) {
            (Ok(()), Ok(opened)) => opened,
            (Err(expected), Err(refused)) => {
                assert_eq!(refused, expected);
                return None;
            }
            (expected, got) => panic!("{expected:?}, not {:?}", got.map(|(_, opening)| opening)),
        };
        let (serial, d) = (self.fresh(), door as usize);
        let house = self.oracle.house(&caller.room);
        let member = house.here(&caller.peer);
        member
            .mail
            .start(door, only.as_ref(), presented, caller.epoch, &opening, now);
        let waiting = member.mail.waiting() > 0;
        if door == Door::Notices {
            member.wake = stream || (waiting && !member.told);
            member.told = if member.wake { waiting } else { member.told };
        } else {
            member.told = false;
        }
        member.has_read = true;
        member.closing = None;
        let mut former = member.silenced[d].take();
        if let Some(old) = member.seated[d].replace(serial) {
            let old = self.readers.get_mut(&old).expect("an open reader");
            old.standing = Standing::Replaced;
            former = old.ticket;
        }
        let other = member.seated[1 - d].and_then(|serial| self.readers[&serial].ticket);
        if let Some(dead) = former.filter(|dead| ticket != Some(*dead)) {
            member.spend(dead, true, [ticket, other]);
        }
        if let Some(spent) = ticket {
            member.spend(spent, false, [ticket, other]);
        }
        for older in self.readers.values_mut() {
            // One that was silenced, and has not heard of it, has a successor now.
            let same = older.caller == *caller && older.door == door;
            if same && older.standing == Standing::Silenced {
                older.standing = Standing::Replaced;
            }
        }
        let client = self.clients.entry(caller.epoch).or_default();
        if let Some(Ok(cursor)) = presented
            && cursor.epoch == caller.epoch
            && cursor.seq <= member.mail.head()
        {
            client.claims(door, cursor.seq);
        }
        if let Some(gap) = opening.gap {
            count("gap", gap_kind(gap));
            client.told(door, opening.cursor.seq, &member.mail);
        }
        let mut open = Open::new(
            reader,
            opening.cursor.seq,
            member.mail.overflow[d],
            stream,
            now,
        );
        (open.only, open.ticket) = (only, ticket);
        self.readers.insert(serial, open);
        if opening.resumed {
            count("reader", "resumed");
            assert!(opening.peers.is_empty() && opening.sessions.is_empty());
        } else {
            house.check_views(&opening.peers, Some(&caller.peer), now);
            assert_eq!(opening.sessions, house.open_sessions(&caller.peer));
        }
        count("reader", "opened");
        Some(serial)
    }

    fn may_attach(&mut self, caller: &Caller, attach: &Attach, now: Time) -> Result<(), Refused> {
        let open = self.open_readers();
        let draining = self.oracle.draining;
        let Some(member) = self.oracle.member(caller) else {
            return self.oracle.attend(caller, now);
        };
        if let Some((ticket, calendar)) = attach.ticket {
            let own = matches!(&attach.cursor, Some(Ok(c)) if c.epoch == caller.epoch);
            let checked = member.check_ticket(ticket, calendar, own && attach.reconnect);
            let kind = match checked {
                Ok(()) if own && attach.reconnect => "again",
                Ok(()) => "taken",
                Err(TicketRefused::Late) => "late",
                Err(TicketRefused::Spent) => "spent",
                Err(TicketRefused::Replaced) => "replaced",
            };
            count("ticket", kind);
            checked?;
        }
        self.oracle.attend(caller, now)?;
        let member = self.oracle.member(caller).expect("present");
        if draining {
            count("reader", "draining");
            return Err(Refused::Draining);
        }
        if open >= LIMITS.readers && member.seated[attach.door as usize].is_none() {
            count("reader", "too-many");
            return Err(Refused::TooManyReaders);
        }
        // One that is refused for want of a place leaves no mark.
        member.cursor_shown |= attach.cursor_shown;
        Ok(())
    }

    /// Readers that count: not those that were replaced or silenced, nor of who has gone.
    pub(super) fn open_readers(&self) -> usize {
        let seated = |open: &&Open| open.standing == Standing::Seated;
        let ours = self.readers.values().filter(seated);
        ours.filter(|open| self.oracle.seen(&open.caller).is_some())
            .count()
    }

    /// Pulls a reader; what it gives arrives, or is lost on the way with the connection.
    pub(super) fn pull(&mut self, serial: u64, most: usize, arrives: bool) -> Pulled {
        let now = self.now();
        let mut open = self.readers.remove(&serial).expect("an open reader");
        self.say(|| {
            format!(
                "{} {:?} {serial} pulls {most}",
                name(&open.caller),
                open.door
            )
        });
        let pulled = open.pull(&mut self.oracle, most, now);
        self.say(|| {
            format!(
                "  {:?} to {}, over {:?}, arrives {arrives}",
                pulled.events, pulled.at, pulled.over
            )
        });
        open.cut |= !arrives;
        if let Some(reason) = pulled.over {
            count("reader over", reason.as_str());
            if !open.stream && reason == Reason::Replaced {
                count("poll", "superseded");
            }
        }
        if !open.cut
            && let Some(member) = self.oracle.member(&open.caller)
        {
            let client = self.clients.entry(open.caller.epoch).or_default();
            for (seq, _) in &pulled.events {
                client.take(&open, *seq, &member.mail);
            }
        }
        self.readers.insert(serial, open);
        pulled
    }

    /// Drops a reader; where it is not the one at its door any more that touches nothing.
    pub(super) fn detach(&mut self, serial: u64) {
        let now = self.now();
        let open = self.readers.remove(&serial).expect("an open reader");
        self.say(|| {
            format!(
                "{} {serial} is dropped, {:?}",
                name(&open.caller),
                open.standing
            )
        });
        let seated = open.standing == Standing::Seated;
        match self.oracle.member(&open.caller).filter(|_| seated) {
            Some(member) => {
                assert_eq!(member.seated[open.door as usize], Some(serial));
                member.unseat(open.door, now);
                if open.door == Door::Events {
                    member.notify();
                }
                count("reader", "dropped");
            }
            None => count("reader", "late-drop"),
        }
    }

    /// Moves the clock, and does what is due.
    pub(super) fn tick_at(&mut self, to: Time) {
        self.millis.store(to.0, Ordering::Relaxed);
        self.noted.0.lock().clear();
        let mut due = self.oracle.duties(to);
        self.hub.tick();
        self.ticked = to;
        for open in self.readers.values_mut() {
            let seated = open.standing == Standing::Seated;
            open.drained |= seated && open.drain_at.is_some_and(|at| at <= to);
        }
        let mut silent = Vec::new();
        due.retain(|(caller, duty)| {
            if *duty == Duty::Silent {
                silent.push(caller.peer.clone());
                self.silence(caller, to);
            }
            *duty != Duty::Silent
        });
        let entries = std::mem::take(&mut *self.noted.0.lock());
        for entry in entries {
            if let Entry::Detach { peer, reason, .. } = &entry {
                assert_eq!(*reason, Some(Reason::Silent));
                assert!(silent.contains(peer), "{peer} is not silent");
                continue;
            }
            let at = due
                .iter()
                .position(|(caller, duty)| does(&entry, caller, *duty));
            let at = at.unwrap_or_else(|| panic!("{entry:?} is not due"));
            let (caller, duty) = due.swap_remove(at);
            self.say(|| format!("{} is due: {duty:?}", name(&caller)));
            if let Duty::End(reason) = duty {
                if reason == Reason::Left {
                    count("presence", "closed");
                }
                self.ends(&caller, reason, None);
            } else {
                count("presence", "away");
                self.oracle.house(&caller.room).set_away(&caller.peer, true);
            }
        }
        assert!(due.is_empty(), "{due:?} is overdue");
        self.oracle.forget_ends(&self.hub);
        self.compare_old(to);
    }

    /// What was written a resume window ago may be gone.
    fn compare_old(&mut self, now: Time) {
        let may_keep = self.oracle.draining;
        for (room, house) in &mut self.oracle.rooms {
            for (peer, member) in &mut house.members {
                if member.mail.has_old(now) {
                    let live = self.hub.room(room).expect("a room");
                    let state = live.lock();
                    let there = state.room.member(peer).expect("present");
                    member.mail.compare(&there.mailbox, now, now, may_keep);
                }
            }
        }
    }

    fn silence(&mut self, caller: &Caller, now: Time) {
        self.say(|| format!("{} is silent", name(caller)));
        let member = self.oracle.member(caller).expect("present");
        for door in Door::ALL {
            if let Some(serial) = member.seated[door as usize] {
                let open = self.readers.get_mut(&serial).expect("an open reader");
                open.standing = Standing::Silenced;
                member.silenced[door as usize] = open.ticket;
                member.unseat(door, now);
            }
        }
    }

    /// The incarnation ended, by the hub's doing.
    pub(super) fn ends(&mut self, caller: &Caller, reason: Reason, detail: Option<&Arc<str>>) {
        let now = self.now();
        let sessions = self.oracle.end(caller, reason, detail, now);
        count("left", reason.as_str());
        count_many("session ended", reason.as_str(), sessions);
        self.is_gone(caller.clone());
    }

    pub(super) fn is_gone(&mut self, caller: Caller) {
        self.clients.remove(&caller.epoch);
        self.gone.push_back(caller);
        if self.gone.len() > 100 {
            self.gone.pop_front();
        }
    }
}

/// Whether an entry does what is due.
fn does(entry: &Entry, to: &Caller, duty: Duty) -> bool {
    if let Entry::Away { peer, epoch } = entry {
        return duty == Duty::Away && (peer, *epoch) == (&to.peer, to.epoch);
    }
    let Entry::Lapse {
        peer,
        epoch,
        reason,
    } = entry
    else {
        return false;
    };
    duty == Duty::End(*reason) && (peer, *epoch) == (&to.peer, to.epoch)
}

/// A hub without rooms.
pub(super) fn hub(noted: &Noted, millis: &Arc<AtomicU64>) -> Hub {
    Hub::new(
        LIMITS,
        TIMINGS,
        Clock::Manual(millis.clone()),
        noted.clone(),
    )
}

pub(super) fn name(caller: &Caller) -> String {
    format!("{}/{}", caller.room, caller.peer)
}

fn gap_kind(gap: Gap) -> &'static str {
    match gap {
        Gap::Evicted { .. } => "evicted",
        Gap::Overflow => "overflow",
        Gap::Reset => "reset",
        Gap::BadCursor => "bad-cursor",
    }
}
