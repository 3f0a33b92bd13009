//! How an engine is to be used, and why it cannot be.

use std::time::Duration;

use super::resolve::Unresolved;
use super::url::{BadUrl, EngineUrl};
use crate::backplane::store::{PARTITIONS, StoreError};

/// How the keys are laid out; counts up with each change that nodes of before would not understand.
pub(super) const FORMAT: u32 = 3;
/// Leases that are neither renewed all the time nor outlive a node by far too long.
const LEASES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(600);

/// How an engine is to be used. It holds the engine's password: it has no `Debug`.
#[derive(Clone)]
pub struct Options {
    /// Where it is: `redis://`, `rediss://`, `unix://`, `redis+sentinel://HOST:PORT,…/MASTER` or
    /// `redis+cluster://HOST:PORT,…`.
    pub url: String,
    /// What all keys and channels begin with.
    pub prefix: String,
    /// How long a node may be silent before it counts as dead.
    pub lease: Duration,
    /// How many replicas have to have an entry before it counts as stored.
    pub wait: usize,
    /// The public names of the secrets that this node honours; it signs with the first. Nodes of one
    /// engine are to honour what the others sign; where none is named, nothing is compared.
    pub signers: Vec<String>,
}

impl Options {
    /// Those that suit most engines.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "switchboard".to_owned(),
            lease: Duration::from_secs(15),
            wait: 0,
            signers: Vec::new(),
        }
    }

    /// Whether they make sense.
    pub(super) fn check(&self) -> Result<EngineUrl, OpenError> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(known) {
            return Err(OpenError::Prefix);
        }
        if !LEASES.contains(&self.lease) {
            return Err(OpenError::Lease);
        }
        Ok(EngineUrl::parse(&self.url)?)
    }
}

/// Why a node cannot join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The URL names no engine.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The prefix could not stand in a key.
    #[error("a prefix is 1 to 64 of A-Z a-z 0-9 . _ - :")]
    Prefix,
    /// The lease is too short or too long.
    #[error("a lease lasts 1 second to 10 minutes")]
    Lease,
    /// No server answered that takes writes.
    #[error("the engine at {0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// It lacks what this program asks of it.
    #[error("the engine is of version {0}; at least Redis 7.0 or Valkey 7.2 is needed")]
    TooOld(String),
    /// The engine answered, but not to the first command.
    #[error("the engine cannot be used: {0}")]
    Unusable(#[from] StoreError),
    /// The keys under the prefix are laid out otherwise.
    #[error(
        "the keys under this prefix have format {found} with {partitions} partitions, and this program writes format {FORMAT} with {PARTITIONS}; another prefix keeps the two apart"
    )]
    Format {
        /// The format that was found.
        found: String,
        /// How many partitions.
        partitions: String,
    },
}

impl OpenError {
    /// Nobody answers at `shown`.
    pub(super) fn unreachable(shown: &str, reason: &Unresolved) -> Self {
        Self::Unreachable(shown.to_owned(), reason.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_named() {
        let good = Options::new("redis://localhost");
        assert!(good.check().is_ok());
        let prefix = |prefix: &str| Options {
            prefix: prefix.to_owned(),
            ..good.clone()
        };
        for bad in ["", "a{b", "a b", &"x".repeat(65)] {
            assert!(
                matches!(prefix(bad).check(), Err(OpenError::Prefix)),
                "{bad}"
            );
        }
        let lease = |lease| Options {
            lease,
            ..good.clone()
        };
        let bad = lease(Duration::from_millis(500)).check();
        assert!(matches!(bad, Err(OpenError::Lease)));
        let bad = Options::new("localhost").check();
        assert!(matches!(bad, Err(OpenError::Url(_))));
    }
}
