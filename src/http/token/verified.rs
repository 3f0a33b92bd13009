//! Peer tokens that were verified lately: who sends many requests shows the same one each time.

use std::hash::BuildHasher as _;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::Bearer;

/// How many are kept: one at each place.
const PLACES: usize = 2048;

/// What verified tokens say. The secrets never change while the server runs, so neither does this.
pub(super) struct Verified {
    places: Box<[Mutex<Option<One>>]>,
    hasher: RandomState,
}

struct One {
    token: Box<str>,
    bearer: Bearer,
}

impl Verified {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    /// What `token` says, if it is one of them.
    pub(super) fn get(&self, token: &str) -> Option<Bearer> {
        let found = |place: &Mutex<Option<One>>| {
            let place = place.lock();
            let one = place.as_ref()?;
            // In a time that does not tell how much of it is right.
            let same = verify_slices_are_equal(one.token.as_bytes(), token.as_bytes()).is_ok();
            same.then(|| one.bearer.clone())
        };
        self.places(token).into_iter().find_map(found)
    }

    /// Keeps what `token` says, in place of another if there is no free one.
    pub(super) fn keep(&self, token: &str, bearer: &Bearer) {
        let one = One {
            token: token.into(),
            bearer: bearer.clone(),
        };
        let [first, second] = self.places(token);
        let taken = first.lock().is_some();
        let place = if taken { second } else { first };
        *place.lock() = Some(one);
    }

    /// Where it may be kept.
    fn places(&self, token: &str) -> [&Mutex<Option<One>>; 2] {
        let hash = self.hasher.hash_one(token);
        [hash, hash >> 32].map(|hash| &self.places[hash as usize % PLACES])
    }
}
