//! What a mailbox has to hold: every event that was ever put in, and what became of it.

use super::*;

/// A mailbox is looked at this long after a restart at the latest, and knows from then on when
/// something in it is too old.
const FIRST_LOOK: Duration = TIMINGS.join_grace;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Held,
    Acknowledged,
    Evicted,
    Overflowed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Signal(Epoch),
    Info(Epoch),
    Absence(Epoch),
    Notice(Option<SessionId>),
}

#[derive(Debug)]
pub(super) struct Item {
    name: &'static str,
    data: String,
    class: Class,
    /// When it was first looked at.
    known: Option<Time>,
    written: Option<Time>,
    pub(super) fate: Fate,
    /// At which doors it went although nobody had acknowledged it there.
    pub(super) lost: [bool; 2],
}

impl Item {
    fn cost(&self) -> usize {
        cost(self.name, &self.data)
    }

    pub(super) fn is_signal(&self) -> bool {
        matches!(self.class, Class::Signal(_))
    }

    pub(super) fn is_for(&self, door: Door, only: Option<&SessionId>) -> bool {
        match (door, only, &self.class) {
            (Door::Events, ..) | (Door::Notices, None, Class::Notice(_)) => true,
            (Door::Notices, Some(only), Class::Notice(session)) => session.as_ref() == Some(only),
            (Door::Notices, ..) => false,
        }
    }

    pub(super) fn is(&self, frame: &Frame) -> bool {
        frame.name() == self.name.as_bytes() && frame.data() == self.data.as_bytes()
    }
}

/// What an event costs in a mailbox: its two lines and the empty one.
pub(super) fn cost(name: &str, data: &str) -> usize {
    "event: \ndata: \n\n".len() + name.len() + data.len()
}

fn is_over(events: usize, bytes: usize, bounds: (usize, usize)) -> bool {
    events > bounds.0 || bytes > bounds.1
}

const SIGNALS: (usize, usize) = (EVENTS, BYTES);
const HALF: (usize, usize) = (EVENTS / 2, BYTES / 2);
const RESERVE: (usize, usize) = (CONTROL, CONTROL_BYTES);

/// One incarnation's mailbox. The event with number n stands at n - 1.
#[derive(Default, Debug)]
pub(super) struct Mail {
    pub(super) items: Vec<Item>,
    /// The highest number that was handed out at `/events` or `/poll`.
    pub(super) written: u64,
    /// The highest number presented at each door.
    pub(super) acked: [u64; 2],
    /// The highest number at each door that went for want of room in the reserve.
    pub(super) overflow: [u64; 2],
    /// Nothing before this place is held.
    first: usize,
    /// The last restart, if there was one.
    pub(super) restored: Time,
    /// Something was put in by the present step of the room.
    pub(super) touched: bool,
    /// It is to be compared whole.
    pub(super) changed: bool,
}

impl Mail {
    pub(super) fn head(&self) -> u64 {
        self.items.len() as u64
    }

    /// What is held, by number.
    pub(super) fn held(&self) -> impl Iterator<Item = (u64, &Item)> {
        let all = self.items.iter().enumerate().skip(self.first);
        all.filter(|(_, item)| item.fate == Fate::Held)
            .map(|(at, item)| (at as u64 + 1, item))
    }

    fn tally(&self, counts: impl Fn(u64, &Item) -> bool) -> (usize, usize) {
        let counted = self.held().filter(|(seq, item)| counts(*seq, item));
        counted.fold((0, 0), |(events, bytes), (_, item)| {
            (events + 1, bytes + item.cost())
        })
    }

    fn unwritten_control(&self) -> (usize, usize) {
        self.tally(|seq, item| seq > self.written && !item.is_signal())
    }

    /// How many signals wait unwritten.
    pub(super) fn waiting(&self) -> usize {
        self.tally(|seq, item| seq > self.written && item.is_signal())
            .0
    }

    /// Whether a signal finds room, alone and among all.
    pub(super) fn fits(&self, sender: Epoch, cost: usize) -> bool {
        let all = self.tally(|seq, item| seq > self.written && item.is_signal());
        let own = self.tally(|seq, item| seq > self.written && item.class == Class::Signal(sender));
        !is_over(all.0 + 1, all.1 + cost, SIGNALS) && !is_over(own.0 + 1, own.1 + cost, HALF)
    }

    /// Whether a bye's data finds room beside its end.
    pub(super) fn fits_control(&self, cost: usize) -> bool {
        self.unwritten_control().1 + cost <= CONTROL_BYTES / 2
    }

    /// Puts an event in. News of a peer's presence takes the place of unwritten news of the same.
    pub(super) fn push(&mut self, name: &'static str, data: String, class: Class) {
        (self.touched, self.changed) = (true, true);
        let news = matches!(class, Class::Info(_) | Class::Absence(_));
        let from = self.written as usize;
        let mut unwritten = self.items.iter_mut().skip(from);
        let same = unwritten.find(|item| item.fate == Fate::Held && item.class == class);
        match same.filter(|_| news) {
            Some(item) => {
                if item.name != "peer-joined" {
                    item.name = name;
                }
                item.data = data;
            }
            None => self.items.push(Item {
                name,
                data,
                class,
                known: None,
                written: None,
                fate: Fate::Held,
                lost: [false; 2],
            }),
        }
        loop {
            let (events, bytes) = self.unwritten_control();
            if !is_over(events, bytes, RESERVE) {
                break;
            }
            let oldest = self
                .held()
                .find(|(seq, item)| *seq > self.written && !item.is_signal());
            let seq = oldest.expect("the reserve holds something").0;
            self.lose(seq, Fate::Overflowed);
        }
    }

    fn lose(&mut self, seq: u64, fate: Fate) {
        self.changed = true;
        let item = &mut self.items[seq as usize - 1];
        item.fate = fate;
        for (d, door) in Door::ALL.into_iter().enumerate() {
            item.lost[d] = item.is_for(door, None) && seq > self.acked[d];
            if fate == Fate::Overflowed && item.lost[d] {
                self.overflow[d] = self.overflow[d].max(seq);
            }
        }
    }

    fn mark_written(&mut self, seq: u64, now: Time) {
        let (from, to) = (self.written as usize, seq as usize);
        for item in self.items.iter_mut().take(to).skip(from) {
            item.written = Some(now);
        }
        self.written = self.written.max(seq);
    }

    /// A client presented `seq`.
    pub(super) fn acknowledge(&mut self, door: Door, seq: u64, now: Time) {
        self.changed = true;
        let d = door as usize;
        self.acked[d] = self.acked[d].max(seq);
        if door == Door::Events {
            self.mark_written(seq, now);
        }
        let [events, notices] = self.acked;
        for at in self.first..(events as usize) {
            let item = &mut self.items[at];
            let waits = matches!(item.class, Class::Notice(_)) && at as u64 + 1 > notices;
            if item.fate == Fate::Held && !waits {
                item.fate = Fate::Acknowledged;
            }
        }
        self.keep_bound();
    }

    /// Everything up to `seq` was handed out at `/events` or `/poll`.
    pub(super) fn wrote(&mut self, seq: u64, now: Time) {
        self.changed |= seq > self.written;
        self.mark_written(seq, now);
        self.keep_bound();
    }

    /// Past the bound the oldest of what was written goes.
    fn keep_bound(&mut self) {
        loop {
            let (events, bytes) = self.tally(|seq, _| seq <= self.written);
            if !is_over(events, bytes, SIGNALS) {
                break;
            }
            let (seq, _) = self.held().next().expect("something is held");
            self.lose(seq, Fate::Evicted);
        }
    }

    /// Whether something is held that was written a resume window ago; it is to be compared then.
    pub(super) fn has_old(&mut self, now: Time) -> bool {
        let window = TIMINGS.resume_window;
        let first = self.held().next().and_then(|(_, item)| item.written);
        let old = first.is_some_and(|at| now.since(at) >= window);
        self.changed |= old;
        old
    }

    /// Compares a mailbox with this: what is missing there was written a resume window ago.
    pub(super) fn compare(&mut self, mailbox: &Mailbox, now: Time, ticked: Time, may_keep: bool) {
        assert_eq!(mailbox.head(), self.head(), "as many events were put in");
        assert_eq!(mailbox.acknowledged().seq, self.acked[0]);
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let window = TIMINGS.resume_window;
        let mut there = mailbox.after(Door::Events, None, 0).peekable();
        let mut expired = Vec::new();
        for (seq, item) in self.held() {
            let age = item.written.map(|at| now.since(at));
            if age.is_none() && item.known.is_some_and(|at| now.since(at) >= window) {
                count("mailbox", "unwritten-kept");
            }
            if let Some((_, frame)) = there.next_if(|(other, _)| *other == seq) {
                assert!(item.is(frame), "{seq} is {item:?}, not {frame:?}");
                let looked = item.written.map(|at| ticked.since(at));
                let looked = looked.filter(|_| ticked.since(self.restored) >= FIRST_LOOK);
                let late = !may_keep && looked.is_some_and(|age| age >= window);
                assert!(!late, "{seq} is held too long: {item:?}");
            } else {
                let old = age.is_some_and(|age| age >= window);
                assert!(old, "{seq} is gone: {item:?}; there: {:?}", there.peek());
                expired.push(seq);
            }
        }
        assert_eq!(there.next(), None, "nothing is held that was not put in");
        count_many("mailbox", "expired", expired.len());
        for seq in expired {
            self.lose(seq, Fate::Evicted);
        }
        self.changed = false;
        for item in self.items.iter_mut().rev() {
            if item.known.is_some() {
                break;
            }
            item.known = Some(now);
        }
        let held = |item: &Item| item.fate == Fate::Held;
        while self.items.get(self.first).is_some_and(|item| !held(item)) {
            self.first += 1;
        }
        self.check_bounds(mailbox);
    }

    fn check_bounds(&self, mailbox: &Mailbox) {
        assert_eq!(mailbox.waiting(), self.waiting(), "signals wait");
        let held: Vec<_> = mailbox.after(Door::Events, None, 0).collect();
        let tally = |all: &[(u64, &Frame)], counts: &dyn Fn(u64, &Item) -> bool| {
            let item = |seq: u64| &self.items[seq as usize - 1];
            let counted = all.iter().filter(|(seq, _)| counts(*seq, item(*seq)));
            counted.fold((0, 0), |(n, bytes), (_, frame)| {
                (n + 1, bytes + frame.cost())
            })
        };
        let within = |what: &str, (events, bytes): (usize, usize), bounds| {
            let fits = !is_over(events, bytes, bounds);
            assert!(fits, "{what}: {events} events of {bytes} bytes");
        };
        let written = self.written;
        let signals = tally(&held, &|seq, item| seq > written && item.is_signal());
        within("unwritten signals", signals, SIGNALS);
        let control = tally(&held, &|seq, item| seq > written && !item.is_signal());
        within("unwritten control events", control, RESERVE);
        let kept = tally(&held, &|seq, _| seq <= written);
        within("written events", kept, SIGNALS);
        assert_eq!(mailbox.len(), held.len());
    }
}
