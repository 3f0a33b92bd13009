//! What fuzzing comes in by: key files that are none, and tokens that say anything.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use parking_lot::RwLock;

use super::keys::Key;
use super::{Access, BadKey, Options};

/// The check by the keys that one file holds.
///
/// # Errors
/// [`BadKey`] where it holds none.
pub fn access(file: &[u8], options: Options) -> Result<Access, BadKey> {
    let keys = Key::of_file(Path::new("key"), file)?.into();
    Ok(Access {
        options,
        keys: RwLock::new(keys),
    })
}

/// Forms in which somebody might hand in a public key, none of which may pass for a secret: `content`
/// as a DER SEQUENCE, bare, in base64 and wrapped up once more, behind a byte order mark, in JSON, and as OpenSSH writes it.
pub fn disguises(content: &[u8]) -> Vec<Vec<u8>> {
    let size = content.len().to_be_bytes();
    let size = &size[size.len() - 4..];
    let der = [b"\x30\x84", size, content].concat();
    let text = STANDARD.encode(&der);
    vec![
        URL_SAFE_NO_PAD.encode(&der).into_bytes(),
        der,
        [b"\xef\xbb\xbf", content].concat(),
        [b"\xff\xfe", content].concat(),
        [b"[", content, b"]"].concat(),
        format!("ssh-ed25519 {text}").into_bytes(),
        STANDARD.encode(&text).into_bytes(),
        format!("data:application/octet-stream;base64,{text}").into_bytes(),
        format!("key={text}").into_bytes(),
        text.into_bytes(),
    ]
}

/// A token of these two parts, whatever they are, signed by HS256.
pub fn signed(header: &[u8], claims: &[u8], secret: &[u8]) -> Option<String> {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = EncodingKey::from_secret(secret);
    let tag = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).ok()?;
    Some(format!("{message}.{tag}"))
}
