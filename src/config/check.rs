//! What the flags' own types cannot check: values as they are written, and names that are none.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use clap::CommandFactory as _;
use ipnet::{IpNet, Ipv4Net};

use super::Cli;
use crate::access::is_jwt;
use crate::http::{is_peer_token, is_ticket};

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
    /// Nodes that share rooms take each other's tokens.
    #[error(
        "--backplane needs a --secret, the same on all nodes: make one with openssl rand -base64 24"
    )]
    NoSecret,
    /// What several nodes share outlives each of them.
    #[error("--state-file is for a node on its own: with --backplane the rooms are in the store")]
    TwoStores,
    /// An operator's token that is taken for something else, or that no header carries.
    #[error(
        "--operator-token must not look like another credential (sp1.…, st1.…, a JWT), and must be printable ASCII without white space at its ends: make one with openssl rand -base64 24"
    )]
    MistakenOperator,
    /// ICE servers that make no sense together.
    #[error("{0}")]
    Ice(&'static str),
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

/// Whether an operator's token cannot do its work: it is taken for another credential, or does not
/// come through a header as it is.
pub(super) fn is_mistaken(token: &str) -> bool {
    let is_sent = token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && token.trim() == token;
    !is_sent || is_peer_token(token) || is_ticket(token) || is_jwt(token)
}

/// A host as it stands in a URL of an ICE server.
pub(super) fn host(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    if text.is_empty() || !text.bytes().all(plain) {
        return Err("a name is written like turn.example.org".into());
    }
    Ok(text.to_owned())
}

/// A range of ports.
pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = text.split_once('-').and_then(|(from, to)| {
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from > 0 && from <= to).then_some(from..=to)
    });
    range.ok_or_else(|| "ports are written like 49152-65535".into())
}

/// A network, or one address. Senders are told by IPv4 wherever they have it, and so are networks that
/// are written as IPv4 within IPv6 (RFC 4291, section 2.5.5.2).
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    const MAPPED: u8 = 96;
    let shape = || "a network is written like 10.0.0.0/8 or fd00::/8";
    let net = text.parse::<IpNet>().ok();
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let net = net.or_else(one).ok_or_else(shape)?;
    let mapped = match net {
        IpNet::V4(_) => None,
        IpNet::V6(net) => net.addr().to_ipv4_mapped().map(|address| (address, net)),
    };
    let Some((address, whole)) = mapped else {
        return Ok(net);
    };
    let within = whole.prefix_len().checked_sub(MAPPED);
    let net = within.and_then(|length| Ipv4Net::new(address, length).ok());
    Ok(net.map(IpNet::from).ok_or_else(shape)?)
}
