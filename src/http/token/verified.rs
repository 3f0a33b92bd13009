//! Peer tokens that were verified lately: who sends many requests shows the same one each time.

use std::hash::BuildHasher as _;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::Bearer;

/// How many are kept: one at each place.
const PLACES: usize = 512;

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
        let place = self.place(token).lock();
        let One {
            token: known,
            bearer,
        } = place.as_ref()?;
        // In a time that does not tell how much of it is right.
        let same = verify_slices_are_equal(known.as_bytes(), token.as_bytes()).is_ok();
        same.then(|| bearer.clone())
    }

    /// Keeps what `token` says, in place of another.
    pub(super) fn keep(&self, token: &str, bearer: &Bearer) {
        let one = One {
            token: token.into(),
            bearer: bearer.clone(),
        };
        *self.place(token).lock() = Some(one);
    }

    fn place(&self, token: &str) -> &Mutex<Option<One>> {
        &self.places[self.hasher.hash_one(token) as usize % PLACES]
    }
}
