//! Peers that have joined, each with a reader.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::net::{Key, What};
use crate::stage::{PATIENCE, Stage};
use crate::wire::{Door, Seat};

/// From one poll to the next. Polls of real clients are spread over the time that each is held.
/// Those that begin together are also probed together by the kernel (keepalive), and a loopback
/// device takes no more than 1,000 packets at once: the others would lose their connections.
const POLLS_APART: Duration = Duration::from_millis(5);

/// How far a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Joining,
    Opening,
    Open,
}

/// Peers, and the connections of their readers. A connection's tag is the peer's number.
pub(crate) struct Peers {
    pub(crate) seats: Vec<Seat>,
    pub(crate) keys: Vec<Option<Key>>,
    steps: Vec<Step>,
    door: Door,
}

/// What a peer is told while others still open.
pub(crate) struct Heard<'a> {
    pub(crate) number: usize,
    pub(crate) name: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl Peers {
    /// So many peers join, in rooms of so many, and open their readers: each join and its reader on
    /// one connection, `at_once` at a time.
    pub(crate) fn gather(
        stage: &mut Stage,
        count: usize,
        in_room: usize,
        door: Door,
    ) -> anyhow::Result<Self> {
        let seat = |number: usize| {
            let room = format!("{}-{}", stage.run, number / in_room);
            Seat::new(number, room, format!("peer-{number}"))
        };
        let mut peers = Self {
            seats: (0..count).map(seat).collect(),
            keys: vec![None; count],
            steps: vec![Step::Joining; count],
            door,
        };
        peers.open(stage, |_| {})?;
        Ok(peers)
    }

    /// Those who were cut off open their readers again, each at its cursor.
    pub(crate) fn reopen(
        &mut self,
        stage: &mut Stage,
        heard: impl FnMut(Heard<'_>),
    ) -> anyhow::Result<()> {
        self.steps.fill(Step::Opening);
        self.open(stage, heard)
    }

    /// Closes the connections of all readers.
    pub(crate) fn cut(&mut self, stage: &mut Stage) {
        for key in self.keys.iter_mut().filter_map(Option::take) {
            stage.net.close(key);
        }
    }

    /// Sees that a held poll is held again once it was answered.
    pub(crate) fn poll_again(
        &mut self,
        stage: &mut Stage,
        number: usize,
        body: &[u8],
    ) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Polled {
            cursor: String,
        }
        if stage.wire.greets() {
            self.seats[number].cursor = serde_json::from_slice::<Polled>(body)?.cursor;
        }
        if let Some(key) = self.keys[number] {
            stage
                .net
                .send(key, &stage.wire.open(&self.seats[number], self.door));
        }
        Ok(())
    }

    /// A reader has been told something: its cursor moves.
    pub(crate) fn move_on(&mut self, number: usize, id: &[u8]) {
        let cursor = &mut self.seats[number].cursor;
        cursor.clear();
        cursor.push_str(std::str::from_utf8(id).unwrap_or_default());
    }

    fn open(&mut self, stage: &mut Stage, mut heard: impl FnMut(Heard<'_>)) -> anyhow::Result<()> {
        let (mut begun, mut open) = (0, 0);
        let mut progress = Instant::now();
        let mut due = progress;
        let gap = match self.door {
            Door::Events | Door::Notices => Duration::ZERO,
            Door::Poll => POLLS_APART.max(stage.size.hold / self.seats.len().max(1) as u32),
        };
        while open < self.seats.len() {
            let now = Instant::now();
            while begun < self.seats.len() && begun - open < stage.size.at_once && now >= due {
                open += usize::from(self.begin(stage, begun)?);
                begun += 1;
                due += gap;
                progress = now;
            }
            let patient = progress + PATIENCE;
            let wake = if due > now { due.min(patient) } else { patient };
            stage.net.turn(&mut stage.turn, wake)?;
            anyhow::ensure!(
                progress.elapsed() < PATIENCE,
                "only {open} of {} readers are open",
                self.seats.len()
            );
            let happenings = std::mem::take(&mut stage.turn.happenings);
            for happening in &happenings {
                let number = happening.tag;
                let before = self.steps[number];
                match &happening.what {
                    What::Answer { status, body } => {
                        let body = stage.turn.text(body).to_vec();
                        accepted(*status, &body)?;
                        if before == Step::Joining {
                            self.seats[number].joined(&body)?;
                            self.ask(stage, number, happening.key);
                        } else {
                            self.poll_again(stage, number, &body)?;
                        }
                    }
                    What::Opened if !stage.wire.greets() => self.steps[number] = Step::Open,
                    What::Opened => {}
                    What::Event { name, id, data } => {
                        let (name, id, data) = (
                            stage.turn.text(name),
                            stage.turn.text(id),
                            stage.turn.text(data),
                        );
                        if name == b"ready" {
                            self.steps[number] = Step::Open;
                        }
                        heard(Heard { number, name, data });
                        if !id.is_empty() {
                            self.move_on(number, id);
                        }
                    }
                    What::Ended | What::Closed => {
                        anyhow::bail!("the server closed the connection of peer {number}")
                    }
                }
                if before != Step::Open && self.steps[number] == Step::Open {
                    open += 1;
                    progress = Instant::now();
                }
            }
            stage.turn.happenings = happenings;
        }
        Ok(())
    }

    /// Connects and asks for the first thing; whether that is all already.
    fn begin(&mut self, stage: &mut Stage, number: usize) -> anyhow::Result<bool> {
        let key = stage.net.connect(number)?;
        self.keys[number] = Some(key);
        let join = stage.wire.join(&self.seats[number]);
        match join.filter(|_| self.steps[number] == Step::Joining) {
            Some(join) => stage.net.send(key, &join),
            None => self.ask(stage, number, key),
        }
        Ok(self.steps[number] == Step::Open)
    }

    /// Asks for the reader. One that polls is open with that.
    fn ask(&mut self, stage: &mut Stage, number: usize, key: Key) {
        stage
            .net
            .send(key, &stage.wire.open(&self.seats[number], self.door));
        self.steps[number] = if self.door == Door::Poll {
            Step::Open
        } else {
            Step::Opening
        };
    }
}

/// An answer that says no ends the scenario: the figures would be those of refusals.
pub(crate) fn accepted(status: u16, body: &[u8]) -> anyhow::Result<()> {
    anyhow::ensure!(
        (200..300).contains(&status),
        "refused: {status} {}",
        String::from_utf8_lossy(body)
    );
    Ok(())
}
