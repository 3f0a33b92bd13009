//! `switchboard listen`: joins a room, and prints every event until it is told to end.

use std::time::{Duration, SystemTime};

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::Url;
use tokio::time::{Instant, sleep_until};

use super::options::{Entry, Format, room_id};
use super::printer::Printer;
use super::say;
use super::stop::Stop;
use crate::client::event::Event;
use crate::client::reader::{Reader, Told};
use crate::client::reading::{Mode, Settings};
use crate::client::source::Door;
use crate::client::{Failure, Server};
use crate::exit;

/// Join a room and print its events
///
/// A peer in the terminal, for debugging: joins, prints every event, and leaves at Ctrl-C or SIGTERM.
/// On a terminal events are lines to read; in a pipe or file each is a JSON object of its own line:
/// id, event, data, at. What happens to the connection is said on standard error. Lost connections,
/// restarts and drains are survived by the cursor: nothing is printed twice, and what is missing is
/// announced by an event named gap. Pings are printed with --verbose only.
/// Every option is also an environment variable: SWITCHBOARD_ and the flag's name in capitals.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = exit::TABLE)]
pub struct Options {
    /// The server's address, like <https://signal.example.org>
    #[arg(value_parser = crate::client::address)]
    pub url: Url,

    /// The room
    #[arg(value_parser = room_id)]
    pub room: String,

    /// As whom.
    #[command(flatten)]
    pub entry: Entry,

    /// By what to read
    #[arg(
        long,
        env = "SWITCHBOARD_TRANSPORT",
        value_name = "WAY",
        default_value = "auto"
    )]
    pub transport: Mode,

    /// Read the termination channel only: ends of sessions and peers
    #[arg(long, env = "SWITCHBOARD_NOTICES", value_parser = FalseyValueParser::new())]
    pub notices: bool,

    /// Where to go on in the mailbox of --token [default: behind all that was acknowledged]
    #[arg(
        long,
        env = "SWITCHBOARD_CURSOR",
        value_name = "CURSOR",
        requires = "token"
    )]
    pub cursor: Option<String>,

    /// End after so long
    #[arg(long = "for", env = "SWITCHBOARD_FOR", value_name = "TIME", value_parser = crate::config::duration)]
    pub span: Option<Duration>,

    /// End after so many events, not counting ready, gap, ping and end
    #[arg(long, env = "SWITCHBOARD_COUNT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End after the first event of this name, like session-ended
    #[arg(long, env = "SWITCHBOARD_UNTIL", value_name = "EVENT")]
    pub until: Option<String>,

    /// How to print
    #[arg(
        long,
        env = "SWITCHBOARD_FORMAT",
        value_name = "FORM",
        default_value = "auto"
    )]
    pub format: Format,

    /// Print all of the data below each line, and pings
    #[arg(long, env = "SWITCHBOARD_VERBOSE", value_parser = FalseyValueParser::new())]
    pub verbose: bool,
}

/// Joins, prints, leaves.
///
/// # Errors
/// [`Failure`], whose exit status says what it was.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let entry = &options.entry;
    let server = Server::new(&options.url, entry.proxy.as_ref())?;
    let access = entry.access()?;
    let mut stop = Stop::listen()?;
    let entered = tokio::select! {
        entered = entry.enter(&server, &options.room) => entered?,
        asked = stop.asked() => return asked.and_then(|()| options.early("it was told to end")),
    };
    entered.say();
    let door = if options.notices {
        Door::Notices
    } else {
        Door::Events
    };
    let settings = Settings {
        mode: options.transport,
        cursor: options.cursor.clone(),
        patience: entry.patience,
        rejoins: entry.joins(),
        renewable: entry.is_renewable(),
        ..Settings::default()
    };
    let (member, wish) = (entered.member, entered.wish);
    let mut reader = Reader::new(&server, member, wish, access, door, settings);
    let followed = follow(options, &mut reader, &mut stop).await;
    tokio::select! {
        () = entry.exit(&server, &reader.member, reader.cursor()) => {}
        () = stop.signal() => {}
    }
    followed
}

async fn follow(options: &Options, reader: &mut Reader, stop: &mut Stop) -> Result<(), Failure> {
    let mut printer = Printer::new(options.format, options.verbose);
    let until = options.span.map(|span| Instant::now() + span);
    let (mut count, mut is_done) = (0, false);
    while !is_done {
        let over = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            told = reader.next() => told?,
            asked = stop.asked() => return asked.and_then(|()| options.early("it was told to end")),
            () = over => return options.early("the time was over"),
        };
        match told {
            Told::Note(text) => say(&text),
            Told::Event(event) => {
                printer.event(&event, SystemTime::now())?;
                count += u64::from(counts(&event));
                is_done = options.count.is_some_and(|most| count >= most)
                    || options.until.as_deref() == Some(&*event.name);
            }
        }
    }
    Ok(())
}

impl Options {
    /// How it ends before its time: well, where nothing certain was waited for.
    fn early(&self, what: &str) -> Result<(), Failure> {
        if self.count.is_none() && self.until.is_none() {
            return Ok(());
        }
        Err(Failure::Over(format!(
            "{what} before all that was waited for had come"
        )))
    }
}

/// Whether an event is of the mailbox, not of the reader.
fn counts(event: &Event) -> bool {
    !["ready", "gap", "ping", "end"].contains(&event.name.as_str())
}
