//! `switchboard health [URL]`: is a server up? For images without a shell, and for scripts.
//!
//! A client of the doors only: it knows nothing of the server's inside.

use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::client::{certificate, plain};
use crate::exit::Exit;

/// How long the server has to answer: less than what asks for this waits.
const WITHIN: Duration = Duration::from_secs(2);

/// Check that a server is up, or ready
///
/// Asks for /livez once, past all proxies, and waits 2 s at most. With no URL it asks the server
/// that the same environment starts: at SWITCHBOARD_ADMIN_LISTEN, or else at SWITCHBOARD_LISTEN, over
/// TLS where SWITCHBOARD_TLS_CERT names a certificate. On this machine any certificate will do.
///
/// Exit status: 0 it is; 1 it is not; 2 that is no address of a server.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = crate::exit::TABLE)]
pub struct Options {
    /// The server's address, like <https://signal.example.org> [default: as this environment serves]
    #[arg(value_parser = crate::client::address)]
    pub url: Option<Url>,

    /// Ask for /readyz: a server that goes away is up, but not ready
    #[arg(long, env = "SWITCHBOARD_READY", value_parser = FalseyValueParser::new())]
    pub ready: bool,

    /// Address that the server serves on
    #[arg(
        long,
        env = "SWITCHBOARD_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,

    /// Its second address, which is asked where there is one
    #[arg(long, env = "SWITCHBOARD_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<SocketAddr>,

    /// Its certificate, which is not read: --listen is served over TLS
    #[arg(long, env = "SWITCHBOARD_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
}

/// Why a server is not well, as far as one can see.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// The address is none of a server.
    #[error("a server's address begins with http:// or https://, and has a port")]
    NoServer,
    /// It says no.
    #[error("{0} is answered with {1}")]
    Refused(Url, u16),
    /// It says nothing, or cannot be reached.
    #[error("{0} is not answered")]
    Silent(Url, #[source] reqwest::Error),
    /// It shows a certificate that is not trusted.
    #[error("{0}: {why}; {advice}", why = plain(.1), advice = certificate::advice(.1).unwrap_or_default())]
    Untrusted(Url, String),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// Standard output takes nothing.
    #[error("the result cannot be written")]
    Output(#[from] std::io::Error),
}

impl Unwell {
    /// The exit status that says so.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoServer => Exit::Usage,
            Self::Refused(..)
            | Self::Silent(..)
            | Self::Untrusted(..)
            | Self::Client(_)
            | Self::Output(_) => Exit::Failed,
        }
    }
}

/// Asks, and prints one line where all is well.
///
/// # Errors
/// [`Unwell`] where it is not.
pub async fn run(options: &Options) -> Result<(), Unwell> {
    let mut said = Err(Unwell::NoServer);
    for url in options.places()? {
        said = ask(&url).await.map(|()| url);
        // What has answered is the server.
        if !matches!(said, Err(Unwell::Silent(..))) {
            break;
        }
    }
    match writeln!(std::io::stdout(), "ok: {}", said?) {
        // Whoever has closed the pipe has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

async fn ask(url: &Url) -> Result<(), Unwell> {
    // Where it was told before, that stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut client = Client::builder()
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .timeout(WITHIN);
    if is_here(url) {
        // Nobody stands between; its certificate names its users' host.
        client = client
            .tls_certs_only([])
            .tls_danger_accept_invalid_certs(true);
    }
    let client = client.build().map_err(Unwell::Client)?;
    let answer = client.get(url.clone()).send().await;
    let answer = answer.map_err(|error| match certificate::untrusted(&error) {
        Some(why) => Unwell::Untrusted(url.clone(), why),
        None => Unwell::Silent(url.clone(), error.without_url()),
    })?;
    match answer.status().as_u16() {
        200 => Ok(()),
        other => Err(Unwell::Refused(url.clone(), other)),
    }
}

/// Whether it is an address of this machine alone.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = |address: IpAddr| address.to_canonical().is_loopback();
    host == "localhost" || bare.parse().is_ok_and(loopback)
}

impl Options {
    /// Where to ask, one after the other.
    fn places(&self) -> Result<Vec<Url>, Unwell> {
        let door = if self.ready { "readyz" } else { "livez" };
        let bases = match (&self.url, self.admin_listen) {
            (Some(url), _) => vec![url.clone()],
            (None, Some(admin)) => served("http", admin)?,
            (None, None) if self.tls_cert.is_some() => served("https", self.listen)?,
            (None, None) => served("http", self.listen)?,
        };
        let at = |mut url: Url| {
            let usable = matches!(url.scheme(), "http" | "https");
            url.set_query(None);
            url.set_fragment(None);
            let path = url.path_segments_mut().ok().filter(|_| usable);
            path.ok_or(Unwell::NoServer)?.pop_if_empty().push(door);
            Ok(url)
        };
        bases.into_iter().map(at).collect()
    }
}

/// Where this machine reaches what is served on `address`, which may be all of its addresses.
fn served(scheme: &str, address: SocketAddr) -> Result<Vec<Url>, Unwell> {
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let ip = address.ip();
    let hosts: &[IpAddr] = if !ip.is_unspecified() {
        &[ip]
    } else if ip.is_ipv4() {
        &[v4]
    } else {
        // Of both versions, where the system has both.
        &[v4, v6]
    };
    if address.port() == 0 {
        return Err(Unwell::NoServer);
    }
    let url = |host: &IpAddr| {
        let address = SocketAddr::new(*host, address.port());
        Url::parse(&format!("{scheme}://{address}")).map_err(|_| Unwell::NoServer)
    };
    hosts.iter().map(url).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &[&str]) -> Result<Line, clap::Error> {
        Line::try_parse_from([&["health"], line].concat())
    }

    fn places(line: &[&str]) -> Vec<String> {
        let places = parse(line).expect("a command line").options.places();
        places
            .unwrap_or_default()
            .iter()
            .map(Url::to_string)
            .collect()
    }

    #[test]
    fn it_asks_where_the_server_of_the_same_environment_is() {
        let on = |listen| places(&["--listen", listen]);
        assert_eq!(on("10.0.0.7:80"), ["http://10.0.0.7/livez"]);
        assert_eq!(on("0.0.0.0:8080"), ["http://127.0.0.1:8080/livez"]);
        let both = ["http://127.0.0.1:8080/livez", "http://[::1]:8080/livez"];
        assert_eq!(on("[::]:8080"), both);
        assert!(on("127.0.0.1:0").is_empty(), "nobody knows that port");
        let admin = ["--admin-listen", "127.0.0.1:9", "--tls-cert", "c.pem"];
        assert_eq!(places(&admin), ["http://127.0.0.1:9/livez"]);
        let secure = ["--tls-cert", "c.pem", "--ready"];
        assert_eq!(places(&secure), ["https://127.0.0.1:8080/readyz"]);
    }

    #[test]
    fn a_url_may_have_a_path_and_must_be_of_a_server() {
        let under = places(&["https://a.example/signal/?x=1#y", "--ready"]);
        assert_eq!(under, ["https://a.example/signal/readyz"]);
        for wrong in ["ftp://a.example", "mailto:ada"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_believed_without_a_certificate() {
        let here = |url: &str| is_here(&Url::parse(url).expect("a URL"));
        for own in [
            "https://localhost:1",
            "https://127.8.0.1",
            "https://[::1]",
            "https://[::ffff:127.0.0.1]",
        ] {
            assert!(here(own), "{own}");
        }
        for other in [
            "https://localhost.example",
            "https://10.0.0.1",
            "https://[fd00::1]",
        ] {
            assert!(!here(other), "{other}");
        }
    }
}
