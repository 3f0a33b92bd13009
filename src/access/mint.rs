//! `switchboard token`: mints an access token, for trials and for scripts.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::grant::{Claims, OneOrMany, Right};
use super::keys::NoSecret;
use super::keys::secret::{LEAST, secret};
use super::pattern::Pattern;

/// Mint an access token, and print it
///
/// The key is the secret that the server has with --access-key, or the private half of its public
/// key. Applications mint tokens in their own servers, with any JWT library.
/// Every option is also an environment variable: SWITCHBOARD_ and the flag's name in capitals.
#[derive(Debug, Args)]
#[command(after_help = crate::exit::TABLE)]
pub struct Options {
    /// File with the secret (HS256), bare or as JWK, or with a private key as PEM (Ed25519, P-256, RSA); private keys as JWK are not read
    #[arg(long = "key", env = "SWITCHBOARD_KEY", value_name = "FILE")]
    pub key: PathBuf,

    /// Room, or a pattern like class-*; repeatable
    #[arg(
        long = "room",
        env = "SWITCHBOARD_ROOM",
        value_name = "PATTERN",
        value_delimiter = ',',
        required = true
    )]
    pub rooms: Vec<String>,

    /// Peer, or a pattern; repeatable [default: any]
    #[arg(
        long = "peer",
        env = "SWITCHBOARD_PEER",
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    pub peers: Vec<String>,

    /// What may be done there; repeatable
    #[arg(
        long = "right",
        env = "SWITCHBOARD_RIGHT",
        value_name = "RIGHT",
        value_delimiter = ',',
        default_values = ["join", "list"]
    )]
    pub rights: Vec<Right>,

    /// For how long
    #[arg(long, env = "SWITCHBOARD_TTL", value_name = "TIME", default_value = "1h", value_parser = crate::config::duration)]
    pub ttl: Duration,

    /// In how long it begins to be good (nbf), which --ttl then counts from [default: at once]
    #[arg(long, env = "SWITCHBOARD_NOT_BEFORE", value_name = "TIME", value_parser = crate::config::duration)]
    pub not_before: Option<Duration>,

    /// For whom (aud), where the server has --access-audience
    #[arg(long, env = "SWITCHBOARD_AUDIENCE", value_name = "TEXT")]
    pub audience: Option<String>,

    /// By whom (iss), where the server has --access-issuer
    #[arg(long, env = "SWITCHBOARD_ISSUER", value_name = "TEXT")]
    pub issuer: Option<String>,

    /// Name of the key (kid), where the server has several
    #[arg(long, env = "SWITCHBOARD_KEY_ID", value_name = "TEXT")]
    pub key_id: Option<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The key file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It holds no key to sign with.
    #[error(
        "{0} is a PEM file, but holds no private key of Ed25519, P-256 or RSA that is not encrypted"
    )]
    NoKey(PathBuf),
    /// It holds something else.
    #[error("{0} holds {1}")]
    NoSecret(PathBuf, NoSecret),
    /// It is JSON, but no secret.
    #[error(
        "{0} holds no JWK of a secret (kty oct) of 32 bytes or more: a private key is read as PEM alone"
    )]
    NoSecretJwk(PathBuf),
    /// The key does not sign.
    #[error("the key cannot sign: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// Mints a token.
///
/// # Errors
/// [`MintError`], where the key is none to sign with.
pub fn run(options: &Options) -> Result<String, MintError> {
    let (algorithm, key) = signing_key(options)?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let from = now.saturating_add(options.not_before.unwrap_or_default());
    let claims = Claims {
        room: patterns(&options.rooms),
        peer: (!options.peers.is_empty()).then(|| patterns(&options.peers)),
        rights: options.rights.clone(),
        exp: from.saturating_add(options.ttl).as_secs(),
        nbf: options.not_before.map(|_| from.as_secs()),
        aud: options.audience.clone().map(serde_json::Value::String),
        iss: options.issuer.clone(),
    };
    let mut header = Header::new(algorithm);
    header.kid.clone_from(&options.key_id);
    Ok(encode(&header, &claims, &key)?)
}

fn patterns(names: &[String]) -> OneOrMany {
    match names {
        [one] => OneOrMany::One(Pattern::new(one)),
        many => OneOrMany::Many(many.iter().map(Pattern::new).collect()),
    }
}

fn signing_key(options: &Options) -> Result<(Algorithm, EncodingKey), MintError> {
    let path = || options.key.clone();
    let bytes =
        std::fs::read(&options.key).map_err(|error| MintError::Unreadable(path(), error))?;
    let text = bytes.trim_ascii();
    if text.windows(10).any(|window| window == b"-----BEGIN") {
        type Read = fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>;
        let kinds: [(Algorithm, Read); 3] = [
            (Algorithm::EdDSA, EncodingKey::from_ed_pem),
            (Algorithm::ES256, EncodingKey::from_ec_pem),
            (Algorithm::RS256, EncodingKey::from_rsa_pem),
        ];
        let mut keys = kinds
            .into_iter()
            .filter_map(|(algorithm, read)| Some((algorithm, read(text).ok()?)));
        return keys.next().ok_or_else(|| MintError::NoKey(path()));
    }
    if text.starts_with(b"{") {
        let key = of_jwk(text).ok_or_else(|| MintError::NoSecretJwk(path()))?;
        return Ok((Algorithm::HS256, key));
    }
    let secret = secret(&bytes).map_err(|why| MintError::NoSecret(path(), why))?;
    Ok((Algorithm::HS256, EncodingKey::from_secret(secret)))
}

/// The secret that a JWK holds. Of a set, and of private keys, which the server never has, none is read.
fn of_jwk(text: &[u8]) -> Option<EncodingKey> {
    let jwk: Jwk = serde_json::from_slice(text).ok()?;
    let AlgorithmParameters::OctetKey(key) = jwk.algorithm else {
        return None;
    };
    let secret = URL_SAFE_NO_PAD.decode(key.value).ok()?;
    (secret.len() >= LEAST).then(|| EncodingKey::from_secret(&secret))
}
