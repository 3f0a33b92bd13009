//! What has happened lately, for operators: the same encodings as a peer's reader has, at a cursor.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BodyStream;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::ask::Ask;
use super::auth::{InRoom, Operator};
use super::encode::{Batch, Chunk};
use super::problem::Problem;
use super::query::{Encoding, bad_wait, span};
use super::{Doors, accept, operator};
use crate::config::fixed::POLL_EVENTS;
use crate::history::History;
use crate::hub::{Hub, Sink};
use crate::proto::{Cursor, Frame, Reason, RoomId};

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often the log of a room is looked at that other nodes share: nobody rings a node for those who
/// only look on.
const LOOK: Duration = Duration::from_millis(500);

/// The query; unknown names are ignored.
#[derive(Deserialize)]
struct Asked {
    cursor: Option<String>,
    /// In seconds.
    wait: Option<f64>,
}

/// `GET /history`
pub(super) async fn all(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let operator = operator::operator(&req, &doors)?;
    read(&doors, &req, operator, None).await
}

/// `GET /rooms/{room}/history`
pub(super) async fn of_room(
    doors: Data<Doors>,
    req: HttpRequest,
    InRoom(room): InRoom,
) -> Result<HttpResponse, Problem> {
    let operator = operator::operator_of(&req, &doors, &room)?;
    read(&doors, &req, operator, Some(room)).await
}

async fn read(
    doors: &Doors,
    req: &HttpRequest,
    operator: Operator,
    room: Option<RoomId>,
) -> Result<HttpResponse, Problem> {
    let (history, place) = doors.watched.take()?;
    if let Some(room) = &room {
        // Of a room that other nodes share, this one may have nothing yet.
        doors.hub.sync(room).await?;
    }
    let asked = Query::<Asked>::from_query(req.query_string()).map_err(|_| bad_wait())?;
    let wait = asked.wait.map(span).transpose()?;
    let ask = Ask::of(req);
    let header = ask.head.text(&LAST_EVENT_ID, "-");
    let shown = header
        .filter(|id| !id.is_empty())
        .or(asked.cursor.as_deref());
    let shown = shown.map(Cursor::parse).transpose()?;
    let known = shown.filter(|cursor| history.knows(*cursor));
    let reader = Reader {
        news: history.watch(),
        at: known.unwrap_or_else(|| history.oldest()),
        resumed: known.is_some(),
        gap: shown.is_some() && known.is_none(),
        until: operator.until().map(|until| {
            let left = until.saturating_sub(doors.hub.calendar());
            Instant::now() + Duration::from_millis(left)
        }),
        hub: doors.hub.clone(),
        history,
        operator,
        room,
        _place: place,
    };
    if let Some(wait) = wait {
        return Ok(reader.poll(wait).await);
    }
    let encoding = if accept::names(ask.head, "application/x-ndjson") {
        Encoding::Ndjson
    } else {
        Encoding::Sse
    };
    let body = BodyStream::new(reader.stream(encoding));
    Ok(super::stream::respond(req, encoding, body))
}

/// One who looks on.
struct Reader {
    history: Arc<History>,
    hub: Hub,
    operator: Operator,
    /// Of this room only.
    room: Option<RoomId>,
    news: watch::Receiver<bool>,
    at: Cursor,
    /// It goes on where it stood.
    resumed: bool,
    /// Lines went missing, and that has not been said.
    gap: bool,
    /// When the access runs out.
    until: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// Hands the lines that there are to `sink`.
    fn pull(&mut self, sink: &mut impl Sink) {
        self.news.borrow_and_update();
        loop {
            let page = self.history.read(self.at, |room| match &self.room {
                Some(wanted) => wanted == room,
                None => self.operator.operates(room),
            });
            if page.gap {
                // It has come too late for some of them.
                self.gap = true;
                sink.control(&self.ready());
                self.gap = false;
            }
            for (at, line) in &page.lines {
                if sink.is_full() {
                    return;
                }
                sink.event(*at, line);
                self.at = *at;
            }
            self.at = page.cursor;
            if !page.more || sink.is_full() {
                return;
            }
        }
    }

    fn ready(&self) -> Frame {
        let mut data = String::new();
        let heartbeat = self.hub.timings().heartbeat.as_millis();
        let _ = write!(
            data,
            r#"{{"cursor":"{}","resumed":{},"gap":{},"heartbeat_ms":{heartbeat},"now":{}}}"#,
            self.at,
            self.resumed,
            self.gap,
            self.hub.calendar(),
        );
        Frame::new("ready", &data)
    }

    /// Why it is over, if it is.
    fn over(&self) -> Option<Reason> {
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Some(Reason::Expired);
        }
        self.news.borrow().then_some(Reason::Drain)
    }

    /// Waits until there may be something to read, or `at`. Why it is over, if it is.
    async fn wait(&mut self, at: Instant) -> Option<Reason> {
        let at = self.until.map_or(at, |until| until.min(at));
        if let Some(reason) = self.over() {
            return Some(reason);
        }
        let look = match &self.room {
            Some(_) if self.hub.is_shared() => at.min(Instant::now() + LOOK),
            _ => at,
        };
        tokio::select! {
            _ = self.news.changed() => {}
            () = sleep_until(look) => {
                if let Some(room) = self.room.as_ref().filter(|_| look < at) {
                    // The next look may find the store again.
                    let _ = self.hub.sync(room).await;
                }
            }
        }
        self.over()
    }

    /// One answer: what there is, or what comes first within `hold`.
    async fn poll(mut self, hold: Duration) -> HttpResponse {
        let mut batch = Batch::new(POLL_EVENTS);
        let first = self.ready();
        if !self.resumed {
            batch.control(&first);
        }
        let until = Instant::now() + hold;
        loop {
            let before = batch.len();
            self.pull(&mut batch);
            if batch.len() > before || !self.resumed || Instant::now() >= until {
                break;
            }
            if self.wait(until).await.is_some() {
                break;
            }
        }
        let events = String::from_utf8_lossy(&batch.bytes);
        let (cursor, more) = (self.at, batch.is_full());
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type("application/json")
            .body(format!(
                r#"{{"events":[{events}],"cursor":"{cursor}","more":{more}}}"#
            ))
    }

    fn stream(self, encoding: Encoding) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
        let heartbeat = self.hub.timings().heartbeat;
        let first = Some(self.ready());
        stream::unfold(
            (Some(self), first, Instant::now() + heartbeat),
            move |(reader, mut first, ping_at)| async move {
                let mut reader = reader?;
                loop {
                    let mut bytes = Vec::new();
                    let mut chunk = Chunk::new(encoding, false, &mut bytes);
                    if let Some(ready) = first.take() {
                        chunk.control(&ready);
                    }
                    // Whoever reads slowly has always something to read.
                    if let Some(reason) = reader.over() {
                        chunk.end(reason, None);
                        return Some((Ok(Bytes::from(bytes)), (None, None, ping_at)));
                    }
                    reader.pull(&mut chunk);
                    if chunk.is_empty() && ping_at <= Instant::now() {
                        chunk.ping();
                    }
                    if !chunk.is_empty() {
                        let next = (Some(reader), None, Instant::now() + heartbeat);
                        return Some((Ok(Bytes::from(bytes)), next));
                    }
                    if let Some(reason) = reader.wait(ping_at).await {
                        chunk.end(reason, None);
                        return Some((Ok(Bytes::from(bytes)), (None, None, ping_at)));
                    }
                }
            },
        )
    }
}
