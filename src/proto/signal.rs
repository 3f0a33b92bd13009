//! What one peer sends another: an envelope that the server reads, and `data` that it never does.

use std::fmt;
use std::hash::Hasher as _;
use std::sync::{Arc, LazyLock};

use memchr::{memchr2, memchr2_iter};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash64;

use super::id::{PeerId, SessionId, SignalId};

/// A JSON text on one line: no white space between tokens, everything else as it was sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Json(Arc<str>);

impl Json {
    /// Takes a text that is known to be valid JSON (RFC 8259) and drops the white space between
    /// its tokens. Numbers, escapes, key order and duplicate keys stay as they are.
    pub fn compact(valid: &str) -> Self {
        let bytes = valid.as_bytes();
        let mut out = String::new();
        // Up to where it is copied, and up to where it is read.
        let (mut copied, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = end_of_string(bytes, at),
                b' ' | b'\t' | b'\n' | b'\r' => {
                    out.push_str(&valid[copied..at]);
                    at += 1;
                    copied = at;
                }
                _ => at += 1,
            }
        }
        if copied == 0 {
            return Self(valid.into());
        }
        out.push_str(&valid[copied..]);
        Self(out.into())
    }

    /// The empty object, `{}`.
    pub fn object() -> Self {
        static OBJECT: LazyLock<Json> = LazyLock::new(|| Json("{}".into()));
        OBJECT.clone()
    }

    /// Whether arrays and objects stand in each other more than `most` deep; 0 is no bound.
    pub fn is_deeper_than(&self, most: usize) -> bool {
        let opens = |b: u8| matches!(b, b'[' | b'{');
        // Few brackets in all are the usual case, and quickly counted.
        let brackets = memchr2_iter(b'[', b'{', self.0.as_bytes());
        if most == 0 || brackets.take(most.saturating_add(1)).count() <= most {
            return false;
        }
        let (mut depth, mut quoted, mut escaped) = (0, false, false);
        for b in self.0.bytes() {
            if quoted {
                quoted = escaped || b != b'"';
                escaped = !escaped && b == b'\\';
                continue;
            }
            match b {
                b'"' => quoted = true,
                b']' | b'}' => depth -= 1,
                b if opens(b) => depth += 1,
                _ => {}
            }
            if depth > most {
                return true;
            }
        }
        false
    }

    /// The text, on one line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Behind the string that begins at `from`.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        // In descriptions of sessions one escape follows another, at the end of each line.
        while bytes.get(at) == Some(&b'\\') {
            at += 2;
        }
    }
    bytes.len()
}

impl fmt::Debug for Json {
    /// Only the length: what peers say to each other does not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// The type of a signal. The first four are the words of JSEP (RFC 8829); any other is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens a session, or negotiates an open one again.
    Offer,
    /// Answers an offer.
    Answer,
    /// An ICE candidate.
    Candidate,
    /// Ends a session.
    Bye,
    /// A word of the application's own.
    Other(Arc<str>),
}

impl Kind {
    /// Reads the word: 1 to 32 of `a-z 0-9 -`.
    pub fn parse(word: &str) -> Option<Self> {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if word.is_empty() || word.len() > 32 || !word.bytes().all(known) {
            return None;
        }
        Some(match word {
            "offer" => Kind::Offer,
            "answer" => Kind::Answer,
            "candidate" => Kind::Candidate,
            "bye" => Kind::Bye,
            other => Kind::Other(other.into()),
        })
    }

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Offer => "offer",
            Kind::Answer => "answer",
            Kind::Candidate => "candidate",
            Kind::Bye => "bye",
            Kind::Other(word) => word,
        }
    }

    /// Whether this type is for one peer only.
    pub fn needs_to(&self) -> bool {
        matches!(self, Kind::Offer | Kind::Answer | Kind::Bye)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<str>::deserialize(d)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom("no type of a signal"))
    }
}

/// A signal as its sender gave it; who sent it is known from elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// The peer it is for; none: every other peer of the room.
    pub to: Option<PeerId>,
    /// Its type.
    pub kind: Kind,
    /// The session it belongs to.
    pub session: Option<SessionId>,
    /// What the server never looks into.
    pub data: Option<Json>,
    /// The sender's idempotency key.
    pub id: Option<SignalId>,
    /// The id that an offer without a session opens its session under.
    pub spare: Option<SessionId>,
}

impl Signal {
    /// Tells signals with the same id apart: over `to`, `type`, `session` and `data`.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = XxHash64::with_seed(0);
        let mut part = |text: Option<&str>| {
            // Absent, empty and adjoining parts all differ: each is led by its length.
            let length = text.map_or(u64::MAX, |t| t.len() as u64);
            hash.write(&length.to_le_bytes());
            hash.write(text.unwrap_or_default().as_bytes());
        };
        part(self.to.as_ref().map(PeerId::as_str));
        part(Some(self.kind.as_str()));
        part(self.session.as_ref().map(SessionId::as_str));
        part(self.data.as_ref().map(Json::as_str));
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_goes() {
        for (sent, kept) in [
            (
                "{ \"a\" : 1.00 ,\n\t\"a\":\r\n1e5 }",
                r#"{"a":1.00,"a":1e5}"#,
            ),
            (r#""  spaces \" stay \\" "#, r#""  spaces \" stay \\""#),
            (r#"[ "\\" , " " ]"#, r#"["\\"," "]"#),
            ("\"\u{2028} \\u0000\"", "\"\u{2028} \\u0000\""),
            ("null", "null"),
        ] {
            assert_eq!(Json::compact(sent).as_str(), kept);
        }
    }

    #[test]
    fn depth_is_that_of_brackets_outside_of_texts() {
        for (text, depth) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,{"b":[]}],"c":{}}"#, 4),
            (r#"[[],[],[],[]]"#, 2),
            (r#"["[[[[","\"[[[[","\\",["]]]]"]]"#, 2),
        ] {
            let json = Json::compact(text);
            assert!(!json.is_deeper_than(depth.max(1)), "{text}");
            assert!(!json.is_deeper_than(0), "{text}");
            assert_eq!(
                depth > 1,
                depth > 0 && json.is_deeper_than(depth - 1),
                "{text}"
            );
        }
        let deep = Json::compact(&"[".repeat(10_000));
        assert!(deep.is_deeper_than(9_999) && !deep.is_deeper_than(10_000));
    }

    #[test]
    fn a_type_is_a_short_lower_case_word() {
        assert_eq!(Kind::parse("offer"), Some(Kind::Offer));
        assert_eq!(
            Kind::parse("x-1").map(|k| k.as_str().to_owned()),
            Some("x-1".into())
        );
        for bad in ["", "Offer", "a b", "a_b", "é", &"x".repeat(33)] {
            assert_eq!(Kind::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_fingerprint_sees_every_part_that_counts() {
        let base = Signal {
            to: PeerId::parse("bob").ok(),
            kind: Kind::Offer,
            session: None,
            data: Some(Json::compact("1")),
            id: SignalId::parse("m").ok(),
            spare: None,
        };
        let print = base.fingerprint();
        let other_id = Signal {
            id: None,
            spare: SessionId::parse("s").ok(),
            ..base.clone()
        };
        assert_eq!(other_id.fingerprint(), print);
        for changed in [
            Signal {
                to: None,
                ..base.clone()
            },
            Signal {
                kind: Kind::Answer,
                ..base.clone()
            },
            Signal {
                session: SessionId::parse("s").ok(),
                ..base.clone()
            },
            Signal {
                data: None,
                ..base.clone()
            },
            Signal {
                data: Some(Json::compact("2")),
                ..base.clone()
            },
        ] {
            assert_ne!(changed.fingerprint(), print, "{changed:?}");
        }
    }
}
