//! How many of a kind each client has at once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::client::Client;
use crate::hub::Place;

type Clients = Arc<Mutex<HashMap<Client, Weak<Present>>>>;

/// The places of each client; 0 is no bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    most: usize,
    clients: Clients,
}

/// A client that has places: as many as there are handles of this.
#[derive(Debug)]
struct Present {
    client: Client,
    among: Clients,
}

/// One place of a client's, which is given back when this is dropped; none where nothing is counted.
#[derive(Debug)]
pub(super) struct Taken(Option<Arc<Present>>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let clients = Clients::default();
        Self { most, clients }
    }

    /// Takes a place, if there is one; what `replaces` something that has one takes it in any case.
    pub(super) fn take(&self, client: Client, replaces: bool) -> Option<Taken> {
        if self.most == 0 {
            return Some(Taken(None));
        }
        let mut clients = self.clients.lock();
        let known = clients.get(&client).and_then(Weak::upgrade);
        let count = known
            .as_ref()
            .map_or(0, |known| Arc::strong_count(known) - 1);
        if count >= self.most && !replaces {
            // Not under the lock, which the last handle takes.
            drop(clients);
            return None;
        }
        let present = known.unwrap_or_else(|| {
            let among = self.clients.clone();
            let present = Arc::new(Present { client, among });
            clients.insert(client, Arc::downgrade(&present));
            present
        });
        Some(Taken(Some(present)))
    }
}

impl Taken {
    /// What keeps it.
    pub(super) fn into_place(self) -> Option<Place> {
        self.0.map(|present| present as Place)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut clients = self.among.lock();
        // Another may stand there by now.
        let gone = |present: &Weak<Self>| present.strong_count() == 0;
        if clients.get(&self.client).is_some_and(gone) {
            clients.remove(&self.client);
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
        assert!(places.clients.lock().is_empty());
    }
}
