//! What an open reader brings, by whichever transport; a step at a time, so that waiting for the next
//! can be broken off without a loss.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sse_stream::{Sse, SseByteStream};

use super::Server;
use super::answer::{self, Trouble};
use super::event::Event;
use super::membership::Membership;
use super::reading::{Gap, HOLD, LATE, Transport};

/// More than one event has, in bytes.
const MOST: usize = 4 * 1024 * 1024;

type Opening = Pin<Box<dyn Future<Output = Result<Response, Trouble>> + Send>>;
type Events = Pin<Box<dyn Stream<Item = Result<Sse, String>> + Send>>;
type Answering = Pin<Box<dyn Future<Output = Result<Answer, Trouble>> + Send>>;

/// Which events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Events,
    Notices,
}

/// An open reader.
pub(crate) enum Source {
    Opening(Opening),
    Stream(Events),
    Poll(Answering),
    /// The membership is over; why is being asked.
    Asking(Answering),
}

/// What it brings.
pub(crate) enum Step {
    /// Something that is none of the reader's business.
    Nothing,
    /// An event, and with some the wait before the next reader.
    Event(Event, Option<Duration>),
    Answer(Answer),
    /// It could not be opened.
    Failed(Trouble),
    /// There is no more to read, for good.
    Over,
    /// It ended, or cannot be read.
    Closed(String),
}

/// What a long-poll is answered with.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) events: Vec<Event>,
    pub(crate) cursor: String,
    #[serde(default)]
    pub(crate) retry_ms: u64,
    #[serde(default)]
    pub(crate) superseded: bool,
    pub(crate) gap: Option<Box<RawValue>>,
    pub(crate) peers: Option<Box<RawValue>>,
    pub(crate) sessions: Option<Box<RawValue>>,
}

impl Answer {
    /// What is missing.
    pub(crate) fn gap(&self) -> Option<Gap> {
        let gap = self.gap.as_ref()?;
        serde_json::from_str(gap.get()).ok()
    }

    /// The same as an event, for who is to be told.
    pub(crate) fn told_gap(&self) -> Option<Event> {
        let mut gap = value(self.gap.as_deref()?);
        gap["peers"] = self.peers.as_deref().map(value).unwrap_or_default();
        gap["sessions"] = self.sessions.as_deref().map(value).unwrap_or_default();
        Event::read(None, "gap".into(), gap.to_string())
    }
}

fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

impl Source {
    /// Opens a reader after `cursor`.
    pub(crate) fn open(
        server: &Server,
        member: &Membership,
        door: Door,
        transport: Transport,
        cursor: Option<&str>,
    ) -> Self {
        match (transport, door) {
            (Transport::Stream, door) => {
                let request = match door {
                    Door::Events => member.get(server, "/events"),
                    Door::Notices => member.get(server, "/notices"),
                };
                let request = after(request, cursor).header(ACCEPT, "text/event-stream");
                Self::Opening(Box::pin(answer::send(request)))
            }
            (Transport::Poll, door) => Self::Poll(poll(server, member, door, cursor, HOLD)),
        }
    }

    /// Asks why nothing more is to be had.
    pub(crate) fn ask(server: &Server, member: &Membership) -> Self {
        Self::Asking(poll(server, member, Door::Events, None, Duration::ZERO))
    }

    /// The next of what it brings.
    pub(crate) async fn step(&mut self) -> Step {
        match self {
            Self::Opening(opening) => match opening.await {
                Ok(response) if response.status() == StatusCode::NO_CONTENT => Step::Over,
                Ok(response) => match events(response) {
                    Ok(events) => {
                        *self = Self::Stream(events);
                        Step::Nothing
                    }
                    Err(why) => Step::Failed(Trouble::Lost(why)),
                },
                Err(trouble) => Step::Failed(trouble),
            },
            Self::Stream(events) => match events.next().await {
                Some(Ok(sse)) => read(sse),
                Some(Err(why)) => Step::Closed(why),
                None => Step::Closed("the connection was closed".into()),
            },
            Self::Poll(answering) => match answering.await {
                Ok(answer) => Step::Answer(answer),
                Err(trouble) => Step::Failed(trouble),
            },
            Self::Asking(answering) => match answering.await {
                // It is not over after all.
                Ok(_) => Step::Closed("the connection was closed".into()),
                Err(trouble) => Step::Failed(trouble),
            },
        }
    }
}

fn after(request: RequestBuilder, cursor: Option<&str>) -> RequestBuilder {
    match cursor {
        Some(cursor) => request.header("last-event-id", cursor),
        None => request,
    }
}

/// The cursor of a poll goes in its body or its address: some paths drop the header.
fn poll(
    server: &Server,
    member: &Membership,
    door: Door,
    cursor: Option<&str>,
    hold: Duration,
) -> Answering {
    let request = match door {
        Door::Events => {
            let mut body = json!({ "wait": hold.as_secs() });
            if let Some(cursor) = cursor {
                body["cursor"] = json!(cursor);
            }
            member.post(server, "/poll", body.to_string())
        }
        Door::Notices => {
            let mut door = format!("/notices?wait={}", hold.as_secs());
            if let Some(cursor) = cursor {
                door += &format!("&cursor={cursor}");
            }
            member.get(server, &door)
        }
    };
    let request = request.timeout(hold + LATE);
    Box::pin(async { answer::json(answer::send(request).await?).await })
}

fn events(response: Response) -> Result<Events, String> {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return Err("something on the way answered in the server's place".into());
    }
    // The parser has no bound of its own.
    let since = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&since);
    let bytes = response.bytes_stream().map(move |bytes| {
        let bytes = bytes.map_err(|error| Cut(answer::why(&error)))?;
        if count.fetch_add(bytes.len(), Ordering::Relaxed) > MOST {
            return Err(Cut("the stream came garbled".into()));
        }
        Ok(bytes)
    });
    let events = SseByteStream::new(Box::pin(bytes)).map(move |sse| {
        since.store(0, Ordering::Relaxed);
        sse.map_err(|error| {
            // Of a connection that broke only what it broke of is told.
            let cut = std::error::Error::source(&error).map(ToString::to_string);
            cut.unwrap_or_else(|| error.to_string())
        })
    });
    Ok(Box::pin(events))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cut(String);

fn read(sse: Sse) -> Step {
    let retry = sse.retry.map(Duration::from_millis);
    match (sse.event, sse.data) {
        (Some(name), Some(data)) => match Event::read(sse.id, name, data) {
            Some(event) => Step::Event(event, retry),
            None => Step::Closed("the stream came garbled".into()),
        },
        _ => Step::Nothing,
    }
}
