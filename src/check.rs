//! `switchboard check URL`: is a server usable over the path from here, and how?
//!
//! A client of the doors only: it knows nothing of the server's inside. Everything that it waits for
//! has a deadline: half a minute of silence included, it takes a minute and a half at most.

mod facts;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod ice;
mod member;
mod path;
mod table;
mod ticks;
mod verdict;
mod websocket;

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::{Client, ClientBuilder, Url};

use crate::client::{self, Failure, plain};
use crate::exit::{self, Exit};
use crate::ice::IceUrl;
use crate::progress::Progress;
use crate::terminal::options::{room_id, secret};
pub use facts::{Facts, Outcome};
use member::Member;
pub use verdict::{Level, Usable, Verdict};

/// About how long the two parts of it take.
const QUICK: Duration = Duration::from_secs(7);
const SILENCE: Duration = Duration::from_secs(30);

/// Check whether a server is usable over the path from here, and how
///
/// Tries requests, the event stream, the long-poll, silence on a connection, a WebSocket for
/// comparison, and STUN and TURN servers where some are named. Takes half a minute; --quick some
/// seconds. Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY unless --proxy names one;
/// certificates are judged as the system does, or by the authorities in the file that SSL_CERT_FILE
/// names in place of the system's.
///
/// Exit status: 0 usable by event stream; 1 usable with limits: by long-poll only, by a stream that
/// is cut again and again, or without any of the relays that were named; 2 the command line is
/// wrong; 3 not usable.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = exit::TABLE)]
pub struct Options {
    /// The server's address, like <https://signal.example.org>
    #[arg(value_parser = client::address)]
    pub url: Url,

    /// HTTP proxy for every request, like <http://proxy.example.org:3128>, in place of the environment's
    #[arg(
        long,
        env = "SWITCHBOARD_PROXY",
        value_name = "URL",
        hide_env_values = true
    )]
    pub proxy: Option<Url>,

    /// Access token to join with, where the server asks for one; @FILE reads it from a file
    #[arg(
        long,
        env = "SWITCHBOARD_ACCESS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub access_token: Option<String>,

    /// Room to join, where the access token admits to that one alone: with nobody else in it, whose events would disturb [default: one of its own]
    #[arg(long, env = "SWITCHBOARD_ROOM", value_name = "ROOM", value_parser = room_id)]
    pub room: Option<String>,

    /// Leave out the half minute of silence
    #[arg(long, env = "SWITCHBOARD_QUICK", value_parser = FalseyValueParser::new())]
    pub quick: bool,

    /// Print the facts and the verdict as JSON
    #[arg(long, env = "SWITCHBOARD_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,

    /// STUN or TURN server to ask beside the ones that the server names, like turn:turn.example.org:3478; repeatable
    #[arg(long, env = "SWITCHBOARD_ICE", value_name = "URL", value_delimiter = ',', value_parser = IceUrl::parse)]
    pub ice: Vec<IceUrl>,

    /// User name for the TURN servers of --ice
    #[arg(
        long,
        env = "SWITCHBOARD_USERNAME",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub username: String,

    /// Password for the TURN servers of --ice
    #[arg(
        long,
        env = "SWITCHBOARD_CREDENTIAL",
        value_name = "PASSWORD",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub credential: String,
}

/// Why a check could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The address is none of a server.
    #[error("{}", client::NO_SERVER)]
    NoServer,
    /// The HTTP client cannot be set up, for want of a usable proxy or of certificates.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
    /// The file with the access token cannot be read.
    #[error(transparent)]
    AccessToken(#[from] Failure),
    /// Standard output takes nothing.
    #[error("the result cannot be written")]
    Output(#[from] std::io::Error),
}

/// Checks, prints the result to standard output, and says how it went.
///
/// # Errors
/// [`CheckError`] where the check could not begin, or its result not be printed.
pub async fn run(options: &Options) -> Result<Exit, CheckError> {
    let facts = check(options).await?;
    let verdict = verdict::of(&facts);
    let text = if options.json {
        table::json(&facts, &verdict)
    } else {
        table::text(&facts, &verdict)
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(match verdict.level {
        Level::Good => Exit::Done,
        Level::Limited => Exit::Failed,
        Level::Bad => Exit::Unreachable,
    })
}

/// Measures everything.
async fn check(options: &Options) -> Result<Facts, CheckError> {
    let mut base = client::base(&options.url).ok_or(CheckError::NoServer)?;
    let (client, bare) = (opening(options)?, bare(options)?);
    let access = options.access_token.as_deref().map(secret).transpose()?;
    let progress = say(options, "quick check", QUICK);
    if let Some(there) = path::moved(&client, &base).await {
        if !options.json {
            eprintln!("switchboard: {base} leads to {}", plain(&there));
        }
        base = there;
    }
    let mut facts = Facts {
        server: base.clone(),
        proxied: options.proxy.is_some(),
        path: path::check(&client, &base).await,
        ..Facts::default()
    };
    if !facts.path.get.ok && !facts.path.post.ok {
        facts.ice = ice::check(&options.ice, &options.username, &options.credential).await;
        facts.ice_named = !options.ice.is_empty();
        return Ok(facts);
    }
    let member = Member::join(&client, &base, options.room.as_deref(), access.as_deref()).await;
    facts.join = member.joined.clone();
    facts.heartbeat_ms = member.heartbeat_ms;
    let told = member.ice_servers();
    facts.ice_named = !options.ice.is_empty() || !told.is_empty();
    let skew = facts.path.skew_ms.unwrap_or(0);
    let named = ice::check(&options.ice, &options.username, &options.credential);
    let (ticks, (stream, poll), websocket, named, told) = tokio::join!(
        ticks::check(&client, &bare, &base, skew),
        member.stream_and_poll(),
        websocket::check(&client, &base),
        named,
        ice::check_all(&told),
    );
    (facts.ticks, facts.stream, facts.poll, facts.websocket) = (ticks, stream, poll, websocket);
    facts.ice = told.into_iter().chain(named).collect();
    ice::mark_shared(&mut facts.ice, &base);
    drop(progress);
    if !options.quick && member.joined.ok {
        let _progress = say(options, "half a minute of silence", SILENCE);
        let (silences, long_poll) = tokio::join!(ticks::silences(&client, &base), async {
            if facts.poll.ok {
                Some(member.long_poll().await)
            } else {
                None
            }
        });
        (facts.silences, facts.long_poll) = (silences, long_poll);
    }
    member.leave().await;
    Ok(facts)
}

/// Undoes what answers are compressed with.
fn opening(options: &Options) -> Result<Client, CheckError> {
    Ok(client::builder(options.proxy.as_ref())?.build()?)
}

fn bare(options: &Options) -> Result<Client, CheckError> {
    let builder = client::builder(options.proxy.as_ref());
    Ok(builder.map(ClientBuilder::no_gzip)?.no_deflate().build()?)
}

/// What goes on, for who waits: a bar on a terminal, which goes when it is dropped, else a line.
fn say(options: &Options, what: &'static str, span: Duration) -> Option<Progress> {
    if options.json {
        return None;
    }
    let progress = Progress::lasting(what, span);
    if progress.is_hidden() {
        eprintln!("switchboard: {what}, about {} s …", span.as_secs());
    }
    Some(progress)
}
