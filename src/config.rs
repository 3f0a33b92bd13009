//! The command line: every option a flag and an environment variable. Nobody reads the environment
//! below `main`; everything here is passed down as plain values.

mod backplane;
mod bounds;
mod check;
pub mod fixed;
mod ice;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use backplane::Backplane;
pub use bounds::Bounds;
pub(crate) use check::duration;
pub use check::{BadConfig, check_variables};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
pub use ice::IceOptions;
use ipnet::IpNet;

use crate::access;
use crate::proto::Timings;
use crate::proto::lease::PROOF_OF_LIFE;

/// WebRTC signaling over plain HTTP: POST up, EventSource or long-poll down.
///
/// With nothing else it serves on http://127.0.0.1:8080, open to anyone, in memory.
/// Every option is also an environment variable: SWITCHBOARD_ and the flag's name in capitals.
/// Durations are written like 15s or 500ms, sizes like 64KiB. For a limit, 0 is none.
/// RUST_LOG says what is logged to standard error, like switchboard=debug; tokens, tickets, SDP and
/// candidates never are, at any level.
#[derive(Debug, Parser)]
#[command(
    version,
    after_long_help = fixed::help(),
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Cli {
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `serve`.
    #[command(flatten)]
    pub config: Config,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve (the default).
    #[command(after_help = crate::exit::TABLE)]
    Serve(Box<Config>),
    #[expect(missing_docs, reason = "the help of `check` stands at its options")]
    Check(Box<crate::check::Options>),
    #[expect(missing_docs, reason = "the help of `health` stands at its options")]
    Health(Box<crate::health::Options>),
    #[expect(missing_docs, reason = "the help of `token` stands at its options")]
    Token(Box<crate::access::mint::Options>),
    #[expect(missing_docs, reason = "the help of `listen` stands at its options")]
    Listen(Box<crate::terminal::listen::Options>),
    #[expect(missing_docs, reason = "the help of `send` stands at its options")]
    Send(Box<crate::terminal::send::Options>),
    #[expect(missing_docs, reason = "the help of `bench` stands at its options")]
    Bench(Box<crate::bench::Options>),
    #[expect(
        missing_docs,
        reason = "the help of `completions` stands at its options"
    )]
    Completions(crate::manual::Completions),
    #[expect(missing_docs, reason = "the help of `man` stands at its options")]
    Man(crate::manual::Pages),
}

impl Cli {
    /// The configuration to serve with.
    pub fn into_config(self) -> Config {
        match self.command {
            Some(Command::Serve(config)) => *config,
            Some(_) | None => self.config,
        }
    }
}

/// What one server is told.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Address to serve on; port 0 takes a free one, which is printed
    #[arg(
        long,
        env = "SWITCHBOARD_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,

    /// Second address for /livez, /readyz and, without a token, /metrics; answered also when the first is full of streams
    #[arg(long, env = "SWITCHBOARD_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<SocketAddr>,

    /// Secret that signs tokens and tickets; several, repeated or separated by commas: the first signs, all verify [default: random]
    #[arg(
        long = "secret",
        env = "SWITCHBOARD_SECRET",
        value_name = "SECRET",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub secrets: Vec<String>,

    /// File with a key of access tokens (JWTs): a secret, which is one line of 32 or more printable ASCII characters without white space (HS256), public keys as PEM (Ed25519, P-256, RSA of 2048 bits or more), or a JWK set; anything else is refused. Repeatable, read again at SIGHUP. With none, anyone may join
    #[arg(
        long = "access-key",
        env = "SWITCHBOARD_ACCESS_KEY",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub access_keys: Vec<PathBuf>,

    /// Audience (aud) that access tokens must have; repeatable: one of them
    #[arg(
        long = "access-audience",
        env = "SWITCHBOARD_ACCESS_AUDIENCE",
        value_name = "TEXT",
        value_delimiter = ','
    )]
    pub access_audiences: Vec<String>,

    /// Issuer (iss) that access tokens must have; repeatable: one of them
    #[arg(
        long = "access-issuer",
        env = "SWITCHBOARD_ACCESS_ISSUER",
        value_name = "TEXT",
        value_delimiter = ','
    )]
    pub access_issuers: Vec<String>,

    /// Token of an operator, who may list and close rooms, kick peers, and see the console, the history and the figures; clients are then asked to report how their connections stand
    #[arg(
        long,
        env = "SWITCHBOARD_OPERATOR_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub operator_token: Option<String>,

    /// Origin whose pages may use this server (CORS): scheme, host and port, as browsers name it; repeatable [default: any, without credentials]
    #[arg(
        long = "origin",
        env = "SWITCHBOARD_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = check::origin
    )]
    pub origins: Vec<String>,

    /// Certificate by which --listen is served over TLS: a PEM file, the server's own first, then those of who signed it; read again at SIGHUP
    #[arg(
        long,
        env = "SWITCHBOARD_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Its key: a PEM file
    #[arg(
        long,
        env = "SWITCHBOARD_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// Worker threads; 0: one for each CPU
    #[arg(
        long,
        env = "SWITCHBOARD_WORKERS",
        value_name = "N",
        default_value_t = 0
    )]
    pub workers: usize,

    /// Whether usual requests are answered where they are read; false has all go through the web server, for comparisons
    #[arg(long, env = "SWITCHBOARD_EXPRESS", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub express: bool,

    /// Longest silence on a stream
    #[arg(long, env = "SWITCHBOARD_HEARTBEAT", value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub heartbeat: Duration,

    /// No reader and no request for so long: the others are told that the peer is away
    #[arg(long, env = "SWITCHBOARD_AWAY_AFTER", value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub away_after: Duration,

    /// Counted from the same loss: the peer has left, reason timeout
    #[arg(long, env = "SWITCHBOARD_GRACE", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub grace: Duration,

    /// The same for a peer that has not opened a reader yet
    #[arg(long, env = "SWITCHBOARD_JOIN_GRACE", value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub join_grace: Duration,

    /// How long a written event is held for a reader that may not have got it; over 90s + grace
    #[arg(long, env = "SWITCHBOARD_RESUME_WINDOW", value_name = "TIME", default_value = "180s", value_parser = duration)]
    pub resume_window: Duration,

    /// Over how long open readers are ended when the server goes away
    #[arg(long, env = "SWITCHBOARD_DRAIN", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain: Duration,

    /// File that rooms, mailboxes and sessions are written to at the end and read back from at the start
    #[arg(long, env = "SWITCHBOARD_STATE_FILE", value_name = "PATH")]
    pub state_file: Option<PathBuf>,

    /// How lines of the log are written, to standard error
    #[arg(
        long,
        env = "SWITCHBOARD_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,

    /// Network of proxies that name who asked them, like 10.0.0.0/8; repeatable. Of all others the address that they connect from counts
    #[arg(
        long = "trusted-proxy",
        env = "SWITCHBOARD_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = check::network
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Header in which they do
    #[arg(
        long,
        env = "SWITCHBOARD_FORWARDED_BY",
        value_name = "HEADER",
        default_value = "x-forwarded-for"
    )]
    pub forwarded_by: ForwardedBy,

    /// The ICE servers that peers are told of.
    #[command(flatten)]
    pub ice: IceOptions,

    /// Where rooms are kept.
    #[command(flatten)]
    pub backplane: Backplane,

    /// How much of everything there may be.
    #[command(flatten)]
    pub bounds: Bounds,
}

/// A secret below so many bytes is warned of.
const LEAST_SECRET: usize = 16;

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors of logs.
    Json,
}

/// The header in which trusted proxies name who asked them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, which nearly all write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Config {
    /// The configuration that `switchboard` has with nothing else said.
    pub fn standard() -> Self {
        // The flags' own defaults; the environment is not asked.
        let bare = Cli::command().mut_args(|arg| arg.env(None::<&str>));
        let matches = bare.get_matches_from(["switchboard"]);
        let config = <Config as clap::FromArgMatches>::from_arg_matches(&matches);
        config.unwrap_or_else(|error| error.exit())
    }

    /// Where keys of access tokens come from.
    pub fn access(&self) -> access::Options {
        access::Options {
            files: self.access_keys.clone(),
            audiences: self.access_audiences.clone(),
            issuers: self.access_issuers.clone(),
        }
    }

    /// Checks what the flags cannot check one by one.
    ///
    /// # Errors
    /// [`BadConfig`], which says what to change.
    pub fn check(&self) -> Result<(), BadConfig> {
        let least = PROOF_OF_LIFE + self.grace;
        if self.resume_window <= least {
            return Err(BadConfig::ShortResumeWindow(self.resume_window, least));
        }
        if self.heartbeat < Duration::from_millis(100) {
            return Err(BadConfig::NoHeartbeat);
        }
        if self.secrets.iter().any(String::is_empty) {
            return Err(BadConfig::Empty("--secret"));
        }
        if self.operator_token.as_deref() == Some("") {
            return Err(BadConfig::Empty("--operator-token"));
        }
        if self
            .operator_token
            .as_deref()
            .is_some_and(check::is_mistaken)
        {
            return Err(BadConfig::MistakenOperator);
        }
        if self.backplane.shared().is_some() {
            if self.secrets.is_empty() {
                return Err(BadConfig::NoSecret);
            }
            if self.state_file.is_some() {
                return Err(BadConfig::TwoStores);
            }
        }
        if let Some(problem) = self.ice.problem(self.tls_cert.is_some()) {
            return Err(BadConfig::Ice(problem));
        }
        if self.access_keys.is_empty() {
            let asked = [
                ("--access-audience", &self.access_audiences),
                ("--access-issuer", &self.access_issuers),
            ];
            if let Some((name, _)) = asked.iter().find(|(_, asked)| !asked.is_empty()) {
                return Err(BadConfig::NoAccessKey(name));
            }
        }
        Ok(())
    }

    /// The options whose secrets are short enough to be guessed.
    pub fn guessable(&self) -> Vec<&'static str> {
        let short = |secret: &str| secret.len() < LEAST_SECRET;
        let secret = self.secrets.iter().any(|secret| short(secret));
        let operator = self.operator_token.as_deref().is_some_and(short);
        let turn = self.ice.turn_secrets.iter().any(|secret| short(secret));
        let all = [
            ("--secret", secret),
            ("--operator-token", operator),
            ("--turn-secret", turn),
        ];
        all.into_iter()
            .filter_map(|(name, is_short)| is_short.then_some(name))
            .collect()
    }

    /// The spans that presence and delivery are judged by.
    pub fn timings(&self) -> Timings {
        Timings {
            away_after: self.away_after,
            grace: self.grace,
            join_grace: self.join_grace,
            resume_window: self.resume_window,
            heartbeat: self.heartbeat,
            slow_after: self.bounds.slow_after,
        }
    }
}

#[cfg(test)]
mod tests;
