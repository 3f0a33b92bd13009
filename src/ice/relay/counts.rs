//! What the relay counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Codes that a request may be refused with.
const CODES: [u16; 12] = [400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 508];

/// Makes the numbers that are read, and beside them those that are counted up.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What the relay has counted since it was started, unless it says "now".
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
            /// Refused requests, by the code of the answer. The first of each client is one of those
            /// with 401, since it does not know yet how to sign.
            pub refused: Vec<(u16, u64)>,
        }

        /// The same while it is counted.
        #[derive(Default)]
        pub(super) struct Tally {
            $(pub(super) $name: AtomicU64,)*
            refused: [AtomicU64; CODES.len()],
        }

        impl Tally {
            pub(super) fn read(&self) -> Counts {
                let refused = CODES.iter().zip(&self.refused);
                Counts {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    refused: refused
                        .map(|(code, count)| (*code, count.load(Ordering::Relaxed)))
                        .collect(),
                }
            }
        }
    };
}

counts! {
    /// Relays that are open now.
    relays,
    /// Relays that were opened.
    relays_opened,
    /// Relays that were not, since their credential had as many as it may have (486).
    relays_past_user,
    /// Relays that were not, since there were as many as there may be (508).
    relays_past_all,
    /// Relays that were not, since no port was free for them (508).
    relays_without_port,
    /// Streams of clients that are open now.
    streams,
    /// Streams that were closed at once, since there were as many as there may be.
    streams_past_all,
    /// Streams that were closed at once, since their address had as many as it may have.
    streams_past_address,
    /// Addresses that were told (Binding).
    bindings,
    /// Requests that were not signed, as the first of each client is not.
    auth_unsigned,
    /// Requests that were signed, but did not say by whom and for what.
    auth_incomplete,
    /// Requests whose nonce was too old, or another's.
    auth_nonce,
    /// Requests that no password of ours signed.
    auth_integrity,
    /// Requests for a relay with a credential that has run out.
    auth_expired,
    /// Requests for a relay whose user name says no time.
    auth_malformed,
    /// Answers to strangers that were not given, since their network had been given enough.
    suppressed,
    /// Requests for peers that the relay does not send to (403).
    peers_refused,
    /// Packets to such, of relays that may send to others at the same address.
    packets_denied,
    /// Packets to peers.
    packets_to_peers,
    /// Bytes in them.
    bytes_to_peers,
    /// Packets to clients.
    packets_to_clients,
    /// Bytes in them.
    bytes_to_clients,
    /// Packets past what one relay passes on in a second.
    surplus,
    /// Packets that had no room on their way: to a socket, or in the queue of a stream.
    no_room,
    /// Packets from peers that are longer than what is passed on.
    too_long,
}

impl Counts {
    /// How many requests were refused with `code`.
    pub fn refused(&self, code: u16) -> u64 {
        let counted = self.refused.iter().find(|(it, _)| *it == code);
        counted.map_or(0, |(_, count)| *count)
    }
}

impl Tally {
    /// Counts a request that is refused with `code`.
    pub(super) fn refuse(&self, code: u16) {
        if let Some(n) = CODES.iter().position(|it| *it == code) {
            more(&self.refused[n], 1);
        }
    }
}

/// Counts up.
pub(super) fn more(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// Counts down.
pub(super) fn less(counter: &AtomicU64) {
    counter.fetch_sub(1, Ordering::Relaxed);
}
