//! Whole calls: two join, open their streams, exchange an offer, an answer and ten candidates each
//! way, hang up, and leave. Every call has rooms, peers and connections of its own.

use std::time::Instant;

use crate::net::{Happening, Key, What};
use crate::peers::accepted;
use crate::stage::{ARRIVAL, Outcome, Stage};
use crate::tally::{Tally, number};
use crate::wire::Door;
use crate::wire::{Message, Seat, To, filler};

/// How many candidates each side has.
const CANDIDATES: u32 = 10;
/// The number of the last message that the caller sends before the bye.
const LAST: u32 = CANDIDATES;
const BYE: u32 = LAST + 1;
/// The connections of a call: of each side one for requests, one for its stream.
const CONNECTIONS: usize = 4;

/// One of two parties. The first one calls.
struct Side {
    seat: Seat,
    requests: Key,
    stream: Key,
    /// Whether a request waits for its answer.
    is_busy: bool,
    has_joined: bool,
    is_reading: bool,
    has_asked_to_read: bool,
    /// How many messages it has sent: offer or answer, candidates, bye.
    sent: u32,
    has_left: bool,
    is_closed: bool,
}

struct Call {
    session: String,
    sides: [Side; 2],
}

struct Calls<'a> {
    stage: &'a mut Stage,
    slots: Vec<Option<Call>>,
    tally: Tally,
    begun: u64,
    done: u64,
    /// A session description, and a candidate.
    texts: [String; 2],
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let count = stage.size.calls;
    let (warm_up, span) = (stage.size.warm_up, stage.size.span);
    let mut calls = Calls {
        stage,
        slots: (0..count).map(|_| None).collect(),
        tally: Tally::new(2 * count),
        begun: 0,
        done: 0,
        texts: [filler(2_500), filler(150)],
    };
    let from = Instant::now() + warm_up;
    let mut until = from + span;
    let (mut meter, mut load) = (None, None);
    loop {
        let now = Instant::now();
        if now >= from && meter.is_none() {
            (meter, calls.done) = (Some(calls.stage.meter()), 0);
            // On a busy machine, the look at the meter takes its time.
            until = Instant::now() + span;
        }
        if let Some(meter) = meter.as_ref().filter(|_| load.is_none() && now >= until) {
            load = Some((meter.stop(), calls.done));
        }
        if load.is_none() {
            calls.begin()?;
        }
        let open = calls.slots.iter().flatten().count();
        if open == 0 {
            break;
        }
        anyhow::ensure!(
            now < until + ARRIVAL,
            "{open} calls did not come to their end"
        );
        calls.turn(now + ARRIVAL)?;
    }
    let (load, done) = load.unwrap_or_default();
    anyhow::ensure!(done > 0, "no call came to its end");
    outcome.figure("CPU per call", "µs", load.micros_each(done));
    outcome.figure("calls", "/s", load.per_second(done));
    outcome.loads.push(load);
    outcome.faults = calls.tally.faults();
    Ok(outcome)
}

impl Calls<'_> {
    /// Begins a call in every slot that is free.
    fn begin(&mut self) -> anyhow::Result<()> {
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_some() {
                continue;
            }
            let number = self.begun;
            self.begun += 1;
            let mut side = |which: usize| -> anyhow::Result<Side> {
                let tag = CONNECTIONS * slot + 2 * which;
                let seat = Seat::new(
                    2 * slot + which,
                    format!("{}-{number}", self.stage.run),
                    format!("peer-{which}"),
                );
                Ok(Side {
                    seat,
                    requests: self.stage.net.connect(tag)?,
                    stream: self.stage.net.connect(tag + 1)?,
                    is_busy: false,
                    has_joined: false,
                    is_reading: false,
                    has_asked_to_read: false,
                    sent: 0,
                    has_left: false,
                    is_closed: false,
                })
            };
            let sides = [side(0)?, side(1)?];
            self.slots[slot] = Some(Call {
                session: format!("s-{number}"),
                sides,
            });
            self.advance(slot);
        }
        Ok(())
    }

    fn turn(&mut self, until: Instant) -> anyhow::Result<()> {
        self.stage.net.turn(&mut self.stage.turn, until)?;
        let happenings = std::mem::take(&mut self.stage.turn.happenings);
        for happening in &happenings {
            self.happen(happening)?;
        }
        self.stage.turn.happenings = happenings;
        Ok(())
    }

    fn happen(&mut self, happening: &Happening) -> anyhow::Result<()> {
        let (slot, at) = (happening.tag / CONNECTIONS, happening.tag % CONNECTIONS);
        let (which, of_stream) = (at / 2, at % 2 == 1);
        let turn = &self.stage.turn;
        // What comes of a call that has ended is about nobody.
        let Some(call) = &mut self.slots[slot] else {
            return Ok(());
        };
        let side = &mut call.sides[which];
        if happening.key
            != if of_stream {
                side.stream
            } else {
                side.requests
            }
        {
            return Ok(());
        }
        match &happening.what {
            What::Answer { status, body } => {
                accepted(*status, turn.text(body))?;
                side.is_busy = false;
                if !side.has_joined {
                    side.seat.joined(turn.text(body))?;
                    side.has_joined = true;
                }
            }
            What::Opened => side.is_reading |= !self.stage.wire.greets(),
            What::Event { name, data, .. } => {
                side.is_reading |= turn.text(name) == b"ready";
                if let Some(number) = number(turn.text(data)) {
                    self.tally.got(2 * slot + which, number);
                }
            }
            What::Ended | What::Closed if side.has_left => side.is_closed |= of_stream,
            What::Ended | What::Closed => {
                anyhow::bail!("the server closed a connection in the middle of a call")
            }
        }
        self.advance(slot);
        Ok(())
    }

    /// Does all that is to be done now, and ends a call that is over.
    fn advance(&mut self, slot: usize) {
        self.step(slot, 0);
        self.step(slot, 1);
        let over = |call: &mut Call| {
            call.sides
                .iter()
                .all(|side| side.is_closed && !side.is_busy)
        };
        if let Some(call) = self.slots[slot].take_if(over) {
            for (which, side) in call.sides.iter().enumerate() {
                self.stage.net.close(side.requests);
                self.stage.net.close(side.stream);
                self.tally
                    .close(2 * slot + which, call.sides[1 - which].sent);
            }
            self.done += 1;
        }
    }

    /// The next request of one side, if it is its turn.
    fn step(&mut self, slot: usize, which: usize) {
        let wire = self.stage.wire;
        let [got, other_got] = [which, 1 - which].map(|which| self.tally.reached(2 * slot + which));
        let Some(call) = &mut self.slots[slot] else {
            return;
        };
        let is_everyone_here = call.sides.iter().all(|side| side.is_reading);
        let [caller, called] = &mut call.sides;
        let (side, other) = if which == 0 {
            (caller, called)
        } else {
            (called, caller)
        };
        if side.is_busy || side.is_closed {
            return;
        }
        if !side.has_joined {
            match wire.join(&side.seat) {
                Some(join) => {
                    self.stage.net.send(side.requests, &join);
                    side.is_busy = true;
                    return;
                }
                None => side.has_joined = true,
            }
        }
        if !side.has_asked_to_read {
            side.has_asked_to_read = true;
            self.stage
                .net
                .send(side.stream, &wire.open(&side.seat, Door::Events));
        }
        // The caller begins when both are there, the called one when it has the offer.
        let may_begin = is_everyone_here && (which == 0 || got > 0);
        let has_all = got > LAST && other_got > LAST;
        let is_over = if which == 0 {
            side.sent > BYE
        } else {
            got > BYE
        };
        let (kind, text) = match side.sent {
            0 if which == 0 => ("offer", &self.texts[0]),
            0 => ("answer", &self.texts[0]),
            1..=LAST => ("candidate", &self.texts[1]),
            _ => ("bye", &self.texts[1]),
        };
        let is_due = match side.sent {
            0 => may_begin,
            1..=LAST => true,
            BYE => which == 0 && has_all,
            _ => false,
        };
        if is_due {
            let message = Message {
                kind,
                session: Some(&call.session),
                number: side.sent,
                text,
            };
            let request = wire.send(&side.seat, To::Peer(&other.seat), message);
            self.stage.net.send(side.requests, &request);
            side.sent += 1;
            side.is_busy = true;
        } else if is_over && !side.has_left {
            side.has_left = true;
            match wire.leave(&side.seat) {
                Some(leave) => {
                    self.stage.net.send(side.requests, &leave);
                    side.is_busy = true;
                }
                // Whoever closes has left.
                None => side.is_closed = true,
            }
        }
    }
}
