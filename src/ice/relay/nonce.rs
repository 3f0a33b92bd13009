//! Nonces that are not kept: each holds when it was made, and proves that we made it for its holder
//! (RFC 8489, section 9.2). So strangers cost no memory.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How long a nonce is good, in seconds.
const GOOD_FOR: u32 = 3600;

/// How much of the proof goes along, in bytes.
const PROOF: usize = 16;

/// What nonces are made with.
pub(super) struct Nonces {
    key: [u8; 32],
}

impl Nonces {
    /// With a key of this process alone.
    pub(super) fn new() -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        Ok(Self { key })
    }

    /// A nonce for this client, made at `now`, in seconds from some start.
    pub(super) fn make(&self, client: SocketAddr, now: u32) -> String {
        let mut nonce = now.to_be_bytes().to_vec();
        let proof = self.proof(client, now).finalize().into_bytes();
        nonce.extend_from_slice(&proof[..PROOF]);
        URL_SAFE_NO_PAD.encode(nonce)
    }

    /// Whether a nonce was made for this client and is still good.
    pub(super) fn is_good(&self, nonce: &str, client: SocketAddr, now: u32) -> bool {
        let Ok(nonce) = URL_SAFE_NO_PAD.decode(nonce) else {
            return false;
        };
        let Some((made, proof)) = nonce.split_first_chunk() else {
            return false;
        };
        let made = u32::from_be_bytes(*made);
        proof.len() == PROOF
            && self
                .proof(client, made)
                .verify_truncated_left(proof)
                .is_ok()
            && now.saturating_sub(made) < GOOD_FOR
    }

    #[expect(clippy::expect_used, reason = "a key of HMAC may have any length")]
    fn proof(&self, client: SocketAddr, made: u32) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length");
        match client.ip() {
            IpAddr::V4(address) => mac.update(&address.octets()),
            IpAddr::V6(address) => mac.update(&address.octets()),
        }
        mac.update(&client.port().to_be_bytes());
        mac.update(&made.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_an_hour_and_for_its_client_alone() {
        let nonces = Nonces::new().expect("random numbers");
        let client = "192.0.2.1:1000".parse().expect("an address");
        let other = "192.0.2.1:1001".parse().expect("an address");
        let nonce = nonces.make(client, 100);
        assert!(nonces.is_good(&nonce, client, 100));
        assert!(nonces.is_good(&nonce, client, 3699));
        assert!(!nonces.is_good(&nonce, client, 3700), "too old");
        assert!(!nonces.is_good(&nonce, other, 100), "another's");
        let elsewhere = Nonces::new().expect("random numbers");
        assert!(!elsewhere.is_good(&nonce, client, 100), "another process");
    }

    #[test]
    fn what_is_no_nonce_is_not_good() {
        let nonces = Nonces::new().expect("random numbers");
        let client = "[2001:db8::1]:1".parse().expect("an address");
        let nonce = nonces.make(client, 1);
        for bad in ["", "AAAA", "AAAAAA", "ü", &nonce[1..], &nonce[..20]] {
            assert!(!nonces.is_good(bad, client, 1), "{bad}");
        }
    }
}
