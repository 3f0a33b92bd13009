//! `switchboard send`: one signal, or one a line, and perhaps what comes back.

mod signal;

use std::io::BufRead as _;
use std::time::{Duration, SystemTime};

use clap::Args;
use clap::builder::FalseyValueParser;
use reqwest::Url;
use serde_json::Value;
use serde_json::value::RawValue;
use signal::{Line, Receipt, Signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::options::{Entered, Entry, Format, document, peer_id, room_id, session_id};
use super::printer::{Output, Printer};
use super::say;
use super::stop::Stop;
use crate::client::answer::Refusal;
use crate::client::backoff::persist;
use crate::client::membership::Membership;
use crate::client::reader::{Reader, Told};
use crate::client::reading::{Mode, READING, Settings};
use crate::client::source::Door;
use crate::client::{Failure, Server, plain};
use crate::exit;

/// How often a sender that waits for its next line shows that it is there.
const ALIVE: Duration = Duration::from_secs(30);

/// Send signals to a peer
///
/// Joins, sends, prints for each signal whether its receiver is live (reads now), queued (will find it)
/// or away, and leaves, which ends the sessions it has opened; --stay or --wait keeps them for a while.
/// A signal whose answer got lost is sent again under the same id, and so never delivered twice.
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

    /// To whom; '*': to everybody else in the room
    #[arg(value_name = "PEER", value_parser = receiver)]
    pub to: String,

    /// As whom.
    #[command(flatten)]
    pub entry: Entry,

    /// What it is: offer, answer, candidate, bye, or any other word of a-z 0-9 -
    #[arg(
        long = "type",
        env = "SWITCHBOARD_TYPE",
        value_name = "TYPE",
        default_value = "message"
    )]
    pub kind: String,

    /// The session it is about; an offer without one is given one
    #[arg(long, env = "SWITCHBOARD_SESSION", value_name = "ID", value_parser = session_id)]
    pub session: Option<String>,

    /// What it says: JSON, @FILE with JSON, or - for JSON on standard input
    #[arg(long, env = "SWITCHBOARD_DATA", value_name = "JSON")]
    pub data: Option<String>,

    /// Its idempotency key: sent again under the same, it is delivered once [default: random]
    #[arg(
        long,
        env = "SWITCHBOARD_ID",
        value_name = "ID",
        conflicts_with = "lines"
    )]
    pub id: Option<String>,

    /// Send one signal for each line of standard input, a JSON object of any of to, type, session, data, id; what it leaves out is as the options say
    #[arg(long, env = "SWITCHBOARD_LINES", value_parser = FalseyValueParser::new())]
    pub lines: bool,

    /// Wait so long for what that peer signals next, after an offer for its answer, and print it
    #[arg(long, env = "SWITCHBOARD_WAIT", value_name = "TIME", value_parser = crate::config::duration, conflicts_with = "token")]
    pub wait: Option<Duration>,

    /// By what to read what is waited for
    #[arg(
        long,
        env = "SWITCHBOARD_TRANSPORT",
        value_name = "WAY",
        default_value = "auto"
    )]
    pub transport: Mode,

    /// How to print
    #[arg(
        long,
        env = "SWITCHBOARD_FORMAT",
        value_name = "FORM",
        default_value = "auto"
    )]
    pub format: Format,

    /// Print all of the data of what comes back
    #[arg(long, env = "SWITCHBOARD_VERBOSE", value_parser = FalseyValueParser::new())]
    pub verbose: bool,
}

fn receiver(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    peer_id(text)
}

/// Joins, sends, waits, leaves.
///
/// # Errors
/// [`Failure`], whose exit status says what it was.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let entry = &options.entry;
    let server = Server::new(&options.url, entry.proxy.as_ref())?;
    // Before anything is joined: a mistake is to cost nobody anything.
    if options.lines && options.data.as_deref() == Some("-") {
        let why = "--lines and --data - cannot both read standard input";
        return Err(Failure::Usage(why.into()));
    }
    let data = options.data.as_deref().map(document).transpose()?;
    let mut stop = Stop::listen()?;
    let entered = tokio::select! {
        entered = entry.enter(&server, &options.room) => entered?,
        asked = stop.asked() => return asked.and_then(|()| Err(told_to_end())),
    };
    let (member, mut reader) = (entered.member.clone(), None);
    let done = tokio::select! {
        done = converse(options, &server, entered, data, &mut reader) => done,
        asked = stop.asked() => asked.and_then(|()| Err(told_to_end())),
    };
    // Whoever goes on does so where this ends, and under what was renewed meanwhile.
    let (member, cursor) = match &reader {
        Some(reader) => (&reader.member, reader.cursor()),
        None => (&member, member.cursor.as_deref()),
    };
    tokio::select! {
        () = entry.exit(&server, member, cursor) => {}
        () = stop.signal() => {}
    }
    done
}

fn told_to_end() -> Failure {
    Failure::Over("it was told to end".into())
}

/// Sends everything, and waits for what is to come back with `reader`.
async fn converse(
    options: &Options,
    server: &Server,
    entered: Entered,
    data: Option<Box<RawValue>>,
    reader: &mut Option<Reader>,
) -> Result<(), Failure> {
    let mut printer = Printer::new(options.format, options.verbose);
    let mut sender = Sender {
        options,
        server,
        member: &entered.member,
        data,
        last: None,
        refused: None,
    };
    if options.lines {
        sender.lines(&mut printer).await?;
    } else {
        sender.one(Line::default(), &mut printer).await?;
    }
    let (refused, last) = (sender.refused.take(), sender.last.take());
    if let Some(refusal) = refused {
        return Err(Failure::refused(refusal));
    }
    match (options.wait, last) {
        (Some(span), Some(sent)) => {
            let settings = Settings {
                mode: options.transport,
                patience: options.entry.patience,
                ..Settings::default()
            };
            let (member, wish, access) = (entered.member, entered.wish, options.entry.access()?);
            let opened = Reader::new(server, member, wish, access, Door::Events, settings);
            wait(reader.insert(opened), span, &sent, &mut printer).await
        }
        _ => Ok(()),
    }
}

/// What was sent last.
struct Sent {
    to: Option<String>,
    kind: String,
    session: Option<String>,
}

struct Sender<'a> {
    options: &'a Options,
    server: &'a Server,
    member: &'a Membership,
    data: Option<Box<RawValue>>,
    last: Option<Sent>,
    /// What some receiver of a broadcast did not get.
    refused: Option<Refusal>,
}

impl Sender<'_> {
    /// Sends a signal for each line of standard input.
    async fn lines(&mut self, printer: &mut Output) -> Result<(), Failure> {
        let (line, mut lines) = mpsc::channel(1);
        // Reading blocks; the thread ends with the process, or when nobody takes its lines.
        std::thread::spawn(move || {
            for text in std::io::stdin().lock().lines() {
                if line.blocking_send(text).is_err() {
                    break;
                }
            }
        });
        loop {
            let text = tokio::select! {
                text = lines.recv() => text,
                () = sleep(ALIVE) => {
                    self.member.alive(self.server).await;
                    continue;
                }
            };
            let text = text.transpose().map_err(|error| {
                Failure::Usage(format!("standard input cannot be read: {error}"))
            })?;
            let Some(text) = text else {
                return Ok(());
            };
            if text.trim().is_empty() {
                continue;
            }
            let line = serde_json::from_str(&text).map_err(|error| {
                Failure::Usage(format!(
                    "a line is none of a signal: {}",
                    plain(&error.to_string())
                ))
            })?;
            self.one(line, printer).await?;
        }
    }

    async fn one(&mut self, line: Line, printer: &mut Output) -> Result<(), Failure> {
        let options = self.options;
        let to = line.to.unwrap_or_else(|| options.to.clone());
        let id = line.id.or_else(|| options.id.clone());
        let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let kind = line.kind.unwrap_or_else(|| options.kind.clone());
        let session = line.session.or_else(|| options.session.clone());
        let to = Some(to).filter(|to| to != "*");
        let signal = Signal {
            to: to.as_deref(),
            kind: &kind,
            session: session.as_deref(),
            data: line.data.as_deref().or(self.data.as_deref()),
            id: &id,
        };
        let text = serde_json::to_string(&signal).map_err(std::io::Error::from)?;
        let send = async || self.member.send(self.server, text.clone()).await;
        let answer = persist(options.entry.patience, true, send).await?;
        let result: &Value = &answer["results"][0];
        let receipt = Receipt::of(result);
        if printer.is_pretty() {
            printer.line(&receipt.line(&kind))?;
        } else {
            printer.json(result)?;
        }
        if receipt.is_refused() {
            self.refused = Some(Refusal::of(429, "mailbox-full"));
        }
        self.last = Some(Sent {
            to,
            session: receipt.session.or(session),
            kind,
        });
        Ok(())
    }
}

/// Prints what comes back, until that is what was waited for.
async fn wait(
    reader: &mut Reader,
    span: Duration,
    sent: &Sent,
    printer: &mut Output,
) -> Result<(), Failure> {
    let until = Instant::now() + span;
    loop {
        let told = timeout_at(until, reader.next()).await;
        let told = told.map_err(|_| Failure::Over("nothing came back in time".into()))??;
        let event = match told {
            Told::Note(text) => {
                // How it is read is of interest only where that is hard.
                if !text.starts_with(READING) {
                    say(&text);
                }
                continue;
            }
            Told::Event(event) => event,
        };
        let data = event.json();
        let is = |field: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| data[field] == wanted)
        };
        let over = match event.name.as_str() {
            "signal" if is("from", &sent.to) => None,
            "session-ended" if sent.session.is_some() && is("session", &sent.session) => {
                Some("the session has ended")
            }
            "peer-left" if sent.to.is_some() && is("peer", &sent.to) => Some("the peer has left"),
            _ => continue,
        };
        printer.event(&event, SystemTime::now())?;
        if let Some(what) = over {
            let reason = data["reason"].as_str().unwrap_or_default();
            return Err(Failure::Over(format!("{what}, reason {}", plain(reason))));
        }
        if sent.kind != "offer" || (data["type"] == "answer" && is("session", &sent.session)) {
            return Ok(());
        }
    }
}
