//! A seeded random schedule against an oracle that keeps the rules of the protocol: joins, sends,
//! reads, cuts, repeated and aborted polls, take-overs, leaves, time, restarts.
//!
//! `SIMULATION_SEEDS=N` runs so many seeds, `SIMULATION_SEED=S` replays one (with both, N from S
//! on), `SIMULATION_STEPS=N` takes so many steps in each.

mod check;
mod client;
mod house;
mod joining;
mod mail;
mod member;
mod open;
mod oracle;
mod passing;
mod reading;
mod sending;
mod sends;
mod start;
mod tally;
mod world;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use futures_util::FutureExt as _;

use super::*;
use tally::{count, count_many};
use world::{Log, World};

use crate::proto::{
    BadCursor, Cursor, Door, Frame, Gap, Kind, Mailbox, MailboxLimits, PeerId, RoomLimits, Sent,
    Signal, SignalId,
};

const STEPS: u64 = 2_000;
const SEEDS: u64 = 200;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const EVENTS: usize = 12;
const BYTES: usize = 2048;
const CONTROL: usize = 10;
const CONTROL_BYTES: usize = 2048;

const LIMITS: HubLimits = HubLimits {
    room: RoomLimits {
        peers: 4,
        sessions: 6,
        remembered: 32,
        mailbox: MailboxLimits {
            events: EVENTS,
            bytes: BYTES,
            control_events: CONTROL,
            control_bytes: CONTROL_BYTES,
        },
    },
    rooms: 2,
    readers: 5,
    peers: 0,
    held: 0,
    ends: 6,
};

const TIMINGS: Timings = Timings {
    away_after: Duration::from_secs(2),
    grace: Duration::from_secs(30),
    join_grace: Duration::from_secs(120),
    resume_window: Duration::from_secs(180),
    heartbeat: Duration::from_secs(15),
    slow_after: Duration::ZERO,
};

impl World {
    fn step(&mut self) {
        let step = self.log.borrow().step + 1;
        self.log.borrow_mut().step = step;
        match self.rng.u16(..1000) {
            0..70 => self.join(),
            70..320 => self.send(),
            320..335 => self.flood(),
            335..375 => self.repeat(),
            375..455 => self.open_stream(),
            455..525 => self.poll(),
            525..755 => self.pull_some(),
            755..805 => self.drop_some(),
            805..813 => self.leave(),
            813..814 => self.close(),
            814..834 => self.come_late(),
            834..850 => self.proof(),
            850..884 => self.meta(),
            884..904 => self.ask(),
            904..908 => self.restart(),
            908..920 => self.announce(),
            _ => self.time(),
        }
        self.check(step.is_multiple_of(128));
    }
}

fn run(seed: u64, steps: u64, log: &Rc<RefCell<Log>>) {
    let mut world = World::new(seed, log.clone());
    for _ in 0..steps {
        world.step();
    }
    world.finish();
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_schedules_lose_double_and_leak_nothing() {
    let steps = number("SIMULATION_STEPS").unwrap_or(STEPS);
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + number("SIMULATION_SEEDS").unwrap_or(1),
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let many = seeds.end - seeds.start >= SEEDS && steps >= STEPS;
    for seed in seeds {
        let log = Rc::<RefCell<Log>>::default();
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(seed, steps, &log)));
        if outcome.is_err() {
            let Log { step, lines } = log.take();
            let lines = lines.into_iter().collect::<Vec<_>>().join("\n");
            eprintln!("the last steps (number, time, what):\n{lines}");
            let replay = format!("SIMULATION_SEED={seed} SIMULATION_STEPS={step}");
            panic!("seed {seed} failed in step {step}: replay it with {replay}");
        }
    }
    eprintln!("{}", tally::summary());
    let missing = tally::missing();
    assert!(!many || missing.is_empty(), "never came: {missing:?}");
}
