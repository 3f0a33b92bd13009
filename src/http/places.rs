//! How many of a kind each client has at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::client::Client;

type Counts = Arc<Mutex<HashMap<Client, usize>>>;

/// The places of each client; 0 is no bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    most: usize,
    taken: Counts,
}

/// One place of a client's, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken(Option<(Counts, Client)>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let taken = Counts::default();
        Self { most, taken }
    }

    /// Takes a place, if there is one; what `replaces` something that has one takes it in any case.
    pub(super) fn take(&self, client: Client, replaces: bool) -> Option<Taken> {
        if self.most == 0 {
            return Some(Taken(None));
        }
        let mut taken = self.taken.lock();
        let count = taken.entry(client).or_default();
        if *count >= self.most && !replaces {
            return None;
        }
        *count += 1;
        Some(Taken(Some((self.taken.clone(), client))))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some((taken, client)) = self.0.take() else {
            return;
        };
        let mut taken = taken.lock();
        if let Some(count) = taken.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_and_gives_them_back() {
        let places = Places::new(2);
        let [here, there] = ["192.0.2.1", "192.0.2.2"]
            .map(|address| Client::at(address.parse().expect("an address")));
        let first = places.take(here, false).expect("a place");
        let second = places.take(here, false).expect("a place");
        assert!(places.take(here, false).is_none());
        let over = places.take(here, true).expect("in any case");
        assert!(places.take(there, false).is_some());
        drop((first, over));
        assert!(places.take(here, false).is_some());
        drop(second);
        assert!(places.taken.lock().is_empty());
    }
}
