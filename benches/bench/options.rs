//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures switchboard beside a minimal reference server: memory, CPU and latency.
///
/// All scenarios with nothing else said take some 15 minutes. What matters is the ratio to the
/// reference, which ran in the same minutes on the same machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench --", bin_name = "cargo bench --", version)]
pub(crate) struct Options {
    /// Which scenarios; several, repeated or separated by commas [default: all]
    #[arg(long = "scenario", value_name = "NAME", value_delimiter = ',')]
    pub(crate) scenarios: Vec<Name>,

    /// How often each scenario runs on each server, in turn; what is printed are medians
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,

    /// How long each run of relay, media, call and room is measured
    #[arg(long, value_name = "S", default_value_t = 4.0, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// How many peers there are in idle, storm and resume
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) peers: u32,

    /// A server that runs already, instead of one that is started: http://127.0.0.1:PORT. Its own bounds apply
    #[arg(long, value_name = "URL", value_parser = loopback, requires = "pid", conflicts_with = "server_args")]
    pub(crate) url: Option<SocketAddr>,

    /// Its process
    #[arg(long, requires = "url")]
    pub(crate) pid: Option<u32>,

    /// More options of the server that is started, separated by white space
    #[arg(
        long,
        value_name = "ARGS",
        allow_hyphen_values = true,
        default_value = ""
    )]
    pub(crate) server_args: String,

    /// The program of another switchboard, for one more column
    #[arg(long, value_name = "PATH")]
    pub(crate) against: Option<PathBuf>,

    /// Also write all figures of all rounds to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Few of everything, for a few seconds: shows that all scenarios run, the figures mean nothing
    #[arg(long)]
    pub(crate) smoke: bool,

    /// Cargo says so; it changes nothing.
    #[arg(long, hide = true)]
    bench: bool,

    /// Be the reference, with a heartbeat of so many milliseconds.
    #[arg(long, hide = true, value_name = "MS")]
    pub(crate) reference: Option<u64>,

    /// Flood the relay at this address, until standard input ends.
    #[arg(long, hide = true, value_name = "ADDR")]
    pub(crate) flood: Option<String>,

    /// By so many clients.
    #[arg(long, hide = true, value_name = "N", default_value_t = 2)]
    pub(crate) flood_clients: usize,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Open streams on which nothing happens
    Idle,
    /// The same with readers of /notices
    IdleNotices,
    /// The same with held long-polls
    IdlePolls,
    /// Messages between pairs of peers
    Relay,
    /// The same beside the server's own relay for media: idle, and at its limit
    Media,
    /// Whole calls, from join to leave
    Call,
    /// Broadcasts in a large room
    Room,
    /// Everybody comes at once
    Storm,
    /// Everybody is cut off and comes back
    Resume,
}

impl Name {
    pub(crate) fn text(self) -> String {
        let value = self.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "a number from 0.1 to 3600".to_owned())
}

/// The address in a URL. Only this machine's own: a load like this is for no other.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let rest = text
        .strip_prefix("http://")
        .ok_or("a URL like http://127.0.0.1:8080")?;
    let host = rest
        .strip_suffix('/')
        .unwrap_or(rest)
        .replacen("localhost:", "127.0.0.1:", 1);
    let addr: SocketAddr = host
        .parse()
        .map_err(|_| "an IP address and a port, like http://127.0.0.1:8080")?;
    if addr.ip().is_loopback() {
        Ok(addr)
    } else {
        Err(
            "only a server on a loopback address is put under load: http://127.0.0.1:PORT"
                .to_owned(),
        )
    }
}
