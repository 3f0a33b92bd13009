//! Token buckets, each of one number.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many nanoseconds a full bucket lasts.
const FULL: u64 = 1_000_000_000;

/// What passes in a second, and at most at once; without a bound for 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate(pub(super) u64);

/// A bucket, as the time at which it will be full again. It holds what passes in one second.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Bucket {
    /// Takes `count` at `now`, in nanoseconds from some start; false where it does not hold as many.
    pub(super) fn take(&self, rate: Rate, count: usize, now: u64) -> bool {
        if rate.0 == 0 {
            return true;
        }
        let cost = (count as u64).saturating_mul(FULL) / rate.0;
        let taken = |full: u64| {
            let full = full.max(now).saturating_add(cost);
            (full <= now.saturating_add(FULL)).then_some(full)
        };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_passes_in_a_second_and_fills_again() {
        let (bucket, rate) = (Bucket::default(), Rate(1000));
        assert!(bucket.take(rate, 600, 0));
        assert!(!bucket.take(rate, 600, 0), "only 400 are left");
        assert!(bucket.take(rate, 400, 0));
        assert!(!bucket.take(rate, 1, 0));
        assert!(bucket.take(rate, 100, FULL / 10));
        assert!(!bucket.take(rate, 1, FULL / 10));
        assert!(bucket.take(rate, 1000, 10 * FULL), "never more than full");
        assert!(!bucket.take(rate, 1, 10 * FULL));
    }

    #[test]
    fn without_a_bound_all_passes() {
        let bucket = Bucket::default();
        assert!((0..100_000).all(|_| bucket.take(Rate(0), usize::MAX, 0)));
    }
}
