//! A client of the doors, for the subcommands that ask a server: it knows nothing of the server's
//! inside, and nothing of terminals.

pub(crate) mod answer;
pub(crate) mod backoff;
pub(crate) mod certificate;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod membership;
pub(crate) mod names;
pub(crate) mod reader;
pub(crate) mod reading;
pub(crate) mod source;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub use failure::Failure;
use reqwest::{Client, ClientBuilder, Proxy, Url};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// What is said of an address that is no server's.
pub(crate) const NO_SERVER: &str =
    "a server's address begins with http:// or https://, like https://signal.example.org";

/// The HTTP client of every subcommand. Proxies are those of the environment where none is named;
/// certificates are judged as the system does.
///
/// # Errors
/// Where the proxy cannot be used.
pub(crate) fn builder(proxy: Option<&Url>) -> Result<ClientBuilder, reqwest::Error> {
    // Where it was told before, that stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .dns_resolver(Arc::new(names::Names))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(proxy) = proxy {
        builder = builder.no_proxy().proxy(Proxy::all(proxy.clone())?);
    }
    Ok(builder)
}

/// Reads a server's address from a command line.
///
/// # Errors
/// Where it is none, in words.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| base(url).is_some());
    url.ok_or_else(|| NO_SERVER.to_owned())
}

/// The address that all paths of a server stand under, without a slash at its end; none where it is
/// no server's.
pub(crate) fn base(url: &Url) -> Option<String> {
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return None;
    }
    let mut base = url.clone();
    // Names and passwords in an address are nobody's business in a report.
    let _ = (base.set_username(""), base.set_password(None));
    base.set_query(None);
    base.set_fragment(None);
    Some(base.as_str().trim_end_matches('/').to_owned())
}

/// Text that something else has written, for a terminal: no control characters, and not too long.
pub(crate) fn plain(text: &str) -> String {
    const MOST: usize = 400;
    text.chars().take(MOST).map(shown).collect()
}

/// A character as a terminal may have it.
pub(crate) fn shown(c: char) -> char {
    // Marks that turn the direction of what follows hide as much as control characters do.
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns {
        '\u{fffd}'
    } else {
        c
    }
}

/// JSON that something else has written or had a part in, for a terminal: what would drive one is
/// written as an escape, which says the same.
pub(crate) fn tame(json: &str) -> String {
    let mut tame = String::with_capacity(json.len());
    for c in json.chars() {
        // Within texts such are escapes already; elsewhere they only part what stands beside.
        if shown(c) == c || matches!(c, '\n' | '\r' | '\t') {
            tame.push(c);
        } else {
            // A string takes all that is written to it.
            let _ = write!(tame, "\\u{:04x}", u32::from(c));
        }
    }
    tame
}

/// A server, and how it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) http: Client,
    pub(crate) base: String,
}

impl Server {
    /// # Errors
    /// [`Failure::Usage`] where the address is no server's, or the proxy cannot be used.
    pub(crate) fn new(url: &Url, proxy: Option<&Url>) -> Result<Self, Failure> {
        Self::built(url, builder(proxy))
    }

    /// The same, whatever proxies the environment names.
    ///
    /// # Errors
    /// [`Failure::Usage`] where the address is no server's.
    pub(crate) fn direct(url: &Url) -> Result<Self, Failure> {
        Self::built(url, builder(None).map(ClientBuilder::no_proxy))
    }

    fn built(url: &Url, builder: Result<ClientBuilder, reqwest::Error>) -> Result<Self, Failure> {
        let base = base(url).ok_or_else(|| Failure::Usage(NO_SERVER.into()))?;
        let http = builder.and_then(ClientBuilder::build);
        let http = http.map_err(|error| {
            Failure::Usage(format!(
                "the HTTP client cannot be set up: {}",
                answer::why(&error)
            ))
        })?;
        Ok(Self { http, base })
    }

    /// The address of a room's peers.
    pub(crate) fn peers(&self, room: &str) -> String {
        format!("{}/rooms/{room}/peers", self.base)
    }
}
