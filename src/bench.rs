//! `switchboard bench`: a steady load on a server that runs, and how it bore it.
//!
//! Signals are due at a steady pace, whatever becomes of those before: each is counted from when it
//! was due, so that a server that stalls cannot make the load wait for it, and look better.

mod crowd;
mod report;
mod sender;
mod tally;
mod watcher;

use std::io::Write as _;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use crowd::Crowd;
use report::Report;
use reqwest::Url;
use tally::Tally;
use tokio::time::{Instant, sleep};

use crate::client::answer::Refusal;
use crate::client::reading::Mode;
use crate::client::{Failure, Server, tame};
use crate::exit::{self, Exit};
use crate::progress::Progress;
use crate::terminal::options::secret;
use crate::terminal::stop::Stop;

/// How long the last signals may take.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long readers may take to begin.
const OPENING: Duration = Duration::from_secs(15);

/// Put a steady load on a server, and measure how it bears it
///
/// Peers join rooms of their own, read, and send numbered signals to each other at a steady pace; in
/// the end they leave. Latency is from when a signal was due to be sent to when its event was there,
/// whatever held it up; in whole, that of a loaded machine is also this program's own. Anything lost,
/// doubled or reordered is the server's fault or the way's; refusals are the server's bounds at work,
/// by name. A server of others is loaded only with --i-am-allowed.
/// Every option is also an environment variable: SWITCHBOARD_ and the flag's name in capitals.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = exit::TABLE)]
pub struct Options {
    /// The server's address, like <http://127.0.0.1:8080>
    #[arg(value_parser = crate::client::address)]
    pub url: Url,

    /// How many peers
    #[arg(long, env = "SWITCHBOARD_PEERS", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub peers: u32,

    /// In how many rooms; in each, everybody sends to the next [default: two peers to a room]
    #[arg(long, env = "SWITCHBOARD_ROOMS", value_name = "N")]
    pub rooms: Option<NonZeroU32>,

    /// Signals a second, of all peers together
    #[arg(long, env = "SWITCHBOARD_RATE", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,

    /// For how long, once all have joined; an hour at most
    #[arg(long = "for", env = "SWITCHBOARD_FOR", value_name = "TIME", default_value = "10s", value_parser = span)]
    pub span: Duration,

    /// By what peers read
    #[arg(
        long,
        env = "SWITCHBOARD_TRANSPORT",
        value_name = "WAY",
        default_value = "sse"
    )]
    pub transport: Mode,

    /// Bytes of each signal's data
    #[arg(long, env = "SWITCHBOARD_SIZE", value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(32..=65_536))]
    pub size: u32,

    /// How many join at once
    #[arg(long, env = "SWITCHBOARD_AT_ONCE", value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub at_once: u32,

    /// Access token to join with, where the server asks for one; @FILE reads it from a file
    #[arg(
        long,
        env = "SWITCHBOARD_ACCESS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub access_token: Option<String>,

    /// Rooms are named so, and numbered
    #[arg(long, env = "SWITCHBOARD_PREFIX", value_name = "NAME", value_parser = prefix)]
    pub prefix: Option<String>,

    /// Load a server that is not on this machine: only one that you run, or whose owner has agreed
    #[arg(long, env = "SWITCHBOARD_I_AM_ALLOWED", value_parser = FalseyValueParser::new())]
    pub i_am_allowed: bool,

    /// Print the figures as JSON
    #[arg(long, env = "SWITCHBOARD_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = crate::config::duration(text)?;
    if span.is_zero() || span > Duration::from_secs(3600) {
        return Err("at least something, at most an hour".into());
    }
    Ok(span)
}

fn prefix(text: &str) -> Result<String, String> {
    /// What a number behind it takes.
    const ROOM: usize = 12;
    if text.len() + ROOM > crate::config::fixed::ID_CHARACTERS {
        return Err("too long".into());
    }
    crate::terminal::options::room_id(text)
}

/// Whether an address is of this very machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Loads, measures, prints.
///
/// # Errors
/// [`Failure`] where it could not be done.
pub async fn run(options: &Options) -> Result<Exit, Failure> {
    if !is_here(&options.url) && !options.i_am_allowed {
        return Err(Failure::Usage(
            "that server is not on this machine: to load one that is not yours harms others; say --i-am-allowed if you run it, or its owner has agreed".into(),
        ));
    }
    let rooms = options.rooms.map_or(options.peers / 2, NonZeroU32::get);
    if options.peers < 2 * rooms {
        return Err(Failure::Usage(
            "there must be two peers or more for each of --rooms".into(),
        ));
    }
    // Each reader is an open file.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let server = if is_here(&options.url) {
        Server::direct(&options.url)?
    } else {
        Server::new(&options.url, None)?
    };
    let access = options.access_token.as_deref().map(secret).transpose()?;
    let mut stop = Stop::listen()?;
    let tally = Arc::new(Tally::default());
    let mut crowd = Crowd::new(options, server, access, rooms, Arc::clone(&tally));
    let measured = tokio::select! {
        measured = measure(options, &mut crowd, &tally) => measured,
        refusal = tally.expired() => Err(outlived(refusal)),
        asked = stop.asked() => asked.and_then(|()| Err(Failure::Over("it was told to end".into()))),
    };
    // Who is told of it sends no more: that may seem to be all there was to send.
    let measured = tally
        .expiry()
        .map_or(measured, |refusal| Err(outlived(refusal)));
    crowd.hush();
    let progress = Progress::counting("leaving", crowd.len() as u64);
    tokio::select! {
        () = crowd.leave(&progress) => {}
        () = stop.signal() => {}
    }
    progress.end();
    let report = measured?;
    let text = if options.json {
        tame(&serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?) + "\n"
    } else {
        report.to_string()
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if report.is_good() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// That says all: what each of the peers is refused from then on is no figure of the server's.
fn outlived(mut refusal: Refusal) -> Failure {
    refusal.detail = "the access token ran out during the run, whose figures are void: take one that outlives joining and --for".into();
    Failure::refused(refusal)
}

async fn measure(
    options: &Options,
    crowd: &mut Crowd<'_>,
    tally: &Arc<Tally>,
) -> Result<Report, Failure> {
    let progress = Progress::counting("joining", u64::from(options.peers));
    let began = Instant::now();
    let joined = crowd.join(&progress).await;
    progress.end();
    joined?;
    let joining = began.elapsed();
    crowd.read();
    wait(OPENING, || tally.open() >= crowd.len()).await;
    let open = tally.open();

    let due = u64::from(options.rate) * options.span.as_millis() as u64 / 1000;
    let progress = Progress::counting("signals", due);
    let began = Instant::now();
    crowd.send(began);
    while !crowd.has_sent() && began.elapsed() < options.span + ARRIVAL {
        progress.at(tally.accepted() + tally.refused());
        sleep(Duration::from_millis(50)).await;
    }
    let sending = began.elapsed();
    wait(ARRIVAL, || tally.has_all()).await;
    progress.end();
    Ok(Report::new(
        options,
        crowd.rooms(),
        joining,
        open,
        sending,
        tally,
    ))
}

/// Waits until it holds, for so long at most.
async fn wait(most: Duration, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + most;
    while !holds() && Instant::now() < until {
        sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loaded_unasked() {
        for (url, here) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
            ("http://localhost.example.org", false),
            ("http://10.0.0.1", false),
            ("https://signal.example.org", false),
            ("http://[::2]", false),
        ] {
            assert_eq!(is_here(&url.parse().expect("an address")), here, "{url}");
        }
    }
}
