//! Figures of a server, for Prometheus: counted as things happen, or looked up when they are asked
//! for. It knows no HTTP; names and labels are of fixed sets, none of which a client can widen.

mod gauges;

use std::borrow::Cow;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::hub::{Happening, Whose, Witness};
use crate::proto::{Fact, Kind, Presence, Reason, RoomId, Sent, Signal, Transport};
use gauges::Gauges;
pub use gauges::Outside;

/// What every name begins with.
const PREFIX: &str = "switchboard";

/// Upper bounds of what a server takes to hand an event on, in seconds; the clock of rooms has
/// milliseconds.
const DELIVERY: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// Upper bounds of what two browsers take to agree, in seconds.
const SETUP: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];
/// Upper bounds of how long calls and readers last, in seconds.
const LASTING: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0,
];

/// The types of signals that are told apart; all others are `other`.
const KINDS: [&str; 5] = ["offer", "answer", "candidate", "bye", "other"];
/// What becomes of a signal.
const RESULTS: [&str; 3] = ["accepted", "repeated", "refused"];
/// How a recipient stands.
const STATES: [&str; 4] = ["live", "queued", "away", "full"];

/// The figures of one server.
pub struct Metrics {
    registry: Registry,
    gauges: Gauges,
    /// Held by who tells them.
    told: Mutex<()>,
    joins: IntCounter,
    reads: IntCounterVec,
    reader_ends: IntCounterVec,
    reader_seconds: HistogramVec,
    fallbacks: IntCounterVec,
    signals: [[IntCounter; RESULTS.len()]; KINDS.len()],
    deliveries: [IntCounter; STATES.len()],
    delivery_seconds: [Histogram; Transport::ALL.len()],
    offers: IntCounter,
    answered_seconds: Histogram,
    session_seconds: HistogramVec,
    session_ends: IntCounterVec,
    peer_ends: IntCounterVec,
    aways: IntCounter,
    ice_reports: IntCounterVec,
    refusals: IntCounterVec,
}

impl Metrics {
    /// Figures of a server that has just begun.
    ///
    /// # Errors
    /// Where two have one name, which is a mistake of this module.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        let new = Registrar(&registry);
        let signals = new.counters(
            "signals_total",
            "Signals that peers have sent, by their type and what became of them",
            &["type", "result"],
        )?;
        let deliveries = new.counters(
            "deliveries_total",
            "Recipients of accepted signals, by how they stood; full: left out of a broadcast, since their mailbox had no room",
            &["state"],
        )?;
        let delivery_seconds = new.histograms(
            "delivery_seconds",
            "From when an event was put into a mailbox until it was handed to a reader's connection that waited for it",
            &["transport"],
            &DELIVERY,
        )?;
        let metrics = Self {
            gauges: Gauges::new(&new)?,
            told: Mutex::default(),
            joins: new.counter("joins_total", "Incarnations that began")?,
            reads: new.counters(
                "reads_total",
                "Readers that opened and polls, by how they began: fresh, resumed exactly where they stood, or behind a gap of that sort",
                &["transport", "outcome"],
            )?,
            reader_ends: new.counters(
                "reader_ends_total",
                "Streams that are over, by reason; gone: the connection went",
                &["transport", "reason"],
            )?,
            reader_seconds: new.histograms(
                "reader_seconds",
                "How long streams were open",
                &["transport"],
                &LASTING,
            )?,
            fallbacks: new.counters(
                "fallbacks_total",
                "Peers that went on reading by another transport",
                &["from", "to"],
            )?,
            signals: KINDS.map(|kind| RESULTS.map(|end| signals.with_label_values(&[kind, end]))),
            deliveries: STATES.map(|state| deliveries.with_label_values(&[state])),
            delivery_seconds: Transport::ALL
                .map(|how| delivery_seconds.with_label_values(&[how.as_str()])),
            offers: new.counter("sessions_total", "Sessions that began with an offer")?,
            answered_seconds: new.histogram(
                "sessions_answered_seconds",
                "From a session's offer to its first answer",
                &SETUP,
            )?,
            session_seconds: new.histograms(
                "session_duration_seconds",
                "From a session's offer to its end, by whether it was answered",
                &["answered"],
                &LASTING,
            )?,
            session_ends: new.counters(
                "session_ends_total",
                "Sessions that ended, by reason",
                &["reason"],
            )?,
            peer_ends: new.counters(
                "peer_ends_total",
                "Incarnations that ended, by reason",
                &["reason"],
            )?,
            aways: new.counter("aways_total", "Peers that were lost, and got their grace")?,
            ice_reports: new.counters(
                "ice_reports_total",
                "States of ICE that clients have told, and by which way they are connected",
                &["state", "way"],
            )?,
            refusals: new.counters(
                "refusals_total",
                "Requests that were refused, by the problem's name",
                &["slug"],
            )?,
            registry,
        };
        metrics.begin();
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            metrics.registry.register(Box::new(process))?;
        }
        Ok(metrics)
    }

    /// Has what is asked about most there from the beginning: what is missing cannot be told from what
    /// has not happened.
    fn begin(&self) {
        let streams = Transport::ALL.into_iter().filter(|how| how.is_stream());
        for how in streams {
            for reason in ["gone", "slow", "replaced", "drain", "max-age"] {
                self.reader_ends.with_label_values(&[how.as_str(), reason]);
            }
            self.reader_seconds.with_label_values(&[how.as_str()]);
            let pair = [how.as_str(), Transport::Poll.as_str()];
            self.fallbacks.with_label_values(&pair);
        }
        for how in Transport::ALL {
            for outcome in ["fresh", "resumed", "gap-evicted", "gap-reset"] {
                self.reads.with_label_values(&[how.as_str(), outcome]);
            }
        }
        for answered in ["yes", "no"] {
            self.session_seconds.with_label_values(&[answered]);
        }
        for reason in [Reason::Hangup, Reason::Left, Reason::Timeout] {
            self.session_ends.with_label_values(&[reason.as_str()]);
        }
        for reason in [Reason::Left, Reason::Timeout] {
            self.peer_ends.with_label_values(&[reason.as_str()]);
        }
    }

    /// A request was refused with the problem of that name.
    pub fn refused(&self, slug: &'static str) {
        self.refusals.with_label_values(&[slug]).inc();
    }

    /// All figures, as Prometheus reads them (text format 0.0.4); those that are looked up as they
    /// stand in `now`.
    ///
    /// # Errors
    /// Where a figure cannot be written, which is a mistake of this module.
    pub fn text(&self, now: &Outside) -> prometheus::Result<String> {
        // What is brought up to what was counted elsewhere is so by one at a time.
        let _alone = self.told.lock();
        self.gauges.set(now);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn sent(&self, signal: &Signal, sent: &Sent) {
        let result = usize::from(sent.duplicate);
        self.signals[kind(&signal.kind)][result].inc();
        if sent.duplicate {
            return;
        }
        for to in &sent.receipt.to {
            let state = match to.state {
                _ if to.refused => 3,
                Presence::Live => 0,
                Presence::Queued => 1,
                Presence::Away => 2,
            };
            self.deliveries[state].inc();
        }
    }

    fn changed(&self, fact: &Fact) {
        match fact {
            Fact::Joined { .. } => self.joins.inc(),
            Fact::Away(_) => self.aways.inc(),
            Fact::Back(_) => {}
            Fact::Reads {
                transport,
                before,
                resumed,
                gap,
                ..
            } => {
                let how = transport.as_str();
                let outcome: Cow<'_, str> = match gap {
                    Some(gap) => format!("gap-{}", gap.as_str()).into(),
                    None if *resumed => "resumed".into(),
                    None => "fresh".into(),
                };
                self.reads.with_label_values(&[how, &outcome]).inc();
                if let Some(before) = before.filter(|before| before != transport) {
                    let pair = [before.as_str(), how];
                    self.fallbacks.with_label_values(&pair).inc();
                }
            }
            Fact::Stopped {
                transport,
                reason,
                open,
                ..
            } => {
                let how = transport.as_str();
                let reason = reason.map_or("gone", Reason::as_str);
                self.reader_ends.with_label_values(&[how, reason]).inc();
                let all = &self.reader_seconds;
                all.with_label_values(&[how]).observe(open.as_secs_f64());
            }
            Fact::Offered { .. } => self.offers.inc(),
            Fact::Answered { after, .. } => self.answered_seconds.observe(after.as_secs_f64()),
            Fact::SessionEnded {
                reason,
                answered,
                after,
                ..
            } => {
                let reason = [reason.as_str()];
                self.session_ends.with_label_values(&reason).inc();
                let answered = [if *answered { "yes" } else { "no" }];
                let all = &self.session_seconds;
                all.with_label_values(&answered)
                    .observe(after.as_secs_f64());
            }
            Fact::Reported { report, .. } => {
                let way = report.way.map_or("", crate::proto::Way::as_str);
                let told = [report.ice.as_str(), way];
                self.ice_reports.with_label_values(&told).inc();
            }
        }
    }
}

impl Witness for Metrics {
    fn saw(&self, _: &RoomId, happening: &Happening<'_>, whose: Whose, _: u64) {
        // Of what all nodes see, the one counts that has done it.
        if whose == Whose::Theirs {
            return;
        }
        match happening {
            Happening::Fact(fact) => self.changed(fact),
            Happening::Sent { signal, sent, .. } => self.sent(signal, sent),
            Happening::Refused { signal, .. } => self.signals[kind(&signal.kind)][2].inc(),
            Happening::Left { reason, .. } => {
                let reason = [reason.as_str()];
                self.peer_ends.with_label_values(&reason).inc();
            }
        }
    }

    fn delivered(&self, transport: Transport, after: Duration) {
        self.delivery_seconds[transport as usize].observe(after.as_secs_f64());
    }
}

fn kind(kind: &Kind) -> usize {
    match kind {
        Kind::Offer => 0,
        Kind::Answer => 1,
        Kind::Candidate => 2,
        Kind::Bye => 3,
        Kind::Other(_) => 4,
    }
}

/// Makes figures, each known to the registry.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, new: C) -> prometheus::Result<C> {
        self.0.register(Box::new(new.clone()))?;
        Ok(new)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.add(IntCounter::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> prometheus::Result<Histogram> {
        let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.add(Histogram::with_opts(opts)?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.add(HistogramVec::new(opts, labels)?)
    }
}
