//! What one client sent and got, and whether that is everything, once.

use std::time::Duration;

/// The account of one client; signals are numbered by their sender, from 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    /// Its own signals that were answered with 202: those below this number.
    pub accepted: u64,
    /// Signals of its partner that came: those below this number.
    pub expected: u64,
    /// Numbers that were passed over.
    pub lost: u64,
    /// Numbers that came again.
    pub twice: u64,
    /// Announced gaps.
    pub gaps: u64,
    /// Answers that said `duplicate`: the first answer had been lost.
    pub duplicates: u64,
    /// Refusals for now, and lost connections, after which it tried again.
    pub retries: u64,
    /// Readers that were opened.
    pub readers: u64,
    /// Readers that ended with `end{drain}`.
    pub drained: u64,
    /// It was told that the server knows it no more, and joined again.
    pub told: u64,
    /// Numbers that were passed over by the first signal after that: they went with the server.
    pub gone: u64,
    /// Nothing has come since it joined again.
    pub anew: bool,
}

impl Ledger {
    /// Takes the partner's signal of this number.
    pub fn take(&mut self, number: u64) {
        if number < self.expected {
            self.twice += 1;
            return;
        }
        let passed = number - self.expected;
        if std::mem::take(&mut self.anew) {
            self.gone += passed;
        } else {
            self.lost += passed;
        }
        self.expected = number + 1;
    }

    /// Adds the account of another.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.expected += other.expected;
        self.lost += other.lost;
        self.twice += other.twice;
        self.gaps += other.gaps;
        self.duplicates += other.duplicates;
        self.retries += other.retries;
        self.readers += other.readers;
        self.drained += other.drained;
        self.told += other.told;
        self.gone += other.gone;
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} signals accepted, {} delivered, {} lost, {} twice, {} gaps; {} readers opened, {} told drain, {} told to join again; {} tries repeated, {} answered as duplicates",
            self.accepted,
            self.expected - self.lost - self.gone,
            self.lost,
            self.twice,
            self.gaps,
            self.readers,
            self.drained,
            self.told,
            self.retries,
            self.duplicates,
        )
    }
}

/// A span drawn at random.
pub fn between(least: u64, most: u64) -> Duration {
    Duration::from_millis(fastrand::u64(least..most))
}
