//! What the flags' own types cannot check: values as they are written, and names that are none.

use std::time::Duration;

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
    /// What access tokens must say, without a key to check them by: the server would be open.
    #[error("{0} means nothing without --access-key: anyone could join without a token")]
    NoAccessKey(&'static str),
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

/// An origin as browsers write it in `Origin` (RFC 6454, section 6.2), where it is compared byte for
/// byte: `scheme://host`, and a port where it is not the scheme's own.
pub(super) fn origin(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("name each origin on its own, or leave --origin out to allow any".into());
    }
    let shape = || "an origin is written like https://example.org or http://localhost:3000";
    let url = reqwest::Url::parse(text).map_err(|_| shape())?;
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(shape)?;
    let port = url.port().map(|port| format!(":{port}"));
    let written = format!("{}://{host}{}", url.scheme(), port.unwrap_or_default());
    if written.parse::<actix_web::http::Uri>().is_err() {
        return Err(shape().into());
    }
    if written != text {
        return Err(format!("browsers write that origin {written}"));
    }
    Ok(written)
}
