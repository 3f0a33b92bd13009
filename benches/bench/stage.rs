//! What a scenario has to play with, and what it brings back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::meter::{Load, Meter};
use crate::net::{Net, Turn};
use crate::numbers::percentile;
use crate::options::Options;
use crate::tally::Faults;
use crate::wire::Wire;

/// How long nothing may happen where something must.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long what is under way may take to arrive.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(10);

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) warm_up: Duration,
    pub(crate) span: Duration,
    pub(crate) peers: usize,
    /// How many open at a time, where many do.
    pub(crate) at_once: usize,
    pub(crate) pairs: usize,
    /// How many relays are flooded.
    pub(crate) relays: usize,
    pub(crate) calls: usize,
    pub(crate) room: usize,
    pub(crate) heartbeat: Duration,
    /// How long a held poll is watched.
    pub(crate) hold: Duration,
    /// Between the close of all streams and the last look at the memory.
    pub(crate) afterwards: Duration,
}

impl Size {
    pub(crate) fn of(options: &Options) -> Self {
        let whole = Self {
            warm_up: Duration::from_secs(1),
            span: Duration::from_secs_f64(options.seconds),
            peers: options.peers as usize / 2 * 2,
            at_once: 256,
            pairs: 64,
            relays: 200,
            calls: 16,
            room: 100,
            heartbeat: Duration::from_secs(15),
            hold: Duration::from_secs(25),
            afterwards: Duration::from_secs(5),
        };
        if !options.smoke {
            return whole;
        }
        Self {
            warm_up: Duration::from_millis(50),
            span: Duration::from_millis(200),
            peers: 40,
            at_once: 16,
            pairs: 4,
            relays: 4,
            calls: 4,
            room: 10,
            heartbeat: Duration::from_secs(1),
            hold: Duration::from_millis(500),
            afterwards: Duration::from_millis(200),
        }
    }
}

/// A server, and the generator's connections to it.
pub(crate) struct Stage {
    pub(crate) wire: Wire,
    pub(crate) pid: u32,
    /// What the names of rooms begin with, for a server that has seen other runs.
    pub(crate) run: String,
    pub(crate) size: Size,
    pub(crate) net: Net,
    pub(crate) turn: Turn,
    /// The server's relay for media, where it is to have one.
    pub(crate) relay: Option<Relay>,
    /// A process that makes load beside the generator.
    pub(crate) helper: Option<u32>,
}

/// A server's relay for media.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    /// Whether it is to be at its limit.
    pub(crate) busy: bool,
}

impl Stage {
    pub(crate) fn meter(&self) -> Meter {
        Meter::start(self.pid, self.helper)
    }
}

/// One measured number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

/// What one run of a scenario came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<Figure>,
    pub(crate) loads: Vec<Load>,
    pub(crate) faults: Faults,
}

impl Outcome {
    pub(crate) fn figure(&mut self, name: &'static str, unit: &'static str, value: f64) {
        self.figures.push(Figure { name, unit, value });
    }

    /// A percentile of spans, in microseconds; nothing where there is none.
    pub(crate) fn percentile(&mut self, name: &'static str, micros: &mut [f64], share: f64) {
        if let Some(value) = percentile(micros, share) {
            self.figure(name, "µs", value);
        }
    }
}

/// Microseconds from when something was due.
pub(crate) fn micros(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e6
}
