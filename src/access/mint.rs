//! `switchboard token`: mints an access token, for trials and for scripts.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::grant::{Claims, OneOrMany, Right};
use super::keys::NoSecret;
use super::keys::secret::secret;
use super::pattern::Pattern;

/// Mint an access token, and print it
///
/// The key is the secret that the server has with --access-key, or the private half of its public
/// key. Applications mint tokens in their own servers, with any JWT library.
#[derive(Debug, Args)]
pub struct Options {
    /// File with the secret (HS256), or with a private key as PEM (Ed25519, P-256, RSA)
    #[arg(long = "key", value_name = "FILE")]
    pub key: PathBuf,

    /// Room, or a pattern like class-*; repeatable
    #[arg(long = "room", value_name = "PATTERN", required = true)]
    pub rooms: Vec<String>,

    /// Peer, or a pattern; repeatable [default: any]
    #[arg(long = "peer", value_name = "PATTERN")]
    pub peers: Vec<String>,

    /// What may be done there
    #[arg(long = "right", value_name = "RIGHT", value_delimiter = ',', default_values = ["join", "list"])]
    pub rights: Vec<Right>,

    /// For how long
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = crate::config::duration)]
    pub ttl: Duration,

    /// For whom (aud), where the server has --access-audience
    #[arg(long, value_name = "TEXT")]
    pub audience: Option<String>,

    /// By whom (iss), where the server has --access-issuer
    #[arg(long, value_name = "TEXT")]
    pub issuer: Option<String>,

    /// Name of the key (kid), where the server has several
    #[arg(long, value_name = "TEXT")]
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
    let claims = Claims {
        room: patterns(&options.rooms),
        peer: (!options.peers.is_empty()).then(|| patterns(&options.peers)),
        rights: options.rights.clone(),
        exp: (now + options.ttl).as_secs(),
        nbf: None,
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
    let secret = secret(&bytes).map_err(|why| MintError::NoSecret(path(), why))?;
    Ok((Algorithm::HS256, EncodingKey::from_secret(secret)))
}
