//! Who sent a request: long-term credentials (RFC 8489, section 9.2) whose passwords follow from
//! their user names.

use std::net::SocketAddr;

use turn_types::stun::attribute::{MessageIntegrity, Nonce, Realm, Username};
use turn_types::stun::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials,
};
use turn_types::stun::prelude::*;

use super::nonce::Nonces;
use crate::ice::credentials::Secrets;

/// What credentials are good for.
pub(super) const REALM: &str = "switchboard";

/// The longest user name, in bytes (RFC 8489, section 14.3).
const LONGEST_USERNAME: usize = 509;

/// Who sent a request, and what the answer is signed with.
pub(super) struct Sender {
    pub(super) username: String,
    pub(super) credentials: MessageIntegrityCredentials,
}

/// Why it is not known who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is not signed: 401, which says with what to.
    Unsigned,
    /// It is signed, but does not say by whom and for what: 400.
    Incomplete,
    /// The nonce is too old, or another's: 438, with a new one.
    Nonce,
    /// No password of ours signed it: 401.
    Forged,
}

/// Who sent a request to us, at `now` in the time of nonces.
pub(super) fn sender(
    message: &Message<'_>,
    secrets: &Secrets,
    nonces: &Nonces,
    client: SocketAddr,
    now: u32,
) -> Result<Sender, Unknown> {
    if !message.has_attribute(MessageIntegrity::TYPE) {
        return Err(Unknown::Unsigned);
    }
    let (Ok(username), Ok(realm), Ok(nonce)) = (
        message.attribute::<Username>(),
        message.attribute::<Realm>(),
        message.attribute::<Nonce>(),
    ) else {
        return Err(Unknown::Incomplete);
    };
    if !nonces.is_good(nonce.nonce(), client, now) {
        return Err(Unknown::Nonce);
    }
    let username = username.username();
    if realm.realm() != REALM || username.len() > LONGEST_USERNAME {
        return Err(Unknown::Forged);
    }
    let credentials = secrets
        .passwords(username)
        .map(|password| of(username, REALM, &password))
        .find(|credentials| is_signed(message, credentials))
        .ok_or(Unknown::Forged)?;
    Ok(Sender {
        username: username.to_owned(),
        credentials,
    })
}

fn of(username: &str, realm: &str, password: &str) -> MessageIntegrityCredentials {
    LongTermKeyCredentials::new(username.into(), password.into(), realm.into()).into()
}

/// Whether these credentials signed a message, which takes the same time whatever its signature is.
fn is_signed(message: &Message<'_>, credentials: &MessageIntegrityCredentials) -> bool {
    let key = credentials.make_key(IntegrityAlgorithm::Sha1);
    message.validate_integrity_with_key(&key).is_ok()
}

#[cfg(test)]
mod tests {
    use turn_types::message::ALLOCATE;
    use turn_types::stun::message::MessageWriteVec;

    use super::*;

    /// The request with long-term authentication of RFC 5769, section 2.4.
    const VECTOR: [u8; 116] = [
        0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
        0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88,
        0xe3, 0x83, 0xaa, 0xe3, 0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00,
        0x15, 0x00, 0x1c, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36,
        0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73,
        0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72,
        0x67, 0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02,
        0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
    ];

    #[test]
    fn the_vector_of_rfc_5769_is_signed_by_its_password() {
        let message = Message::from_bytes(&VECTOR).expect("a message");
        let username = message.attribute::<Username>().expect("a user name");
        assert_eq!(username.username(), "マトリックス");
        let signed_by =
            |password| is_signed(&message, &of("マトリックス", "example.org", password));
        assert!(signed_by("TheMatrIX"));
        assert!(!signed_by("TheMatrix"));
        for n in 20..VECTOR.len() - 24 {
            let mut other = VECTOR;
            other[n] ^= 1;
            if let Ok(message) = Message::from_bytes(&other) {
                let credentials = of("マトリックス", "example.org", "TheMatrIX");
                assert!(!is_signed(&message, &credentials), "byte {n}");
            }
        }
    }

    /// A request for a relay, but for what is left out.
    fn request(parts: [Option<&str>; 3], password: Option<&str>) -> Vec<u8> {
        let mut message = Message::builder_request(ALLOCATE, MessageWriteVec::new());
        let [username, realm, nonce] = parts;
        if let Some(username) = username {
            let username = Username::new(username).expect("a user name");
            message.add_attribute(&username).expect("room");
        }
        if let Some(realm) = realm {
            let realm = Realm::new(realm).expect("a realm");
            message.add_attribute(&realm).expect("room");
        }
        if let Some(nonce) = nonce {
            let nonce = Nonce::new(nonce).expect("a nonce");
            message.add_attribute(&nonce).expect("room");
        }
        if let Some(password) = password {
            let credentials = of(username.unwrap_or_default(), REALM, password);
            message
                .add_message_integrity(&credentials, IntegrityAlgorithm::Sha1)
                .expect("room");
        }
        message.finish()
    }

    #[test]
    fn a_sender_is_known_by_any_of_the_secrets() {
        let secrets = Secrets::new([&b"new"[..], b"old"]).expect("secrets");
        let nonces = Nonces::new().expect("random numbers");
        let client = "192.0.2.1:1000".parse().expect("an address");
        let nonce = nonces.make(client, 1);
        let judged = |request: Vec<u8>| {
            let message = Message::from_bytes(&request).expect("a message");
            let sender = sender(&message, &secrets, &nonces, client, 2);
            sender.map(|sender| sender.username)
        };
        let name = Some("1:a");
        let passwords: Vec<_> = secrets.passwords("1:a").collect();
        for password in &passwords {
            let good = [name, Some(REALM), Some(&nonce)];
            assert_eq!(judged(request(good, Some(password))), Ok("1:a".into()));
        }
        let (good, long) = (Some(passwords[0].as_str()), "1".repeat(510));
        let cases = [
            ([name, Some(REALM), Some(&nonce)], None, Unknown::Unsigned),
            ([None, None, None], None, Unknown::Unsigned),
            ([None, Some(REALM), Some(&nonce)], good, Unknown::Incomplete),
            ([name, None, Some(&nonce)], good, Unknown::Incomplete),
            ([name, Some(REALM), None], good, Unknown::Incomplete),
            ([name, Some(REALM), Some("x")], good, Unknown::Nonce),
            ([name, Some("else"), Some(&nonce)], good, Unknown::Forged),
            (
                [Some("2:a"), Some(REALM), Some(&nonce)],
                good,
                Unknown::Forged,
            ),
            (
                [name, Some(REALM), Some(&nonce)],
                Some("x"),
                Unknown::Forged,
            ),
            (
                [Some(&long), Some(REALM), Some(&nonce)],
                good,
                Unknown::Forged,
            ),
        ];
        for (parts, password, why) in cases {
            assert_eq!(judged(request(parts, password)), Err(why), "{parts:?}");
        }
    }
}
