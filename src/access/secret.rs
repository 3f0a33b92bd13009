//! What may be a secret of HS256, and what is a public key that somebody took for one: whoever knows
//! that could sign with it.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

/// How public keys begin that are neither PEM nor a JWK: of OpenSSH, and a list of JWKs.
const PUBLIC: [&[u8]; 6] = [b"ssh-", b"ecdsa-", b"sk-", b"[", b"{", b"PuTTY-"];
/// What a structure in DER begins with (X.690, section 8.9).
const SEQUENCE: u8 = 0x30;

/// Whether a file's content is a line of text that is no public key.
pub(super) fn is_secret(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
        && !PUBLIC.iter().any(|public| text.starts_with(public))
        && !decoded(text).is_some_and(|bytes| is_der(&bytes))
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [&STANDARD, &URL_SAFE].into_iter().find_map(|alphabet| {
        let engine = GeneralPurpose::new(alphabet, lenient);
        engine.decode(text).ok()
    })
}

/// Whether bytes are one structure in DER from their beginning to their end, as a key is.
fn is_der(bytes: &[u8]) -> bool {
    let [SEQUENCE, length, rest @ ..] = bytes else {
        return false;
    };
    if *length < 0x80 {
        return rest.len() == usize::from(*length);
    }
    let Some((said, content)) = rest.split_at_checked(usize::from(*length & 0x7f)) else {
        return false;
    };
    let said = said.iter().try_fold(0_usize, |sum, byte| {
        sum.checked_mul(256)?.checked_add(usize::from(*byte))
    });
    said == Some(content.len())
}
