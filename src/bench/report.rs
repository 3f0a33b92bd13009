//! What was measured, in words and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Options;
use super::tally::{Sum, Tally};
use crate::client::plain;
use crate::client::reading::Mode;

/// All figures; their names are those of the JSON.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    server: String,
    peers: u32,
    rooms: u32,
    transport: &'static str,
    joins_per_second: f64,
    readers_open: usize,
    asked_per_second: u32,
    signals_per_second: f64,
    signals: Signals,
    latency_ms: Figures,
    /// By how much this program itself sent late.
    behind_ms: Figures,
    faults: Faults,
    refusals: std::collections::BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Signals {
    accepted: u64,
    arrived: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Faults {
    lost: u64,
    doubled: u64,
    reordered: u64,
    unanswered: u64,
    readers_lost: u64,
}

impl From<[f64; 4]> for Figures {
    fn from([p50, p90, p99, max]: [f64; 4]) -> Self {
        Self { p50, p90, p99, max }
    }
}

impl Report {
    pub(super) fn new(
        options: &Options,
        rooms: u32,
        joining: Duration,
        readers_open: usize,
        sending: Duration,
        tally: &Tally,
    ) -> Self {
        let sum: Sum = tally.sum();
        let per_second = |count: f64, span: Duration| {
            (count / span.as_secs_f64().max(1e-3) * 10.0).round() / 10.0
        };
        Self {
            server: crate::client::base(&options.url).unwrap_or_default(),
            peers: options.peers,
            rooms,
            transport: match options.transport {
                Mode::Auto => "auto",
                Mode::Sse => "sse",
                Mode::Poll => "poll",
            },
            joins_per_second: per_second(f64::from(options.peers), joining),
            readers_open,
            asked_per_second: options.rate,
            signals_per_second: per_second(sum.accepted as f64, sending),
            signals: Signals {
                accepted: sum.accepted,
                arrived: sum.arrived,
            },
            latency_ms: sum.latency.into(),
            behind_ms: sum.behind.into(),
            faults: Faults {
                lost: sum.lost,
                doubled: sum.doubled,
                reordered: sum.reordered,
                unanswered: sum.unanswered,
                readers_lost: sum.readers_lost,
            },
            refusals: sum.refusals,
        }
    }

    /// Whether all was well.
    pub(super) fn is_good(&self) -> bool {
        let Faults {
            lost,
            doubled,
            reordered,
            unanswered,
            readers_lost,
        } = self.faults;
        let faults = lost + doubled + reordered + unanswered + readers_lost;
        faults == 0
            && self.refusals.is_empty()
            && self.signals.accepted > 0
            && self.readers_open == self.peers as usize
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, max } = self;
        write!(
            f,
            "p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peers,
            rooms,
            transport,
            signals,
            faults,
            ..
        } = self;
        writeln!(
            f,
            "{}: {peers} peers in {rooms} rooms, reading by {transport}",
            plain(&self.server)
        )?;
        writeln!(f, "  joins      {}/s", self.joins_per_second)?;
        writeln!(f, "  readers    {} open", self.readers_open)?;
        writeln!(
            f,
            "  signals    {}/s of {}/s: {} accepted, {} arrived",
            self.signals_per_second, self.asked_per_second, signals.accepted, signals.arrived
        )?;
        writeln!(f, "  latency    {}", self.latency_ms)?;
        writeln!(f, "  sent late  {}", self.behind_ms)?;
        writeln!(
            f,
            "  faults     {} lost, {} doubled, {} reordered, {} unanswered, {} readers lost",
            faults.lost, faults.doubled, faults.reordered, faults.unanswered, faults.readers_lost
        )?;
        if self.refusals.is_empty() {
            return writeln!(f, "  refusals   none");
        }
        let refusals = self.refusals.iter();
        let refusals: Vec<_> = refusals
            .map(|(slug, count)| format!("{count} {}", plain(slug)))
            .collect();
        writeln!(f, "  refusals   {}", refusals.join(", "))
    }
}
