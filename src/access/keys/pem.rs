//! Public keys as PEM (RFC 7468): all that a file holds, since rotation may be by concatenation.

use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey};

use super::{BadKey, Key, fit};

/// What begins a block.
const BEGIN: &[u8] = b"-----BEGIN ";

/// The keys of a PEM file.
///
/// # Errors
/// [`BadKey`] where it holds anything else, or anything else too.
pub(super) fn keys(path: &Path, text: &[u8]) -> Result<Vec<Key>, BadKey> {
    let holds = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
    if holds(b"PRIVATE KEY") {
        return Err(BadKey::Private(path.to_owned()));
    }
    if holds(b"-----BEGIN CERTIFICATE") || holds(b"-----BEGIN TRUSTED CERTIFICATE") {
        return Err(BadKey::Certificate(path.to_owned()));
    }
    let other = || BadKey::Pem(path.to_owned());
    let blocks = pem::parse_many(text).map_err(|_| other())?;
    // A block that is cut off is none to the parser.
    let begun = text.windows(BEGIN.len()).filter(|window| *window == BEGIN);
    if blocks.is_empty() || begun.count() != blocks.len() {
        return Err(other());
    }
    let keys: Option<_> = blocks.iter().map(key).collect();
    keys.ok_or_else(other)
}

fn key(block: &pem::Pem) -> Option<Key> {
    type Read = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
    let kinds: [(Algorithm, Read); 3] = [
        (Algorithm::EdDSA, DecodingKey::from_ed_pem),
        (Algorithm::ES256, DecodingKey::from_ec_pem),
        (Algorithm::RS256, DecodingKey::from_rsa_pem),
    ];
    let alone = pem::encode(block);
    let (algorithm, key) = kinds.into_iter().find_map(|(algorithm, read)| {
        let key = read(alone.as_bytes()).ok()?;
        Some((algorithm, key))
    })?;
    fit::fits(algorithm, &key).then_some(Key {
        id: None,
        algorithm,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = include_str!("../tests/ed.pub.pem");
    const P256: &str = include_str!("../tests/p256.pub.pem");
    const RSA: &str = include_str!("../tests/rsa.pub.pem");

    fn read(text: &str) -> Result<Vec<Algorithm>, BadKey> {
        let keys = Key::of_file(Path::new("key"), text.as_bytes())?;
        Ok(keys.iter().map(|key| key.algorithm).collect())
    }

    #[test]
    fn all_keys_of_a_file_are_read() {
        let ed2 = include_str!("../tests/ed2.pub.pem");
        let all = read(&format!(
            "the old one:\n{ED}\nthe new one:\n{ed2}{P256}{RSA}"
        ));
        let expected = [
            Algorithm::EdDSA,
            Algorithm::EdDSA,
            Algorithm::ES256,
            Algorithm::RS256,
        ];
        assert_eq!(all.expect("keys"), expected);
    }

    #[test]
    fn a_curve_or_a_size_that_verifies_nothing_is_refused() {
        for other in [
            include_str!("../tests/p384.pub.pem"),
            include_str!("../tests/k256.pub.pem"),
            include_str!("../tests/rsa1024.pub.pem"),
        ] {
            for text in [other.to_owned(), format!("{ED}{other}")] {
                assert!(matches!(read(&text), Err(BadKey::Pem(_))), "{text}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused_beside_a_key_too() {
        let cut = P256.split_once("-----END").expect("an end").0;
        for other in [
            cut.to_owned(),
            cut.replace("KEY-----", "KEY"),
            ED.replace("PUBLIC KEY", "EC PARAMETERS"),
            ED.replace('M', "*"),
        ] {
            for text in [
                other.clone(),
                format!("{ED}{other}"),
                format!("{other}{ED}"),
            ] {
                assert!(matches!(read(&text), Err(BadKey::Pem(_))), "{text}");
            }
        }
        let certificate = include_str!("../tests/ed.crt");
        let refused = read(&format!("{ED}{certificate}"));
        assert!(matches!(refused, Err(BadKey::Certificate(_))));
        let refused = read(certificate).expect_err("refused").to_string();
        assert!(refused.contains("openssl x509"), "{refused}");
        let private = read(&format!("{ED}{}", include_str!("../tests/ed.pem")));
        assert!(matches!(private, Err(BadKey::Private(_))));
    }

    #[test]
    fn a_jwk_that_verifies_nothing_is_none_of_a_set() {
        let weak = "s".repeat(171);
        for jwk in [
            format!(r#"{{"kty":"RSA","n":"{weak}","e":"AQAB"}}"#),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
        ] {
            assert!(matches!(read(&jwk), Err(BadKey::NoneUsable(_))), "{jwk}");
        }
    }
}
