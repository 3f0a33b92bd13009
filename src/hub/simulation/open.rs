//! An open reader, what it has to give, and what a pull gives.

use std::sync::atomic::AtomicBool;
use std::task::Wake;

use super::oracle::Oracle;
use super::*;
use crate::hub::seat::FIRST_PING;
use crate::proto::lease::CLOSING_PING;

/// What became of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Seated,
    Replaced,
    Silenced,
    /// The hub that it belongs to is no more.
    Orphaned,
}

#[derive(Default)]
pub(super) struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Open {
    pub(super) reader: Reader,
    pub(super) caller: Caller,
    pub(super) door: Door,
    pub(super) only: Option<SessionId>,
    pub(super) at: u64,
    /// The overflow that its client was told of.
    pub(super) told: u64,
    pub(super) since: Time,
    pub(super) stream: bool,
    pub(super) ticket: Option<TicketId>,
    pub(super) standing: Standing,
    pub(super) drain_at: Option<Time>,
    pub(super) drained: bool,
    ping_at: Option<Time>,
    proved: bool,
    /// It gave its end.
    pub(super) over: bool,
    /// What it gives does not arrive any more.
    pub(super) cut: bool,
    bell: Arc<Bell>,
    waits: bool,
}

/// What a pull has to give.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Over(Reason),
    Given {
        seqs: Vec<u64>,
        at: u64,
        wake: Option<usize>,
        ping: bool,
    },
}

/// What a pull gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pulled {
    pub(super) events: Vec<(u64, Frame)>,
    pub(super) at: u64,
    pub(super) more: bool,
    pub(super) over: Option<Reason>,
    pub(super) pending: bool,
}

/// Takes events up to a number.
struct Taken {
    most: usize,
    events: Vec<(Cursor, Frame)>,
    control: Vec<Frame>,
}

impl Sink for Taken {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        self.events.push((id, frame.clone()));
    }

    fn control(&mut self, frame: &Frame) {
        self.control.push(frame.clone());
    }

    fn len(&self) -> usize {
        self.events.len() + self.control.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= self.most
    }
}

impl Open {
    pub(super) fn new(reader: Reader, from: u64, told: u64, stream: bool, now: Time) -> Self {
        Self {
            caller: reader.caller().clone(),
            door: reader.door(),
            only: None,
            at: from,
            told,
            since: now,
            stream,
            ticket: None,
            standing: Standing::Seated,
            drain_at: None,
            drained: false,
            ping_at: stream.then_some(now + FIRST_PING),
            proved: false,
            over: false,
            cut: false,
            bell: Arc::default(),
            waits: false,
            reader,
        }
    }

    /// The caller said that it is about to close.
    pub(super) fn announced(&mut self, caller: &Caller, now: Time) {
        let heard = self.caller == *caller && self.standing == Standing::Seated;
        if let Some(ping_at) = self.ping_at.as_mut().filter(|_| heard) {
            *ping_at = (*ping_at).min(now + CLOSING_PING);
        }
    }

    /// What a pull has to give now.
    pub(super) fn expected(&self, oracle: &Oracle, most: usize, now: Time) -> Expected {
        let Some(member) = oracle.seen(&self.caller) else {
            return Expected::Over(oracle.reason(self.caller.epoch, now));
        };
        match self.standing {
            Standing::Seated => {}
            Standing::Replaced => return Expected::Over(Reason::Replaced),
            Standing::Silenced => return Expected::Over(Reason::Silent),
            Standing::Orphaned => return Expected::Over(Reason::Unknown),
        }
        if self.drained {
            return Expected::Over(Reason::Drain);
        }
        if member.mail.has_missed(self.door, self.at, self.told) {
            return Expected::Over(Reason::Slow);
        }
        let held = member.mail.held();
        let mut seqs: Vec<_> = held
            .filter(|(seq, item)| *seq > self.at && item.is_for(self.door, self.only.as_ref()))
            .map(|(seq, _)| seq)
            .collect();
        let all = seqs.len() <= most;
        seqs.truncate(most);
        let at = match seqs.last() {
            Some(last) if !all => *last,
            _ => member.mail.head(),
        };
        let wakes = self.door == Door::Notices && member.wake;
        let wake = wakes.then(|| member.mail.waiting());
        let due = self.ping_at.is_some_and(|at| at <= now);
        let ping = due && seqs.is_empty() && wake.is_none();
        Expected::Given {
            seqs,
            at,
            wake,
            ping,
        }
    }

    /// Whether a connection that takes what comes would pull it now.
    pub(super) fn is_awake(&self) -> bool {
        let woken = !self.waits || self.bell.0.load(Ordering::Relaxed);
        woken && !self.over && self.standing != Standing::Orphaned
    }

    /// Whether it waits for something that is there.
    pub(super) fn starves(&self, oracle: &Oracle, ticked: Time) -> bool {
        let woken = self.bell.0.load(Ordering::Relaxed);
        if !self.waits || woken || self.standing == Standing::Orphaned {
            return false;
        }
        match self.expected(oracle, usize::MAX, ticked) {
            Expected::Over(_) => true,
            Expected::Given {
                seqs, wake, ping, ..
            } => !seqs.is_empty() || wake.is_some() || ping,
        }
    }

    /// Pulls, and judges what comes.
    pub(super) fn pull(&mut self, oracle: &mut Oracle, most: usize, now: Time) -> Pulled {
        let expected = self.expected(oracle, most, now);
        let mut taken = Taken {
            most,
            events: Vec::new(),
            control: Vec::new(),
        };
        self.bell = Arc::default();
        let waker = Waker::from(self.bell.clone());
        let flow = self
            .reader
            .poll_pull(&mut Context::from_waker(&waker), &mut taken);
        self.waits = matches!(flow, Poll::Pending | Poll::Ready(Flow::Wrote));
        let mut pulled = Pulled {
            events: Vec::new(),
            at: self.at,
            more: false,
            over: None,
            pending: flow.is_pending(),
        };
        let (seqs, at, wake, ping) = match expected {
            Expected::Over(reason) => {
                assert_eq!(
                    flow,
                    Poll::Ready(Flow::Ended(reason)),
                    "{:?}",
                    self.standing
                );
                assert!(taken.is_empty(), "nothing but the end");
                self.over = true;
                pulled.over = Some(reason);
                return pulled;
            }
            Expected::Given {
                seqs,
                at,
                wake,
                ping,
            } => (seqs, at, wake, ping),
        };
        let member = oracle.member(&self.caller).expect("present");
        let came: Vec<_> = taken.events.iter().map(|(id, _)| id.seq).collect();
        assert_eq!(came, seqs, "what comes after {}", self.at);
        for (id, frame) in &taken.events {
            assert_eq!(id.epoch, self.caller.epoch);
            let item = &member.mail.items[id.seq as usize - 1];
            assert!(item.is(frame), "{item:?} came as {frame:?}");
        }
        let mut control = Vec::new();
        control
            .extend(wake.map(|pending| Frame::new("wake", &format!(r#"{{"pending":{pending}}}"#))));
        control.extend(ping.then(|| Frame::new("ping", "{}")));
        assert_eq!(taken.control, control);
        let wrote = !seqs.is_empty() || wake.is_some();
        count_many("told", "wake", usize::from(wake.is_some()));
        count_many("told", "ping", usize::from(ping));
        assert_eq!(self.reader.cursor().seq, at);
        self.at = at;
        if wake.is_some() {
            member.wake = false;
        }
        if self.door == Door::Events {
            member.mail.wrote(at, now);
        }
        self.proved |= ping;
        let due = self.ping_at.is_some_and(|at| at <= now);
        let ping_follows = wrote && due && !self.proved;
        if let Some(ping_at) = self.ping_at.as_mut().filter(|_| wrote || due)
            && self.proved
        {
            *ping_at = now + member.heartbeat(now);
        }
        let only = self.only.as_ref();
        let mut after = member.mail.held().filter(|(seq, _)| *seq > at);
        pulled.more = after.any(|(_, item)| item.is_for(self.door, only));
        let gave = match (wrote || ping, pulled.more || ping_follows) {
            (true, true) => Poll::Ready(Flow::More),
            (true, false) => Poll::Ready(Flow::Wrote),
            (false, _) => Poll::Pending,
        };
        assert_eq!(flow, gave);
        let events = taken.events.into_iter();
        pulled.events = events.map(|(id, frame)| (id.seq, frame)).collect();
        pulled.at = at;
        pulled
    }
}
