//! How many checks may hold a connection open at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::problem::Problem;
use crate::hub::Refused;

/// A check holds at most six at a time; anybody may check, so all of them together are bounded.
const MOST: usize = 1000;

/// The places of one server.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Places(Arc<AtomicUsize>);

/// One place, free again when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes a place.
    ///
    /// # Errors
    /// `overloaded` where all are taken.
    pub(in crate::http) fn take(&self) -> Result<Place, Problem> {
        let place = Place(self.0.clone());
        // Counted before it is looked at: the place that is one too many is given back on the way out.
        if self.0.fetch_add(1, Ordering::Relaxed) < MOST {
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
        let mut taken: Vec<_> = (0..MOST)
            .map(|_| places.take().expect("a free place"))
            .collect();
        for _ in 0..2 {
            assert_eq!(places.take().expect_err("full").name(), "overloaded");
        }
        taken.pop();
        let last = places.take().expect("the one that was given back");
        assert!(places.take().is_err());
        drop((taken, last));
        assert_eq!(places.0.load(Ordering::Relaxed), 0);
    }
}
