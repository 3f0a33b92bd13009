//! Short-lived credentials of TURN servers: the REST convention (draft-uberti-behave-turn-rest-00),
//! which coturn, eturnal and the relay of this program share a secret for.

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// A user name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `EXPIRY:ID`: when it runs out, in seconds since 1970, and whose it is.
    pub username: String,
    /// What a TURN server takes with it.
    pub password: String,
}

/// The secrets that this program shares with TURN servers. The first signs; all verify.
#[derive(Clone)]
pub struct Secrets(Vec<Box<[u8]>>);

/// Why a user name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUsername {
    /// It does not say when it runs out.
    #[error("no time stands in the user name")]
    Malformed,
    /// It has run out.
    #[error("the credential has run out")]
    Expired,
}

impl Secrets {
    /// Takes secrets, the one that signs first; none where there is none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let secrets: Vec<Box<[u8]>> = secrets.into_iter().map(Into::into).collect();
        (!secrets.is_empty()).then_some(Self(secrets))
    }

    /// A credential for `id` that runs out at `expiry`, in seconds since 1970.
    pub fn sign(&self, id: impl Display, expiry: u64) -> Credential {
        let username = format!("{expiry}:{id}");
        let password = self.passwords(&username).next().unwrap_or_default();
        Credential { username, password }
    }

    /// The passwords that a user name may have: one for each secret.
    pub fn passwords(&self, username: &str) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|secret| {
            let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
            mac.update(username.as_bytes());
            Some(STANDARD.encode(mac.finalize().into_bytes()))
        })
    }
}

/// When a user name runs out, in seconds since 1970: `EXPIRY:ID`, or the time alone.
///
/// # Errors
/// [`BadUsername::Malformed`] where it does not say; [`BadUsername::Expired`] where that is before
/// `now`.
pub fn expiry(username: &str, now: u64) -> Result<u64, BadUsername> {
    let time = username.split(':').next().unwrap_or_default();
    let digits = !time.is_empty() && time.bytes().all(|digit| digit.is_ascii_digit());
    let time = time.parse().ok().filter(|_| digits);
    match time {
        Some(expiry) if expiry >= now => Ok(expiry),
        Some(_) => Err(BadUsername::Expired),
        None => Err(BadUsername::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(secrets: &[&str]) -> Secrets {
        Secrets::new(secrets.iter().map(|secret| secret.as_bytes())).expect("a secret")
    }

    #[test]
    fn a_password_is_the_hmac_of_the_user_name() {
        // As `openssl dgst -sha1 -hmac north -binary | base64` has it.
        let signed = secrets(&["north", "south"]).sign("p7Qx", 1_763_812_800);
        assert_eq!(signed.username, "1763812800:p7Qx");
        assert_eq!(signed.password, "5vRGDVNbQkSue6m0a8gUHf2O1dU=");
        let older = secrets(&["new", "north"]);
        assert!(
            older
                .passwords(&signed.username)
                .any(|it| it == signed.password)
        );
        let other = secrets(&["other"]);
        assert!(
            other
                .passwords(&signed.username)
                .all(|it| it != signed.password)
        );
    }

    #[test]
    fn a_user_name_says_when_it_runs_out() {
        assert_eq!(expiry("1000:alice", 1000), Ok(1000));
        assert_eq!(expiry("1000", 999), Ok(1000));
        assert_eq!(expiry("1000:alice", 1001), Err(BadUsername::Expired));
        for bad in [
            "",
            "alice",
            "alice:1000",
            "+1000:a",
            "-1",
            ":1000",
            "99999999999999999999",
        ] {
            assert_eq!(expiry(bad, 1), Err(BadUsername::Malformed), "{bad}");
        }
    }
}
