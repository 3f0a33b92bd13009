//! How many relays are open: in all, and of one credential.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::counts::{Tally, less, more};

/// The bounds, and what is taken of them; 0 is no bound.
pub(super) struct Quota {
    all: usize,
    per_user: usize,
    taken: Mutex<Taken>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_user: HashMap<Arc<str>, usize>,
}

/// A place for one relay. Dropping it gives it back.
pub(super) struct Place {
    user: Arc<str>,
    quota: Arc<Quota>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The credential has as many as it may have.
    User,
    /// There are as many as there may be.
    All,
}

impl Quota {
    pub(super) fn new(all: usize, per_user: usize, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            all,
            per_user,
            taken: Mutex::default(),
            tally,
        })
    }

    pub(super) fn take(self: &Arc<Self>, user: &str) -> Result<Place, Full> {
        let mut taken = self.taken.lock();
        let of_user = taken.by_user.get(user).copied().unwrap_or(0);
        if self.per_user > 0 && of_user >= self.per_user {
            return Err(Full::User);
        }
        if self.all > 0 && taken.all >= self.all {
            return Err(Full::All);
        }
        let user: Arc<str> = user.into();
        taken.all += 1;
        taken.by_user.insert(user.clone(), of_user + 1);
        more(&self.tally.relays, 1);
        let quota = self.clone();
        Ok(Place { user, quota })
    }
}

impl Place {
    /// Whose it is.
    pub(super) fn user(&self) -> &str {
        &self.user
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock();
        taken.all -= 1;
        if let Some(of_user) = taken.by_user.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.by_user.remove(&self.user);
            }
        }
        less(&self.quota.tally.relays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_by_user_and_in_all_and_come_back() {
        let tally = Arc::new(Tally::default());
        let quota = Quota::new(3, 2, tally.clone());
        let first = quota.take("1:a").ok();
        let _second = quota.take("1:a").ok();
        assert_eq!(quota.take("1:a").err(), Some(Full::User));
        let _third = quota.take("1:b").ok();
        assert_eq!(quota.take("1:c").err(), Some(Full::All));
        assert_eq!(tally.read().relays, 3);
        drop(first);
        assert!(quota.take("1:a").is_ok());
        assert_eq!(tally.read().relays, 2);
        assert_eq!(quota.taken.lock().by_user.len(), 2, "no user is kept");
    }
}
