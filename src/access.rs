//! Access tokens: JWTs (RFC 7519, RFC 8725) in which an application's own server says who may join,
//! list and operate which rooms. Without keys to check them by, the server is open to anyone.

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod grant;
mod keys;
pub mod mint;
mod pattern;
mod shape;

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use parking_lot::RwLock;

use grant::{Claims, OneOrMany};
pub use grant::{Grant, Right, SeveralPeers};
use keys::Key;
pub use keys::{BadKey, NoSecret};
pub use pattern::Pattern;
pub(crate) use shape::is_jwt;

/// By how much the clocks of who makes tokens and of this server may differ, in seconds.
const LEEWAY: u64 = 10;
/// The `typ` that a token may have; one for another purpose has another (RFC 8725, section 3.11).
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Why an access token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAccess {
    /// It is no JWT, or one that asks for something unheard of.
    #[error("the access token is no JWT that this server can read")]
    Unreadable,
    /// Signed in a way that no key here is for.
    #[error("the access token is signed with an algorithm or key that this server does not take")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the access token's signature is wrong")]
    Signature,
    /// It has run out.
    #[error("the access token has run out")]
    Expired,
    /// It is not good yet.
    #[error("the access token is not good yet: compare the clocks")]
    NotYet,
    /// It is for somebody else.
    #[error("the access token is for an audience (aud) that --access-audience does not name")]
    Audience,
    /// Somebody else has made it.
    #[error("the access token is of another issuer (iss)")]
    Issuer,
    /// It does not say what is needed.
    #[error(
        "the access token needs the claims room (a name or pattern, or several), rights (some of join, list, operate), exp, and may have peer, nbf, aud, iss"
    )]
    Claims,
}

/// Where keys come from, and what tokens must say beside being signed with them.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The key files.
    pub files: Vec<PathBuf>,
    /// The `aud` that tokens must have, one of them.
    pub audiences: Vec<String>,
    /// The `iss` that tokens must have, one of them.
    pub issuers: Vec<String>,
}

/// The check of access tokens.
pub struct Access {
    options: Options,
    keys: RwLock<Arc<[Key]>>,
}

impl Access {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`BadKey`] of the first file that is none.
    pub fn new(options: Options) -> Result<Self, BadKey> {
        let keys = read(&options)?;
        Ok(Self {
            options,
            keys: RwLock::new(keys),
        })
    }

    /// Whether tokens are asked for at all.
    pub fn is_on(&self) -> bool {
        !self.options.files.is_empty()
    }

    /// Reads the keys again, for rotation; where one cannot be read all stay as they are. Returns how
    /// many there are.
    ///
    /// # Errors
    /// [`BadKey`] of the first file that is none.
    pub fn reload(&self) -> Result<usize, BadKey> {
        let keys = read(&self.options)?;
        let count = keys.len();
        *self.keys.write() = keys;
        Ok(count)
    }

    /// What a token grants.
    ///
    /// # Errors
    /// [`BadAccess`], which says why it grants nothing.
    pub fn verify(&self, token: &str) -> Result<Grant, BadAccess> {
        let header = decode_header(token).map_err(|_| BadAccess::Unreadable)?;
        let typed = header.typ.as_deref();
        let known = |typ: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        if header.crit.is_some() || !typed.is_none_or(known) {
            return Err(BadAccess::Unreadable);
        }
        let keys = self.keys.read().clone();
        let named = |key: &&Key| match (&header.kid, &key.id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        let mut refused = BadAccess::UnknownKey;
        // A key is tried for its own algorithm alone, so that a public one never serves as a secret.
        for key in keys
            .iter()
            .filter(|key| key.algorithm == header.alg)
            .filter(named)
        {
            match decode::<Claims>(token, &key.key, &self.validation(key)) {
                Ok(token) if token.claims.peer.as_ref().is_some_and(OneOrMany::is_empty) => {
                    return Err(BadAccess::Claims);
                }
                Ok(token) => return Ok(Grant::of(token.claims)),
                Err(error) => refused = refusal(error.kind()),
            }
            if refused != BadAccess::Signature {
                return Err(refused);
            }
        }
        Err(refused)
    }

    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if !self.options.audiences.is_empty() {
            validation.set_audience(&self.options.audiences);
            required.push("aud");
        }
        if !self.options.issuers.is_empty() {
            validation.set_issuer(&self.options.issuers);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn read(options: &Options) -> Result<Arc<[Key]>, BadKey> {
    let mut keys = Vec::new();
    for file in &options.files {
        keys.extend(Key::read(file)?);
    }
    Ok(keys.into())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all the other ways in which a token is none"
)]
fn refusal(kind: &ErrorKind) -> BadAccess {
    match kind {
        ErrorKind::InvalidSignature => BadAccess::Signature,
        ErrorKind::ExpiredSignature => BadAccess::Expired,
        ErrorKind::ImmatureSignature => BadAccess::NotYet,
        ErrorKind::InvalidAudience => BadAccess::Audience,
        ErrorKind::InvalidIssuer => BadAccess::Issuer,
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => BadAccess::Claims,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "aud" => BadAccess::Audience,
            "iss" => BadAccess::Issuer,
            _ => BadAccess::Claims,
        },
        _ => BadAccess::Unreadable,
    }
}

#[cfg(test)]
mod tests;
