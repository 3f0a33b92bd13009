//! What an access token grants.

use serde::{Deserialize, Deserializer, Serialize};

use super::pattern::Pattern;
use crate::proto::{PeerId, RoomId};

/// What the bearer of an access token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Join its rooms.
    Join,
    /// See who is in them.
    List,
    /// Close them and remove their peers.
    Operate,
    /// A right that this server knows nothing of.
    #[serde(other)]
    #[value(skip)]
    Unknown,
}

/// The claims of an access token beside those that RFC 7519 registers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Which rooms.
    pub room: OneOrMany,
    /// As which peers; left out: as any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<OneOrMany>,
    /// What may be done there.
    pub rights: Vec<Right>,
    /// When it runs out, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: u64,
    /// When it begins to be good, in seconds since 1970.
    #[serde(
        default,
        deserialize_with = "some_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<u64>,
    /// For whom it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<serde_json::Value>,
    /// Who has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

/// A time in seconds since 1970, which may have a fraction (RFC 7519, section 2).
#[derive(Deserialize)]
#[serde(untagged)]
enum NumericDate {
    Whole(u64),
    Fraction(f64),
}

/// Up to here such a number is exact.
const EXACT: f64 = (1_u64 << 53) as f64;

impl NumericDate {
    fn seconds<E: serde::de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Whole(seconds) => Ok(seconds),
            Self::Fraction(seconds) if (0.0..=EXACT).contains(&seconds) => Ok(seconds as u64),
            Self::Fraction(_) => Err(E::custom("no time in seconds since 1970")),
        }
    }
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    NumericDate::deserialize(from)?.seconds()
}

fn some_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let some = Option::<NumericDate>::deserialize(from)?;
    some.map(NumericDate::seconds).transpose()
}

/// One pattern, or several of which one must match.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(Pattern),
    /// Several.
    Many(Vec<Pattern>),
}

impl OneOrMany {
    /// Whether it names nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    fn all(&self) -> &[Pattern] {
        match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Many(patterns) => patterns,
        }
    }

    fn matches(&self, name: &str) -> bool {
        self.all().iter().any(|pattern| pattern.matches(name))
    }
}

/// What the bearer of a verified access token may do, and until when.
#[derive(Clone, Debug)]
pub struct Grant(Claims);

/// A token that is for more than one peer does not say which.
#[derive(Debug, PartialEq, Eq)]
pub struct SeveralPeers;

impl Grant {
    /// Of claims that were verified.
    pub(super) fn of(claims: Claims) -> Self {
        Self(claims)
    }

    /// Whether it grants `right` in `room`.
    pub fn allows(&self, right: Right, room: &RoomId) -> bool {
        self.0.rights.contains(&right) && self.0.room.matches(room.as_str())
    }

    /// Whether it grants `right` in some room.
    pub fn has(&self, right: Right) -> bool {
        self.0.rights.contains(&right)
    }

    /// Whether it is for all rooms that there may be.
    pub fn is_for_all_rooms(&self) -> bool {
        self.0.room.all().iter().any(Pattern::is_any)
    }

    /// Whether one may join by it as `peer`.
    pub fn allows_peer(&self, peer: &PeerId) -> bool {
        self.0
            .peer
            .as_ref()
            .is_none_or(|names| names.matches(peer.as_str()))
    }

    /// The peer that one joins as who names none: the only one that the token names, if it does.
    ///
    /// # Errors
    /// Where the token names several, of which one must be chosen.
    pub fn peer(&self) -> Result<Option<&str>, SeveralPeers> {
        let Some(names) = &self.0.peer else {
            return Ok(None);
        };
        match names.all() {
            [one] => match one.only() {
                Some(name) => Ok(Some(name)),
                // Any name will do for a star alone.
                None if one.matches("") => Ok(None),
                None => Err(SeveralPeers),
            },
            _ => Err(SeveralPeers),
        }
    }

    /// When it runs out, in milliseconds since 1970, which is a little after its `exp` for clocks that
    /// differ.
    pub fn until_ms(&self) -> u64 {
        let seconds = self.0.exp.saturating_add(super::LEEWAY);
        seconds.saturating_mul(1000)
    }
}
