//! What was sent, what came, and how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::client::answer::Refusal;

/// The longest time that is told apart, in microseconds.
const LONGEST: u64 = 600_000_000;
/// Figures of a time that count.
const FIGURES: u8 = 3;

/// Counts what happens to all peers.
#[derive(Default)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
    /// There is no going on.
    over: Notify,
}

#[derive(Default)]
struct Counts {
    open: usize,
    /// Readers that ended for good.
    readers_lost: u64,
    accepted: u64,
    refused: u64,
    unanswered: u64,
    arrived: u64,
    /// Accepted, and not there yet.
    missing: u64,
    doubled: u64,
    reordered: u64,
    refusals: BTreeMap<String, u64>,
    /// What the server said first when the access token had run out.
    expired: Option<Refusal>,
    lanes: Vec<Lane>,
    latency: Times,
    /// By how much signals were sent late.
    behind: Times,
}

/// What goes from one peer to the next.
#[derive(Default)]
struct Lane {
    signals: Vec<Signal>,
    /// Behind the highest that came.
    next: usize,
}

/// One signal.
#[derive(Clone, Copy, Default)]
struct Signal {
    due: Option<Instant>,
    accepted: bool,
    arrived: bool,
}

/// Times, as a histogram.
pub(super) struct Times(Option<Histogram<u64>>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, FIGURES).ok())
    }
}

impl Times {
    fn record(&mut self, span: Duration) {
        if let Some(times) = &mut self.0 {
            times.saturating_record(u64::try_from(span.as_micros()).unwrap_or(LONGEST).max(1));
        }
    }

    /// A percentile of them, in milliseconds.
    fn millis(&self, percent: f64) -> f64 {
        let micros = self.0.as_ref().filter(|times| !times.is_empty());
        micros.map_or(0.0, |times| times.value_at_percentile(percent) as f64 / 1e3)
    }
}

/// All of it, at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) accepted: u64,
    pub(super) arrived: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    pub(super) unanswered: u64,
    pub(super) readers_lost: u64,
    pub(super) refusals: BTreeMap<String, u64>,
    /// p50, p90, p99, the longest; in milliseconds.
    pub(super) latency: [f64; 4],
    /// The same of how late they were sent.
    pub(super) behind: [f64; 4],
}

impl Tally {
    /// So many peers send.
    pub(super) fn begin(&self, lanes: usize) {
        self.counts.lock().lanes.resize_with(lanes, Lane::default);
    }

    pub(super) fn opened(&self) {
        self.counts.lock().open += 1;
    }

    pub(super) fn open(&self) -> usize {
        self.counts.lock().open
    }

    pub(super) fn reader_lost(&self) {
        self.counts.lock().readers_lost += 1;
    }

    pub(super) fn accepted(&self) -> u64 {
        self.counts.lock().accepted
    }

    pub(super) fn refused(&self) -> u64 {
        self.counts.lock().refused
    }

    /// Something was refused that is no signal.
    pub(super) fn refusal(&self, slug: &str) {
        let mut counts = self.counts.lock();
        *counts.refusals.entry(slug.to_owned()).or_default() += 1;
    }

    /// A signal is about to be sent; its number in its lane.
    pub(super) fn sending(&self, lane: usize, due: Instant, now: Instant) -> usize {
        let mut counts = self.counts.lock();
        counts.behind.record(now.saturating_duration_since(due));
        let signals = &mut counts.lanes[lane].signals;
        signals.push(Signal {
            due: Some(due),
            ..Signal::default()
        });
        signals.len() - 1
    }

    pub(super) fn accept(&self, lane: usize, number: usize) {
        let mut counts = self.counts.lock();
        counts.accepted += 1;
        let signal = &mut counts.lanes[lane].signals[number];
        signal.accepted = true;
        // It may be there before its sender has heard of it.
        let missing = !signal.arrived;
        counts.missing += u64::from(missing);
    }

    pub(super) fn refuse(&self, slug: &str) {
        self.refusal(slug);
        self.counts.lock().refused += 1;
    }

    /// Nothing more is taken: the access token has run out.
    pub(super) fn expire(&self, refusal: Refusal) {
        self.counts.lock().expired.get_or_insert(refusal);
        self.over.notify_one();
    }

    /// What the server said when the access token had run out, if it has.
    pub(super) fn expiry(&self) -> Option<Refusal> {
        self.counts.lock().expired.clone()
    }

    /// The same, as soon as it has.
    pub(super) async fn expired(&self) -> Refusal {
        loop {
            if let Some(refusal) = self.expiry() {
                return refusal;
            }
            self.over.notified().await;
        }
    }

    pub(super) fn unanswered(&self) {
        self.counts.lock().unanswered += 1;
    }

    /// A signal of that lane is there.
    pub(super) fn arrive(&self, lane: usize, number: usize, now: Instant) {
        let mut counts = self.counts.lock();
        let counts = &mut *counts;
        let Some(lane) = counts.lanes.get_mut(lane) else {
            return;
        };
        let Some(signal) = lane.signals.get_mut(number) else {
            return;
        };
        if signal.arrived {
            counts.doubled += 1;
            return;
        }
        signal.arrived = true;
        counts.arrived += 1;
        counts.missing -= u64::from(signal.accepted);
        if number < lane.next {
            counts.reordered += 1;
        } else {
            lane.next = number + 1;
        }
        if let Some(due) = signal.due {
            counts.latency.record(now.saturating_duration_since(due));
        }
    }

    /// Whether all that was accepted is there.
    pub(super) fn has_all(&self) -> bool {
        self.counts.lock().missing == 0
    }

    pub(super) fn sum(&self) -> Sum {
        let counts = self.counts.lock();
        let figures =
            |times: &Times| [50.0, 90.0, 99.0, 100.0].map(|percent| times.millis(percent));
        Sum {
            accepted: counts.accepted,
            arrived: counts.arrived,
            lost: counts.missing,
            doubled: counts.doubled,
            reordered: counts.reordered,
            unanswered: counts.unanswered,
            readers_lost: counts.readers_lost,
            refusals: counts.refusals.clone(),
            latency: figures(&counts.latency),
            behind: figures(&counts.behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of so many that were sent, of which one was refused.
    fn tallied(arrivals: &[usize], sent: usize, refused: Option<usize>) -> (u64, u64, u64) {
        let tally = Tally::default();
        tally.begin(1);
        let now = Instant::now();
        for number in 0..sent {
            assert_eq!(tally.sending(0, now, now), number);
            if refused == Some(number) {
                tally.refuse("rate-limited");
            } else {
                tally.accept(0, number);
            }
        }
        for &number in arrivals {
            tally.arrive(0, number, now + Duration::from_millis(2));
        }
        let sum = tally.sum();
        assert_eq!(tally.has_all(), sum.lost == 0);
        (sum.lost, sum.doubled, sum.reordered)
    }

    #[test]
    fn what_is_lost_doubled_or_late_is_counted_and_what_was_refused_is_not() {
        assert_eq!(tallied(&[0, 1, 2], 3, None), (0, 0, 0));
        assert_eq!(tallied(&[0, 2], 4, None), (2, 0, 0));
        assert_eq!(tallied(&[0, 2], 3, Some(1)), (0, 0, 0));
        assert_eq!(tallied(&[0, 2, 1], 3, None), (0, 0, 1));
        assert_eq!(tallied(&[0, 0, 1, 7], 2, None), (0, 1, 0));
    }

    #[test]
    fn a_time_is_counted_from_when_the_signal_was_due() {
        let tally = Tally::default();
        tally.begin(1);
        let due = Instant::now();
        let sent = due + Duration::from_millis(500);
        let number = tally.sending(0, due, sent);
        tally.arrive(0, number, sent + Duration::from_millis(500));
        let Sum {
            latency, behind, ..
        } = tally.sum();
        assert!((latency[3] - 1000.0).abs() < 2.0, "{latency:?}");
        assert!((behind[0] - 500.0).abs() < 1.0, "{behind:?}");
    }
}
