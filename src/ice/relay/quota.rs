//! How many there are of something: in all, and of one owner.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::counts::{Tally, less, more};

/// The bounds, and what is taken of them; 0 is no bound.
pub(super) struct Quota<K: Hash + Eq> {
    all: usize,
    each: usize,
    taken: Mutex<Taken<K>>,
    tally: Arc<Tally>,
    /// Where those that there are now are counted.
    gauge: fn(&Tally) -> &AtomicU64,
}

struct Taken<K> {
    all: usize,
    by_owner: HashMap<K, usize>,
}

/// A place for one. Dropping it gives it back.
pub(super) struct Place<K: Hash + Eq> {
    owner: K,
    quota: Arc<Quota<K>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The owner has as many as it may have.
    Owner,
    /// There are as many as there may be.
    All,
}

impl<K: Hash + Eq + Clone> Quota<K> {
    /// So many in all, and so many of each owner.
    pub(super) fn new(
        all: usize,
        each: usize,
        tally: Arc<Tally>,
        gauge: fn(&Tally) -> &AtomicU64,
    ) -> Arc<Self> {
        let taken = Mutex::new(Taken {
            all: 0,
            by_owner: HashMap::new(),
        });
        Arc::new(Self {
            all,
            each,
            taken,
            tally,
            gauge,
        })
    }

    pub(super) fn take(self: &Arc<Self>, owner: K) -> Result<Place<K>, Full> {
        let mut taken = self.taken.lock();
        let its = taken.by_owner.get(&owner).copied().unwrap_or(0);
        if self.each > 0 && its >= self.each {
            return Err(Full::Owner);
        }
        if self.all > 0 && taken.all >= self.all {
            return Err(Full::All);
        }
        taken.all += 1;
        taken.by_owner.insert(owner.clone(), its + 1);
        more((self.gauge)(&self.tally), 1);
        let quota = self.clone();
        Ok(Place { owner, quota })
    }
}

impl<K: Hash + Eq> Place<K> {
    /// Whose it is.
    pub(super) fn owner(&self) -> &K {
        &self.owner
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock();
        taken.all -= 1;
        if let Some(its) = taken.by_owner.get_mut(&self.owner) {
            *its -= 1;
            if *its == 0 {
                taken.by_owner.remove(&self.owner);
            }
        }
        less((self.quota.gauge)(&self.quota.tally));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_by_owner_and_in_all_and_come_back() {
        let tally = Arc::new(Tally::default());
        let quota = Quota::new(3, 2, tally.clone(), |tally| &tally.relays);
        let first = quota.take("1:a").ok();
        let _second = quota.take("1:a").ok();
        assert_eq!(quota.take("1:a").err(), Some(Full::Owner));
        let _third = quota.take("1:b").ok();
        assert_eq!(quota.take("1:c").err(), Some(Full::All));
        assert_eq!(tally.read().relays, 3);
        drop(first);
        assert!(quota.take("1:a").is_ok());
        assert_eq!(tally.read().relays, 2);
        assert_eq!(quota.taken.lock().by_owner.len(), 2, "no owner is kept");
    }
}
