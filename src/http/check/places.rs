//! How many checks may hold a connection open at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::http::client::Client;
use crate::http::places::{Places as PlacesOfClients, Taken};
use crate::http::problem::Problem;
use crate::hub::Refused;

/// A check holds at most six at a time; anybody may check, so all of them together are bounded.
const MOST: usize = 1000;
/// Those of one address, of one /64 with IPv6.
const MOST_OF_CLIENT: usize = MOST / 4;
/// What is held for no longer is over soon: a probe for a stream, which browsers make on their own.
const SHORT: Duration = Duration::from_secs(10);

/// The places of one server: those that are held for long leave the others theirs.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Places {
    short: Kind,
    long: Kind,
}

#[derive(Clone, Debug)]
struct Kind {
    taken: Arc<AtomicUsize>,
    of_clients: PlacesOfClients,
}

/// One place, free again when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Place {
    taken: Arc<AtomicUsize>,
    _of_client: Taken,
}

impl Places {
    /// Takes a place for so long.
    ///
    /// # Errors
    /// `overloaded` where all are taken, or those of the client's address.
    pub(in crate::http) fn take(&self, client: Client, span: Duration) -> Result<Place, Problem> {
        let kind = if span <= SHORT {
            &self.short
        } else {
            &self.long
        };
        let of_client = kind.of_clients.take(client, false);
        let of_client = of_client.ok_or(Refused::TooManyReadersHere)?;
        // Counted before it is looked at: the place that is one too many is given back on the way out.
        let before = kind.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            taken: kind.taken.clone(),
            _of_client: of_client,
        };
        if before < MOST {
            Ok(place)
        } else {
            Err(Refused::TooManyReaders.into())
        }
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            taken: Arc::default(),
            of_clients: PlacesOfClients::new(MOST_OF_CLIENT),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: usize) -> Client {
        Client::at(format!("192.0.2.{n}").parse().expect("an address"))
    }

    #[test]
    fn a_place_is_free_again_when_its_check_is_over_and_one_too_many_is_refused() {
        let places = Places::default();
        let long = SHORT + Duration::from_millis(1);
        let take = |n, span| places.take(client(n), span);
        let mut taken: Vec<_> = (0..MOST)
            .map(|n| take(n / MOST_OF_CLIENT, long).expect("a free place"))
            .collect();
        for _ in 0..2 {
            assert_eq!(take(9, long).expect_err("full").name(), "overloaded");
        }
        drop(take(9, SHORT).expect("a place for who is gone soon"));
        taken.pop();
        let last = take(9, long).expect("the one that was given back");
        assert!(take(9, long).is_err());
        drop((taken, last));
        assert_eq!(places.long.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_address_leaves_most_places_to_others() {
        let places = Places::default();
        let take = |n| places.take(client(n), SHORT);
        let own: Vec<_> = (0..MOST_OF_CLIENT)
            .map(|_| take(1).expect("one's own"))
            .collect();
        assert_eq!(take(1).expect_err("its share").name(), "overloaded");
        assert!(take(2).is_ok());
        drop(own);
        assert!(take(1).is_ok());
    }
}
