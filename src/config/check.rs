//! What the flags' own types cannot check: values as they are written, and names that are none.

use std::time::Duration;

use actix_web::http::Uri;
use bytesize::ByteSize;
use clap::CommandFactory as _;

use super::Cli;

/// A configuration that cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// An environment variable that no option has.
    #[error("the environment variable {0} is no option of switchboard; see switchboard --help")]
    UnknownVariable(String),
    /// The resume window is too short for clients to come back in.
    #[error("--resume-window must exceed 90s + --grace: {0:?} is not over {1:?}")]
    ShortResumeWindow(Duration, Duration),
    /// A heartbeat of nothing.
    #[error("--heartbeat must be at least 100ms")]
    NoHeartbeat,
    /// An empty secret or operator token signs or proves nothing.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// What no browser would name as a page's origin.
    #[error(
        "--origin {0}: an origin is written as browsers send it, like https://example.org or http://localhost:8000, in small letters and without a path; leave --origin out to allow any"
    )]
    BadOrigin(String),
    /// What access tokens must say, and no key to check them with.
    #[error("{0} asks for access tokens: give the server their keys with --access-key")]
    NoAccessKey(&'static str),
    /// An operator's token that would be taken for one of another kind.
    #[error(
        "--operator-token must not look like a peer's token, a ticket or a JWT: make one with openssl rand -base64 33"
    )]
    OddOperatorToken,
}

/// Whether a browser would send this as an `Origin` (RFC 6454, section 6.2).
pub(super) fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let usual = matches!(
        (scheme, authority.port_u16()),
        ("http", Some(80)) | ("https", Some(443))
    );
    let bare = !authority.as_str().contains(['@', '*']) && !usual;
    bare && text == format!("{scheme}://{authority}").to_ascii_lowercase()
}

/// Refuses environment variables that look like options and are none.
///
/// # Errors
/// [`BadConfig::UnknownVariable`] for the first such name.
pub fn check_variables(names: impl Iterator<Item = String>) -> Result<(), BadConfig> {
    let command = Cli::command();
    // What one subcommand takes may stand in the environment of another.
    let known: Vec<_> = std::iter::once(&command)
        .chain(command.get_subcommands())
        .flat_map(|command| command.get_arguments())
        .filter_map(|arg| arg.get_env())
        .collect();
    for name in names.filter(|name| name.starts_with("SWITCHBOARD_")) {
        if !known.iter().any(|known| *known == name.as_str()) {
            return Err(BadConfig::UnknownVariable(name));
        }
    }
    Ok(())
}

/// A span as it is written on the command line.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "a duration is written like 15s or 500ms".into())
}

/// A number of bytes as it is written on the command line.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "a size is written like 64KiB".to_owned())?;
    usize::try_from(size.as_u64()).map_err(|_| "too large for this machine".into())
}
