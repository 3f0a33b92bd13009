//! Messages between pairs of peers: as fast as they go, and at a steady pace.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::meter::Load;
use crate::net::{Key, What};
use crate::peers::{Peers, accepted};
use crate::stage::{ARRIVAL, Outcome, Stage, micros};
use crate::tally::{Tally, number};
use crate::wire::{Door, Message, To, filler};

/// From one message to the next, at the steady pace: 1,000 a second.
const GAP: Duration = Duration::from_millis(1);

/// One peer that sends, and one that receives.
struct Pair {
    sender: Key,
    /// How many messages it has sent.
    sent: u32,
    /// Whether the last one is answered.
    is_answered: bool,
    /// When each message was due, from the first of the steady ones on.
    due: Vec<Instant>,
    /// Those that are due and wait for the answer to the one before.
    waiting: VecDeque<Instant>,
}

struct Relay<'a> {
    stage: &'a mut Stage,
    peers: Peers,
    pairs: Vec<Pair>,
    tally: Tally,
    text: String,
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let span = stage.size.span;
    let mut relay = Relay::open(stage)?;

    let (load, messages) = relay.closed(span)?;
    outcome.figure("CPU per message", "µs", load.micros_each(messages));
    outcome.figure("messages", "/s", load.per_second(messages));
    outcome.loads.push(load);

    let (load, mut spans) = relay.steady(span)?;
    outcome.figure(
        "CPU per message at 1,000/s",
        "µs",
        load.micros_each(spans.len() as u64),
    );
    outcome.percentile("p50 at 1,000/s", &mut spans, 0.5);
    outcome.percentile("p99 at 1,000/s", &mut spans, 0.99);
    outcome.loads.push(load);
    relay.close(&mut outcome)?;
    Ok(outcome)
}

/// The steady pace alone.
pub(super) fn steadily(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let span = stage.size.span;
    let mut relay = Relay::open(stage)?;
    let (load, mut spans) = relay.steady(span)?;
    outcome.percentile("p50 at 1,000/s", &mut spans, 0.5);
    outcome.percentile("p99 at 1,000/s", &mut spans, 0.99);
    outcome.loads.push(load);
    relay.close(&mut outcome)?;
    Ok(outcome)
}

impl<'a> Relay<'a> {
    fn open(stage: &'a mut Stage) -> anyhow::Result<Self> {
        let count = stage.size.pairs;
        let peers = Peers::gather(stage, 2 * count, 2, Door::Events)?;
        let pair = |number| {
            Ok(Pair {
                sender: stage.net.connect(2 * count + number)?,
                sent: 0,
                is_answered: true,
                due: Vec::new(),
                waiting: VecDeque::new(),
            })
        };
        let pairs = (0..count).map(pair).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            stage,
            peers,
            pairs,
            tally: Tally::new(count),
            text: filler(400),
        })
    }

    /// Sees that all was answered, and counts what was lost.
    fn close(mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let unanswered = self.pairs.iter().filter(|pair| !pair.is_answered).count();
        anyhow::ensure!(unanswered == 0, "{unanswered} requests were not answered");
        for (lane, pair) in self.pairs.iter().enumerate() {
            self.tally.close(lane, pair.sent);
        }
        outcome.faults = self.tally.faults();
        Ok(())
    }

    /// Each pair has one message under way all the time: what it cost, and how many arrived.
    fn closed(&mut self, span: Duration) -> anyhow::Result<(Load, u64)> {
        let from = Instant::now() + self.stage.size.warm_up;
        let mut until = from + span;
        let (mut meter, mut load, mut arrived) = (None, None, 0);
        for pair in 0..self.pairs.len() {
            self.send(pair);
        }
        while !self.is_quiet() {
            let now = Instant::now();
            if now >= from && meter.is_none() {
                (meter, arrived) = (Some(self.stage.meter()), 0);
                // On a busy machine, the look at the meter takes its time.
                until = Instant::now() + span;
            }
            if let Some(meter) = meter.as_ref().filter(|_| load.is_none() && now >= until) {
                load = Some((meter.stop(), arrived));
            }
            if now >= until + ARRIVAL {
                break;
            }
            self.turn(now + ARRIVAL, |relay, pair, at| {
                arrived += u64::from(at.is_some());
                if load.is_none() && relay.is_idle(pair) {
                    relay.send(pair);
                }
            })?;
        }
        load.ok_or_else(|| anyhow::anyhow!("the relay stood still"))
    }

    /// Messages are due at a steady pace, whatever became of those before: what it cost, and the
    /// microseconds from when each was due until it was there.
    fn steady(&mut self, span: Duration) -> anyhow::Result<(Load, Vec<f64>)> {
        for pair in &mut self.pairs {
            pair.due.clear();
        }
        let first: Vec<u32> = self.pairs.iter().map(|pair| pair.sent).collect();
        let until = Instant::now() + self.stage.size.warm_up + span;
        let from = until - span;
        let mut due = Instant::now();
        let mut next = 0;
        let mut spans = Vec::new();
        let mut meter = None;
        while due < until || !self.is_quiet() {
            let now = Instant::now();
            if now >= from && meter.is_none() {
                meter = Some(self.stage.meter());
            }
            while due <= now && due < until {
                self.pairs[next].waiting.push_back(due);
                self.send_due(next);
                (due, next) = (due + GAP, (next + 1) % self.pairs.len());
            }
            if now >= until + ARRIVAL {
                break;
            }
            let wake = if due < until { due } else { until + ARRIVAL };
            self.turn(wake, |relay, pair, arrived| {
                relay.send_due(pair);
                if let Some((number, at)) = arrived {
                    let nth = number.wrapping_sub(first[pair]) as usize;
                    let due = relay.pairs[pair].due.get(nth).filter(|due| **due >= from);
                    spans.extend(due.map(|due| micros(*due, at)));
                }
            })?;
        }
        let load = meter.map(|meter| meter.stop());
        Ok((load.unwrap_or_default(), spans))
    }

    /// Reads what has come, and says for each pair to whom something happened what arrived: a new
    /// message with its number, or nothing but an answer.
    fn turn(
        &mut self,
        until: Instant,
        mut then: impl FnMut(&mut Self, usize, Option<(u32, Instant)>),
    ) -> anyhow::Result<()> {
        self.stage.net.turn(&mut self.stage.turn, until)?;
        let readers = 2 * self.pairs.len();
        let happenings = std::mem::take(&mut self.stage.turn.happenings);
        for happening in &happenings {
            let turn = &self.stage.turn;
            match &happening.what {
                What::Answer { status, body } => {
                    accepted(*status, turn.text(body))?;
                    let pair = happening.tag - readers;
                    self.pairs[pair].is_answered = true;
                    then(self, pair, None);
                }
                What::Event { data, .. } => {
                    let pair = happening.tag / 2;
                    let number = number(turn.text(data));
                    if let Some(number) = number.filter(|number| self.tally.got(pair, *number)) {
                        then(self, pair, Some((number, happening.at)));
                    }
                }
                What::Opened => {}
                What::Ended | What::Closed => {
                    anyhow::bail!("the server closed connection {}", happening.tag)
                }
            }
        }
        self.stage.turn.happenings = happenings;
        Ok(())
    }

    fn send(&mut self, pair: usize) {
        let message = Message {
            kind: "candidate",
            session: None,
            number: self.pairs[pair].sent,
            text: &self.text,
        };
        let [from, to] = [&self.peers.seats[2 * pair], &self.peers.seats[2 * pair + 1]];
        let request = self.stage.wire.send(from, To::Peer(to), message);
        let pair = &mut self.pairs[pair];
        self.stage.net.send(pair.sender, &request);
        pair.sent += 1;
        pair.is_answered = false;
    }

    /// Sends the next that is due, once the one before is answered.
    fn send_due(&mut self, pair: usize) {
        let Pair {
            is_answered,
            waiting,
            due,
            ..
        } = &mut self.pairs[pair];
        if let Some(next) = is_answered.then(|| waiting.pop_front()).flatten() {
            due.push(next);
            self.send(pair);
        }
    }

    /// Whether nothing of a pair is under way.
    fn is_idle(&self, pair: usize) -> bool {
        let Pair {
            sent,
            is_answered,
            waiting,
            ..
        } = &self.pairs[pair];
        *is_answered && waiting.is_empty() && self.tally.reached(pair) >= *sent
    }

    fn is_quiet(&self) -> bool {
        (0..self.pairs.len()).all(|pair| self.is_idle(pair))
    }
}
