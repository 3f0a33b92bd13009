//! The keys that access tokens are checked with, and the files that they come from.

use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use pem::Pem;

use super::secret::is_secret;

/// The name of the curve P-256 in a key (RFC 5480, section 2.1.1.1), in DER.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// A public RSA key of 2048 bits at least, in bytes of DER: the number alone has 256.
const LEAST_RSA: usize = 264;
/// A key file at most, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// A secret at least, in bytes (RFC 7518, section 3.2).
pub(super) const LEAST_SECRET: usize = 32;

/// Why a file holds no key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// It cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It is too large to be one.
    #[error("{0} is larger than 1 MiB, which no key file is")]
    TooLarge(PathBuf),
    /// It can sign, which whoever only checks must not be able to.
    #[error("{0} holds a private key: give the server the public one")]
    Private(PathBuf),
    /// It is a PEM file of something else.
    #[error(
        "{0} is a PEM file, but not of public keys of Ed25519, P-256 or RSA of 2048 bits or more"
    )]
    Pem(PathBuf),
    /// It vouches for a key, which nobody here looks at.
    #[error(
        "{0} holds a certificate: give the server its public key (openssl x509 -pubkey -noout -in FILE)"
    )]
    Certificate(PathBuf),
    /// It is no text that could be a secret, or a public key in another form.
    #[error(
        "{0} is no key file: a secret is one line of ASCII without spaces, a public key is PEM (BEGIN PUBLIC KEY), a JWK or a JWK set"
    )]
    Neither(PathBuf),
    /// It is JSON, but neither a key nor a set of keys.
    #[error("{0} is neither a JWK nor a JWK set: {1}")]
    Json(PathBuf, serde_json::Error),
    /// No key of it can be used.
    #[error("{0} holds no key for EdDSA, ES256, RS256 or HS256")]
    NoneUsable(PathBuf),
    /// A secret that could be guessed.
    #[error("the secret in {0} is shorter than 32 bytes: make one with openssl rand -base64 48")]
    ShortSecret(PathBuf),
}

/// A key, the one algorithm that it is for, and the name that tokens call it by.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// The keys of a file: a JWK or a set of them, a public key as PEM, or else a secret.
    ///
    /// # Errors
    /// [`BadKey`], which names the file and says what is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>, BadKey> {
        let unreadable = |error| BadKey::Unreadable(path.to_owned(), error);
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MOST_BYTES {
            return Err(BadKey::TooLarge(path.to_owned()));
        }
        Self::of_file(path, &std::fs::read(path).map_err(unreadable)?)
    }

    /// The keys of what was read from `path`.
    pub(super) fn of_file(path: &Path, bytes: &[u8]) -> Result<Vec<Self>, BadKey> {
        let text = bytes.trim_ascii();
        if text.starts_with(b"{") {
            Self::of_json(path, text)
        } else if text.windows(10).any(|window| window == b"-----BEGIN") {
            Self::of_pem(path, text)
        } else if !is_secret(text) {
            Err(BadKey::Neither(path.to_owned()))
        } else if text.len() < LEAST_SECRET {
            Err(BadKey::ShortSecret(path.to_owned()))
        } else {
            Ok(vec![Self::of_secret(text)])
        }
    }

    fn of_secret(secret: &[u8]) -> Self {
        Self {
            id: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        }
    }

    /// All the keys of a file, which may hold several one after the other.
    fn of_pem(path: &Path, text: &[u8]) -> Result<Vec<Self>, BadKey> {
        if text.windows(11).any(|window| window == b"PRIVATE KEY") {
            return Err(BadKey::Private(path.to_owned()));
        }
        let blocks = pem::parse_many(text).map_err(|_| BadKey::Pem(path.to_owned()))?;
        if blocks.iter().any(|block| block.tag() == "CERTIFICATE") {
            return Err(BadKey::Certificate(path.to_owned()));
        }
        if blocks.is_empty() {
            return Err(BadKey::Pem(path.to_owned()));
        }
        let keys = blocks.iter().map(Self::of_block);
        let keys: Option<Vec<_>> = keys.collect();
        keys.ok_or_else(|| BadKey::Pem(path.to_owned()))
    }

    fn of_block(block: &Pem) -> Option<Self> {
        let pem = pem::encode(block);
        type Read = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;
        let kinds: [(Algorithm, Read); 3] = [
            (Algorithm::EdDSA, DecodingKey::from_ed_pem),
            (Algorithm::ES256, DecodingKey::from_ec_pem),
            (Algorithm::RS256, DecodingKey::from_rsa_pem),
        ];
        let (algorithm, key) = kinds.into_iter().find_map(|(algorithm, read)| {
            let key = read(pem.as_bytes()).ok()?;
            Some((algorithm, key))
        })?;
        let contents = block.contents();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the one kind that is left has one size"
        )]
        let fits = match algorithm {
            // The library takes any curve for the one that the algorithm is for.
            Algorithm::ES256 => contents.windows(P256.len()).any(|window| window == P256),
            Algorithm::RS256 => contents.len() >= LEAST_RSA,
            _ => true,
        };
        fits.then_some(Self {
            id: None,
            algorithm,
            key,
        })
    }

    fn of_json(path: &Path, text: &[u8]) -> Result<Vec<Self>, BadKey> {
        let bad = |error| BadKey::Json(path.to_owned(), error);
        let json: serde_json::Value = serde_json::from_slice(text).map_err(bad)?;
        let all = match json.get("keys") {
            Some(serde_json::Value::Array(keys)) => keys.clone(),
            _ => vec![json],
        };
        if all.iter().any(|jwk| jwk.get("d").is_some()) {
            return Err(BadKey::Private(path.to_owned()));
        }
        // A set may hold keys for other uses, and of kinds that are not known here.
        let jwks = all
            .into_iter()
            .filter_map(|jwk| serde_json::from_value(jwk).ok());
        let mut keys = Vec::new();
        for jwk in jwks {
            let Some(key) = Self::of_jwk(&jwk) else {
                continue;
            };
            if is_short(&jwk) {
                return Err(BadKey::ShortSecret(path.to_owned()));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(BadKey::NoneUsable(path.to_owned()));
        }
        Ok(keys)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "kinds of keys that are not taken"
    )]
    fn of_jwk(jwk: &Jwk) -> Option<Self> {
        if matches!(jwk.common.public_key_use, Some(ref other) if *other != PublicKeyUse::Signature)
        {
            return None;
        }
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
            _ => return None,
        };
        // What a key says that it is for, it is for alone.
        let named = jwk.common.key_algorithm.map(|named| named.to_string());
        if named.is_some_and(|named| named != format!("{algorithm:?}")) {
            return None;
        }
        Some(Self {
            id: jwk.common.key_id.clone(),
            algorithm,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}

fn is_short(jwk: &Jwk) -> bool {
    let AlgorithmParameters::OctetKey(key) = &jwk.algorithm else {
        return false;
    };
    // Four characters of base64 are three bytes.
    key.value.trim_end_matches('=').len() * 3 / 4 < LEAST_SECRET
}
