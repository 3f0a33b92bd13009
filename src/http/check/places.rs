//! How many checks may hold a connection open at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::http::problem::Problem;
use crate::hub::Refused;

/// A check holds at most six at a time; anybody may check, so all of them together are bounded.
const MOST: usize = 1000;
/// What is held for no longer is over soon: a probe for a stream, which browsers make on their own.
const SHORT: Duration = Duration::from_secs(10);

/// The places of one server: those that are held for long leave the others theirs.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Places {
    short: Arc<AtomicUsize>,
    long: Arc<AtomicUsize>,
}

/// One place, free again when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes a place for so long.
    ///
    /// # Errors
    /// `overloaded` where all are taken.
    pub(in crate::http) fn take(&self, span: Duration) -> Result<Place, Problem> {
        let taken = if span <= SHORT {
            &self.short
        } else {
            &self.long
        };
        let place = Place(taken.clone());
        // Counted before it is looked at: the place that is one too many is given back on the way out.
        if taken.fetch_add(1, Ordering::Relaxed) < MOST {
            Ok(place)
        } else {
            Err(Refused::TooManyReaders.into())
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_check_is_over_and_one_too_many_is_refused() {
        let places = Places::default();
        let long = SHORT + Duration::from_millis(1);
        let mut taken: Vec<_> = (0..MOST)
            .map(|_| places.take(long).expect("a free place"))
            .collect();
        for _ in 0..2 {
            assert_eq!(places.take(long).expect_err("full").name(), "overloaded");
        }
        drop(places.take(SHORT).expect("a place for who is gone soon"));
        taken.pop();
        let last = places.take(long).expect("the one that was given back");
        assert!(places.take(long).is_err());
        drop((taken, last));
        assert_eq!(places.long.load(Ordering::Relaxed), 0);
    }
}
