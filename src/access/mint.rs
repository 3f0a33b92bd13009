//! `switchboard token`: mints an access token, for trials and for scripts.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::grant::{Claims, OneOrMany, Right};
use super::keys::LEAST_SECRET;
use super::pattern::Pattern;
use super::secret::is_secret;

/// Mint an access token, and print it
///
/// The key is the secret that the server has with --access-key, or the private half of its public
/// key. Applications mint tokens in their own servers, with any JWT library.
#[derive(Debug, Args)]
pub struct Options {
    /// File with the secret (HS256), or with a private key as PEM (Ed25519, P-256, RSA)
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

    /// What may be done there
    #[arg(long = "right", env = "SWITCHBOARD_RIGHT", value_name = "RIGHT", value_delimiter = ',', default_values = ["join", "list"])]
    pub rights: Vec<Right>,

    /// For how long
    #[arg(long, env = "SWITCHBOARD_TTL", value_name = "TIME", default_value = "1h", value_parser = crate::config::duration)]
    pub ttl: Duration,

    /// From when on, as seen from now; it is good for --ttl from then
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
        "{0} holds neither a secret of 32 bytes or more nor a private key of Ed25519, P-256 or RSA as PEM"
    )]
    NoKey(PathBuf),
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
    let from = now + options.not_before.unwrap_or_default();
    let claims = Claims {
        room: patterns(&options.rooms),
        peer: (!options.peers.is_empty()).then(|| patterns(&options.peers)),
        rights: options.rights.clone(),
        exp: (from + options.ttl).as_secs(),
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
    if text.len() < LEAST_SECRET || !is_secret(text) {
        return Err(MintError::NoKey(path()));
    }
    Ok((Algorithm::HS256, EncodingKey::from_secret(text)))
}
