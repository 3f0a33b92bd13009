//! Everybody is cut off at once and comes back.

use std::time::{Duration, Instant};

use crate::net::{Key, What};
use crate::peers::{Peers, accepted};
use crate::stage::{ARRIVAL, Outcome, Stage, micros};
use crate::tally::{Tally, number};
use crate::wire::{Door, Message, To, Wire};

/// How many connections messages are sent over.
const SENDERS: usize = 32;

struct Resume<'a> {
    stage: &'a mut Stage,
    peers: Peers,
    tally: Tally,
    senders: Vec<Key>,
    /// How many messages each peer was sent.
    sent: u32,
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let peers = Peers::gather(stage, stage.size.peers, 2, Door::Events)?;
    let count = peers.seats.len();
    let senders = (0..SENDERS).map(|number| stage.net.connect(count + number));
    let senders = senders.collect::<anyhow::Result<_>>()?;
    let mut resume = Resume {
        stage,
        peers,
        tally: Tally::new(count),
        senders,
        sent: 0,
    };

    resume.say()?;
    resume.arrive()?;
    resume.peers.cut(resume.stage);
    // The reference forgets what nobody reads.
    if resume.stage.wire == Wire::Switchboard {
        resume.say()?;
    }
    std::thread::sleep(Duration::from_millis(500));

    let began = Instant::now();
    let meter = resume.stage.meter();
    let mut broken = 0_u64;
    let Resume {
        stage,
        peers,
        tally,
        ..
    } = &mut resume;
    let resumes = stage.wire.greets();
    peers.reopen(stage, |heard| {
        if let Some(number) = number(heard.data) {
            tally.got(heard.number, number);
        }
        let is_whole = memchr::memmem::find(heard.data, b"\"resumed\":true").is_some();
        broken += u64::from(resumes && heard.name == b"ready" && !is_whole);
    })?;
    resume.arrive()?;
    let load = meter.stop();
    let back = micros(began, Instant::now()) / 1000.0;
    anyhow::ensure!(broken == 0, "{broken} of {count} streams were not resumed");

    resume.say()?;
    resume.arrive()?;
    // What comes twice comes soon after.
    resume.listen(Instant::now() + Duration::from_millis(100), |_| false)?;
    for lane in 0..count {
        resume.tally.close(lane, resume.sent);
    }
    outcome.figure(
        "CPU per resumed stream",
        "µs",
        load.micros_each(count as u64),
    );
    outcome.figure("until all are back", "ms", back);
    outcome.loads.push(load);
    outcome.faults = resume.tally.faults();
    Ok(outcome)
}

impl Resume<'_> {
    /// Each peer is sent a message by the other one of its room.
    fn say(&mut self) -> anyhow::Result<()> {
        let count = self.peers.seats.len();
        let (mut next, mut answered) = (0, 0);
        for sender in self.senders.clone() {
            next += usize::from(self.send(sender, next));
        }
        let mut progress = Instant::now();
        while answered < count {
            anyhow::ensure!(
                progress.elapsed() < ARRIVAL,
                "only {answered} of {count} messages were answered"
            );
            for sender in self.turn(progress + ARRIVAL)? {
                answered += 1;
                next += usize::from(self.send(sender, next));
                progress = Instant::now();
            }
        }
        self.sent += 1;
        Ok(())
    }

    /// Waits until all that was sent has come, or will not come any more.
    fn arrive(&mut self) -> anyhow::Result<()> {
        self.listen(Instant::now() + ARRIVAL, |resume| {
            (0..resume.peers.seats.len()).all(|lane| resume.tally.reached(lane) >= resume.sent)
        })
    }

    fn listen(&mut self, until: Instant, is_done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        while !is_done(self) && Instant::now() < until {
            self.turn(until)?;
        }
        Ok(())
    }

    /// Sends the next message to the peer of that number; whether there is one.
    fn send(&mut self, sender: Key, number: usize) -> bool {
        let seats = &self.peers.seats;
        let Some(to) = seats.get(number) else {
            return false;
        };
        let message = Message {
            kind: "note",
            session: None,
            number: self.sent,
            text: "",
        };
        let request = self
            .stage
            .wire
            .send(&seats[number ^ 1], To::Peer(to), message);
        self.stage.net.send(sender, &request);
        true
    }

    /// Reads what has come; which senders have been answered.
    fn turn(&mut self, until: Instant) -> anyhow::Result<Vec<Key>> {
        let Self {
            stage,
            peers,
            tally,
            ..
        } = self;
        stage.net.turn(&mut stage.turn, until)?;
        let mut answered = Vec::new();
        for happening in &stage.turn.happenings {
            match &happening.what {
                What::Answer { status, body } => {
                    accepted(*status, stage.turn.text(body))?;
                    answered.push(happening.key);
                }
                What::Event { id, data, .. } => {
                    let id = stage.turn.text(id);
                    if !id.is_empty() {
                        peers.move_on(happening.tag, id);
                    }
                    if let Some(number) = number(stage.turn.text(data)) {
                        tally.got(happening.tag, number);
                    }
                }
                What::Opened => {}
                What::Ended | What::Closed => {
                    anyhow::bail!("the server closed connection {}", happening.tag)
                }
            }
        }
        Ok(answered)
    }
}
