//! How many answers strangers get: who asks without a good credential may have forged the address
//! that the answer goes to.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::bucket::{Bucket, Rate};
use super::counts::{Tally, more};
use super::uptime::Uptime;

/// Buckets for all sources together. Sources that fall into the same share it, so that the number
/// of sources, which anyone can forge, costs no memory.
const BUCKETS: usize = 1 << 16;

/// Buckets for the networks that strangers ask from.
pub(super) struct Sources {
    buckets: Box<[Bucket]>,
    /// Keyed at random, so that nobody can aim at another's bucket.
    places: RandomState,
    rate: Rate,
    uptime: Uptime,
    pub(super) tally: Arc<Tally>,
}

impl Sources {
    pub(super) fn new(rate: Rate, tally: Arc<Tally>) -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
            places: RandomState::new(),
            rate,
            uptime: Uptime::new(),
            tally,
        }
    }

    /// Whether a stranger at this address is answered.
    pub(super) fn answers(&self, address: IpAddr) -> bool {
        let answered = self.answers_at(address, self.uptime.nanos());
        if !answered {
            more(&self.tally.suppressed, 1);
        }
        answered
    }

    fn answers_at(&self, address: IpAddr, now: u64) -> bool {
        let place = self.places.hash_one(network(address)) as usize % BUCKETS;
        self.buckets[place].take(self.rate, 1, now)
    }
}

/// An address of IPv4, or the network of IPv6 that one customer has.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_answered_so_often_in_a_second() {
        let sources = Sources::new(Rate(50), Arc::default());
        let answered = (0..1000)
            .filter(|_| sources.answers_at(ip("192.0.2.1"), 0))
            .count();
        assert_eq!(answered, 50);
        assert!(sources.answers_at(ip("192.0.2.1"), 1_000_000_000));
        for n in 0..50 {
            assert!(sources.answers_at(ip(&format!("2001:db8::{n}")), 0));
        }
        assert!(!sources.answers_at(ip("2001:db8::99"), 0), "the same /64");
        assert!(!sources.answers_at(ip("::ffff:192.0.2.1"), 0), "the first");
    }
}
