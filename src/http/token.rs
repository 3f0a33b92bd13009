//! Peer tokens and stream tickets: what they say, signed with the server's secret (RFC 2104).

mod verified;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::hub::{Caller, TicketId};
use crate::proto::{Cursor, Epoch, PeerId, RoomId};
use verified::Verified;

/// Why a credential was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadToken {
    /// It is none, or its signature is wrong.
    Forged,
    /// It was signed with a secret that this server does not have.
    UnknownKey,
}

/// Whose a credential is, and when the access that it was given under runs out, in milliseconds
/// since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) caller: Caller,
    pub(super) until: Option<u64>,
}

/// A ticket that was verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) bearer: Bearer,
    pub(super) id: TicketId,
    pub(super) cursor: Option<Cursor>,
}

/// The secrets: the first signs, all verify.
pub(super) struct Keys {
    keys: Vec<Key>,
    verified: Verified,
}

struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

/// What names a secret in all that it signs, and tells nothing of it.
pub(crate) fn key_id(secret: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"switchboard key id\0")
        .chain_update(secret);
    let [a, b, c, d, ..] = digest.finalize().0;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// Each kind of credential is signed apart, so that none passes for another.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Peer,
    Ticket,
}

impl Use {
    fn prefix(self) -> &'static str {
        match self {
            Use::Peer => "sp1.",
            Use::Ticket => "st1.",
        }
    }
}

impl Keys {
    /// Takes secrets; there is at least one.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let key = |secret: &[u8]| {
            let id = key_id(secret);
            // HMAC takes a key of any length.
            Hmac::new_from_slice(secret).ok().map(|mac| Key { id, mac })
        };
        Self {
            keys: secrets.filter_map(key).collect(),
            verified: Verified::new(),
        }
    }

    /// The peer token of an incarnation.
    pub(super) fn peer_token(&self, bearer: &Bearer) -> String {
        self.sign(Use::Peer, &subject(bearer))
    }

    /// A ticket for one stream.
    pub(super) fn ticket(&self, bearer: &Bearer, id: TicketId, cursor: Option<Cursor>) -> String {
        let cursor = cursor.map_or_else(String::new, |cursor| cursor.to_string());
        let said = format!(
            "{}:{:x}:{:x}:{cursor}",
            subject(bearer),
            id.nonce,
            id.issued
        );
        self.sign(Use::Ticket, &said)
    }

    /// Whom a peer token names.
    pub(super) fn verify_peer_token(&self, token: &str) -> Result<Bearer, BadToken> {
        if let Some(bearer) = self.verified.get(token) {
            return Ok(bearer);
        }
        let said = self.verify(Use::Peer, token)?;
        let mut parts = said.split(':');
        let bearer = read_subject(&mut parts).ok_or(BadToken::Forged)?;
        if parts.next().is_some() {
            return Err(BadToken::Forged);
        }
        self.verified.keep(token, &bearer);
        Ok(bearer)
    }

    /// What a ticket says.
    pub(super) fn verify_ticket(&self, ticket: &str) -> Result<Ticket, BadToken> {
        let said = self.verify(Use::Ticket, ticket)?;
        let mut parts = said.split(':');
        let mut read = || {
            let bearer = read_subject(&mut parts)?;
            let nonce = u64::from_str_radix(parts.next()?, 16).ok()?;
            let issued = u64::from_str_radix(parts.next()?, 16).ok()?;
            let cursor = match parts.next()? {
                "" => None,
                text => Some(Cursor::parse(text).ok()?),
            };
            Some(Ticket {
                bearer,
                id: TicketId { nonce, issued },
                cursor,
            })
        };
        read().ok_or(BadToken::Forged)
    }

    pub(super) fn sign(&self, what: Use, said: &str) -> String {
        let Some(key) = self.keys.first() else {
            return String::new();
        };
        let said = format!("{}:{said}", key.id);
        let tag = tagged(&key.mac, what, said.as_bytes())
            .finalize()
            .into_bytes();
        let mut token = String::with_capacity(said.len() * 4 / 3 + 60);
        token.push_str(what.prefix());
        URL_SAFE_NO_PAD.encode_string(said, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut token);
        token
    }

    /// What a credential of that use says behind its key id, once its signature is checked.
    fn verify(&self, what: Use, token: &str) -> Result<String, BadToken> {
        let signed = token.strip_prefix(what.prefix()).ok_or(BadToken::Forged)?;
        let (said, tag) = signed.split_once('.').ok_or(BadToken::Forged)?;
        let said = URL_SAFE_NO_PAD.decode(said).map_err(|_| BadToken::Forged)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| BadToken::Forged)?;
        let said = String::from_utf8(said).map_err(|_| BadToken::Forged)?;
        let (id, rest) = said.split_once(':').ok_or(BadToken::Forged)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == id)
            .ok_or(BadToken::UnknownKey)?;
        // Compared in constant time.
        let good = tagged(&key.mac, what, said.as_bytes())
            .verify_slice(&tag)
            .is_ok();
        if good {
            Ok(rest.to_owned())
        } else {
            Err(BadToken::Forged)
        }
    }
}

/// Whether a credential says of itself that it is a peer token.
pub(crate) fn is_peer_token(text: &str) -> bool {
    text.starts_with(Use::Peer.prefix())
}

/// Whether a credential says of itself that it is a ticket.
pub(crate) fn is_ticket(text: &str) -> bool {
    text.starts_with(Use::Ticket.prefix())
}

/// Whether `shown` is `expected`, told in a time that depends on neither.
pub(super) fn is_same_secret(shown: &str, expected: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let (shown, expected) = (digest(shown), digest(expected));
    shown
        .iter()
        .zip(expected.iter())
        .fold(0, |diff, (a, b)| diff | (a ^ b))
        == 0
}

fn tagged(mac: &Hmac<Sha256>, what: Use, said: &[u8]) -> Hmac<Sha256> {
    mac.clone().chain_update(what.prefix()).chain_update(said)
}

fn subject(Bearer { caller, until }: &Bearer) -> String {
    let until = until.map_or_else(String::new, |until| format!("{until:x}"));
    format!("{}:{}:{}:{until}", caller.epoch, caller.room, caller.peer)
}

fn read_subject<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<Bearer> {
    let epoch = Epoch::parse(parts.next()?)?;
    let room = RoomId::parse(parts.next()?).ok()?;
    let peer = PeerId::parse(parts.next()?).ok()?;
    let until = match parts.next()? {
        "" => None,
        text => Some(u64::from_str_radix(text, 16).ok()?),
    };
    let caller = Caller { room, peer, epoch };
    Some(Bearer { caller, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> Keys {
        Keys::new(secrets.iter().map(|secret| secret.as_bytes()))
    }

    fn bearer() -> Bearer {
        let caller = Caller {
            room: RoomId::parse("demo").expect("an id"),
            peer: PeerId::parse("alice").expect("an id"),
            epoch: Epoch(7),
        };
        Bearer {
            caller,
            until: None,
        }
    }

    #[test]
    fn a_token_names_its_incarnation_and_needs_no_escaping() {
        let keys = keys(&["one"]);
        let token = keys.peer_token(&bearer());
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        );
        assert_eq!(keys.verify_peer_token(&token), Ok(bearer()));
    }

    #[test]
    fn a_changed_token_is_forged_wherever_it_was_changed() {
        let keys = keys(&["one"]);
        let token = keys.peer_token(&bearer());
        assert_eq!(keys.verify_peer_token(&token), Ok(bearer()));
        for at in 4..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            if changed != token {
                assert!(keys.verify_peer_token(&changed).is_err(), "{at}");
            }
        }
        for bad in [
            "",
            "sp1.",
            "sp1..",
            "sp1.a.b",
            "x",
            &token[4..],
            &token[..token.len() - 1],
        ] {
            assert!(keys.verify_peer_token(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_that_were_seen_before_say_the_same_again() {
        let keys = keys(&["one"]);
        let peer = |n: usize| {
            let mut bearer = bearer();
            bearer.caller.peer = PeerId::parse(&format!("peer-{n}")).expect("an id");
            bearer
        };
        for n in (0..2_000).chain(0..2_000) {
            let token = keys.peer_token(&peer(n));
            assert_eq!(keys.verify_peer_token(&token), Ok(peer(n)));
            assert_eq!(keys.verify_peer_token(&token), Ok(peer(n)));
        }
    }

    #[test]
    fn the_first_secret_signs_and_all_verify() {
        let (old, new, both) = (keys(&["old"]), keys(&["new"]), keys(&["new", "old"]));
        let token = old.peer_token(&bearer());
        assert_eq!(both.verify_peer_token(&token), Ok(bearer()));
        assert_eq!(new.verify_peer_token(&token), Err(BadToken::UnknownKey));
        assert_eq!(
            new.verify_peer_token(&both.peer_token(&bearer())),
            Ok(bearer())
        );
    }

    #[test]
    fn a_ticket_is_no_token_and_carries_its_cursor() {
        let keys = keys(&["one"]);
        let id = TicketId {
            nonce: 9,
            issued: 1_700_000_000_000,
        };
        for cursor in [
            None,
            Some(Cursor {
                epoch: Epoch(7),
                seq: 12,
            }),
        ] {
            let ticket = keys.ticket(&bearer(), id, cursor);
            assert_eq!(
                keys.verify_ticket(&ticket),
                Ok(Ticket {
                    bearer: bearer(),
                    id,
                    cursor
                })
            );
            assert_eq!(keys.verify_peer_token(&ticket), Err(BadToken::Forged));
            let posing = ticket.replacen("st1.", "sp1.", 1);
            assert_eq!(keys.verify_peer_token(&posing), Err(BadToken::Forged));
        }
        assert_eq!(
            keys.verify_ticket(&keys.peer_token(&bearer())),
            Err(BadToken::Forged)
        );
    }

    #[test]
    fn a_token_carries_when_its_access_runs_out() {
        let keys = keys(&["one"]);
        let bearer = Bearer {
            until: Some(1_700_000_000_000),
            ..bearer()
        };
        let token = keys.peer_token(&bearer);
        assert_eq!(keys.verify_peer_token(&token), Ok(bearer));
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same_secret("abc", "abc"));
        assert!(!is_same_secret("ab", "abc"));
        assert!(!is_same_secret("", "abc"));
    }
}
