//! How many peers and channels a relay has.

use std::collections::HashMap;
use std::net::SocketAddr;

use parking_lot::Mutex;

/// How many there may be.
const MOST: usize = 256;

/// How long each may last that is not asked for again, in nanoseconds: as long as a channel does.
const LASTS: u64 = 600_000_000_000;

/// Those of one relay, with the time until which they last. A peer that is permitted whatever its
/// port has none here.
#[derive(Default)]
pub(super) struct Peers(Mutex<HashMap<SocketAddr, u64>>);

impl Peers {
    /// Adds some at `now`; none, where they would be too many.
    pub(super) fn add(&self, peers: impl Iterator<Item = SocketAddr> + Clone, now: u64) -> bool {
        let mut known = self.0.lock();
        known.retain(|_, until| *until > now);
        let new = peers.clone().filter(|peer| !known.contains_key(peer));
        if known.len() + new.count() > MOST {
            return false;
        }
        known.extend(peers.map(|peer| (peer, now + LASTS)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_bounded_and_those_that_are_not_asked_for_again_make_room() {
        let peers = Peers::default();
        let some = |range: std::ops::Range<u16>| range.map(|n| ([192, 0, 2, 1], n).into());
        assert!(peers.add(some(0..200), 0));
        assert!(!peers.add(some(200..257), 0));
        assert!(peers.add(some(200..256), 1));
        assert!(!peers.add(some(256..257), 1));
        assert!(peers.add(some(0..256), 2), "again");
        assert!(peers.add(some(256..512), LASTS + 2));
    }
}
