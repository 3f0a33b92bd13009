//! Whether a key can verify what it is for, found out before it is taken.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::secret;

/// Sizes of RSA moduli that are verified with, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Whether `key` is on the curve, or of a size, that `algorithm` verifies with.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other algorithm is taken"
)]
pub(super) fn fits(algorithm: Algorithm, key: &DecodingKey) -> bool {
    let parses = |algorithm: &'static dyn VerificationAlgorithm| {
        key.try_get_as_bytes()
            .is_ok_and(|bytes| ParsedPublicKey::new(algorithm, bytes).is_ok())
    };
    match algorithm {
        Algorithm::EdDSA => parses(&ED25519),
        Algorithm::ES256 => parses(&ECDSA_P256_SHA256_FIXED),
        Algorithm::RS256 => rsa(key).is_some(),
        Algorithm::HS256 => key
            .try_get_as_bytes()
            .is_ok_and(|secret| secret.len() >= secret::LEAST),
        _ => false,
    }
}

fn rsa(key: &DecodingKey) -> Option<()> {
    let jwk = Jwk::from_decoding_key(key, None).ok()?;
    let AlgorithmParameters::RSA(parts) = jwk.algorithm else {
        return None;
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let (n, e) = (bytes(&parts.n)?, bytes(&parts.e)?);
    let unused = usize::try_from(n.first()?.leading_zeros()).ok()?;
    let parts = RsaPublicKeyComponents { n: &n, e: &e };
    parts
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .ok()?;
    RSA_BITS.contains(&(n.len() * 8 - unused)).then_some(())
}
