//! Names of things: rooms, peers, sessions, signals (chosen by clients) and epochs (made by us).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest id, in bytes (RFC 3986 unreserved characters only, so one byte each).
pub const MAX_ID: usize = 64;

/// A text that is no id: not 1 to 64 of `A-Z a-z 0-9 . _ ~ -`, or one of `.` and `..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 64 of A-Z a-z 0-9 . _ ~ - and neither . nor ..")]
pub struct BadId;

fn check(text: &str) -> Result<(), BadId> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
    let fits = !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(known);
    if fits && text != "." && text != ".." {
        Ok(())
    } else {
        Err(BadId)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Whether a text is an id.
            ///
            /// # Errors
            /// As [`Self::parse`].
            pub fn check(text: &str) -> Result<(), BadId> {
                check(text)
            }

            /// Takes a text as an id.
            ///
            /// # Errors
            /// [`BadId`] where it is not 1 to 64 unreserved characters, or is a dot segment.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                check(text).map(|()| Self(text.into()))
            }

            /// The id as text; it needs no escaping in JSON, URLs or SSE fields.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(d)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
    };
}

id!(
    /// A meeting place's name.
    RoomId
);
id!(
    /// A member's name within its room.
    PeerId
);
id!(
    /// The name of an offer/answer exchange and the connection it sets up (RFC 8829).
    SessionId
);
id!(
    /// A signal's idempotency key, chosen by its sender.
    SignalId
);

/// One of the nodes that share their rooms; 0 where there is only one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct NodeId(pub u32);

/// An open reader: the node that it is open at, and a number that tells it from that node's others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReaderId(u64);

impl ReaderId {
    /// For the number; the rest names the node.
    const SERIAL_BITS: u32 = 40;

    /// The reader that is the `serial`th of `node`.
    pub fn new(node: NodeId, serial: u64) -> Self {
        let serial = serial & ((1 << Self::SERIAL_BITS) - 1);
        Self((u64::from(node.0) << Self::SERIAL_BITS) | serial)
    }

    /// The number that stands for it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Where it is open.
    pub fn node(self) -> NodeId {
        NodeId(u32::try_from(self.0 >> Self::SERIAL_BITS).unwrap_or(u32::MAX))
    }
}

/// One incarnation: 64 random bits, fresh for each join; the first half of every cursor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Reads the 16 lower-case hex digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let fits = text.len() == 16 && text.bytes().all(hex);
        if fits {
            u64::from_str_radix(text, 16).ok().map(Self)
        } else {
            None
        }
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no epoch"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unreserved_characters_and_no_dot_segments() {
        for good in ["a", "demo", "A-z_0.9~", "...", &"x".repeat(64)] {
            assert!(PeerId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "a%2fb",
            "ü",
            "a\n",
            "a\0",
            &"x".repeat(65),
        ] {
            assert_eq!(PeerId::parse(bad), Err(BadId), "{bad}");
        }
    }

    #[test]
    fn an_epoch_is_sixteen_lower_case_hex_digits() {
        assert_eq!(Epoch::parse("00000000000000ff"), Some(Epoch(255)));
        assert_eq!(Epoch(255).to_string(), "00000000000000ff");
        for bad in [
            "ff",
            "00000000000000FF",
            "+0000000000000ff",
            "000000000000000000ff",
        ] {
            assert_eq!(Epoch::parse(bad), None, "{bad}");
        }
    }
}
