//! How much one client, and one peer, may ask for: token buckets, and counts.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::client::Client;
use super::places::{Places, Taken};
use super::problem::{self, Problem};
use crate::config::Bounds;
use crate::hub::{Caller, Refused};
use crate::proto::{PeerId, RoomId};

/// How many checks it takes until buckets that are full again are forgotten.
const SWEEP: u32 = 10_000;

/// What has been taken of the bounds.
pub(super) struct Limits {
    joins: Option<Buckets<Client>>,
    signals: Option<Buckets<(RoomId, PeerId)>>,
    signals_of_client: Option<Buckets<Client>>,
    readers: Places,
    peers: Places,
    connections: Places,
}

impl Limits {
    /// `burst` is what one request may hold, whatever the rate.
    pub(super) fn new(bounds: &Bounds, burst: u32) -> Self {
        Self {
            joins: Buckets::new(bounds.joins_per_second, 1),
            signals: Buckets::new(bounds.signals_per_second, burst),
            signals_of_client: Buckets::new(bounds.signals_per_second_per_ip, burst),
            readers: Places::new(bounds.max_readers_per_ip),
            peers: Places::new(bounds.max_peers_per_ip),
            connections: Places::new(bounds.max_connections_per_ip),
        }
    }

    /// A join.
    ///
    /// # Errors
    /// `rate-limited`, with when to come again.
    pub(super) fn join(&self, client: Client) -> Result<(), Problem> {
        let buckets = self.joins.as_ref();
        buckets.map_or(Ok(()), |buckets| {
            buckets.take(&client, 1, "joins from this address")
        })
    }

    /// So many signals in one request.
    ///
    /// # Errors
    /// `rate-limited`, with when to come again; none of them is sent then.
    pub(super) fn signals(
        &self,
        client: Client,
        caller: &Caller,
        count: u32,
    ) -> Result<(), Problem> {
        if let Some(buckets) = &self.signals_of_client {
            buckets.take(&client, count, "signals from this address")?;
        }
        let buckets = self.signals.as_ref();
        buckets.map_or(Ok(()), |buckets| {
            // By name: who joins anew has no new ones.
            let peer = (caller.room.clone(), caller.peer.clone());
            buckets.take(&peer, count, "signals of this peer")
        })
    }

    /// A reader, which is counted until what this gives is dropped. One that `replaces` another
    /// has a place in any case.
    ///
    /// # Errors
    /// [`Refused::TooManyReadersHere`].
    pub(super) fn reader(&self, client: Client, replaces: bool) -> Result<Taken, Refused> {
        let taken = self.readers.take(client, replaces);
        taken.ok_or(Refused::TooManyReadersHere)
    }

    /// A peer, which is counted the same way. One that is `present` already has its place.
    ///
    /// # Errors
    /// `rate-limited`.
    pub(super) fn peer(&self, client: Client, present: bool) -> Result<Taken, Problem> {
        self.peers.take(client, present).ok_or_else(|| {
            let detail = "too many peers from this address: some must leave first";
            Problem::new(&problem::RATE_LIMITED, detail).retry_after(10)
        })
    }

    /// A connection, which is counted the same way; none where there are too many.
    pub(super) fn connection(&self, client: Client) -> Option<Taken> {
        self.connections.take(client, false)
    }
}

/// A token bucket for each key (a generic cell rate algorithm).
struct Buckets<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    taken: AtomicU32,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_second: u32, burst: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = rate.max(NonZeroU32::new(burst)?);
        Some(Self {
            limiter: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
            taken: AtomicU32::new(0),
        })
    }

    fn take(&self, key: &K, count: u32, what: &str) -> Result<(), Problem> {
        // Keys that have not been seen for long are as good as new ones.
        if self.taken.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let Some(count) = NonZeroU32::new(count) else {
            return Ok(());
        };
        let wait = match self.limiter.check_key_n(key, count) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(until)) => until.wait_time_from(DefaultClock::default().now()),
            Err(_) => Duration::from_secs(1),
        };
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let detail = format!("too many {what}: try again later");
        Err(Problem::new(&problem::RATE_LIMITED, detail).retry_after(seconds.max(1)))
    }
}
