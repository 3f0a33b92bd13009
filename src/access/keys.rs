//! The keys that access tokens are checked with, and the files that they come from.

mod fit;
mod pem;
pub(super) mod secret;

use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

pub use secret::NoSecret;

/// A key file at most, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

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
    /// It holds a certificate, whose dates and signature nobody would look at.
    #[error("{0} holds a certificate: openssl x509 -in FILE -noout -pubkey writes its public key")]
    Certificate(PathBuf),
    /// It is a PEM file of something else, or of something else too.
    #[error(
        "{0} is a PEM file, but not all that it holds are public keys of Ed25519, P-256, or RSA of 2048 to 8192 bits"
    )]
    Pem(PathBuf),
    /// It is JSON, but neither a key nor a set of keys.
    #[error("{0} is neither a JWK nor a JWK set: {1}")]
    Json(PathBuf, serde_json::Error),
    /// No key of it can be used.
    #[error("{0} holds no key for EdDSA, ES256, RS256 (of 2048 to 8192 bits) or HS256")]
    NoneUsable(PathBuf),
    /// It is no secret either, though no PEM and no JWK, or one that could be guessed.
    #[error("{0} holds {1}")]
    NoSecret(PathBuf, NoSecret),
}

/// A key, the one algorithm that it is for, and the name that tokens call it by.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// The keys of a file: a JWK or a set of them, public keys as PEM, or a secret.
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
            pem::keys(path, text)
        } else {
            let secret = secret::secret(bytes);
            let secret = secret.map_err(|why| BadKey::NoSecret(path.to_owned(), why))?;
            Ok(vec![Self::of_secret(secret)])
        }
    }

    fn of_secret(secret: &[u8]) -> Self {
        Self {
            id: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        }
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
            if key.algorithm == Algorithm::HS256 && !fit::fits(key.algorithm, &key.key) {
                return Err(BadKey::NoSecret(path.to_owned(), NoSecret::Short));
            }
            // Another that can verify nothing does no harm either.
            keys.extend(fit::fits(key.algorithm, &key.key).then_some(key));
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
