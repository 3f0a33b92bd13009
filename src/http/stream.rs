//! The body of an open stream: it pulls from a reader whatever the connection will take.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::http::Version;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::{Instant, Sleep, sleep};

use super::encode::{Chunk, ready_frame};
use super::ice_servers::Renewal;
use super::peers::end_of;
use super::problem::Problem;
use super::query::{Encoding, Reading};
use super::{Doors, random};
use crate::hub::{Flow, Reader, Refused, Sink as _, TicketRefused};
use crate::proto::{Door, Reason, Retry};
use crate::wire::{Given, Parking, Source};

/// Between which an EventSource waits before it reconnects; drawn for each connection.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// The same after a refusal that says `later`.
const RETRY_LATER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// What a request for a stream is answered with.
pub(super) enum Begun {
    Open(Encoding, Events),
    /// All there is to say.
    Short(Encoding, Bytes),
    /// There is nothing more, for good: 204 makes an EventSource stop.
    Over,
}

/// Opens a stream, or says why not in the way that an EventSource understands.
pub(super) async fn open(
    doors: &Doors,
    req: &HttpRequest,
    reading: Reading,
) -> Result<HttpResponse, Problem> {
    Ok(match begin(doors, reading).await? {
        Begun::Open(encoding, events) => Parking::answer(req, headers(req, encoding), events),
        Begun::Short(encoding, bytes) => headers(req, encoding).body(bytes),
        Begun::Over => HttpResponse::NoContent().finish(),
    })
}

/// The same, whoever writes it.
pub(super) async fn begin(doors: &Doors, mut reading: Reading) -> Result<Begun, Problem> {
    let seated = doors.seat(&mut reading).map_err(|full| {
        // An end that has come first is what it is told of.
        let found = doors.found(&reading.caller, reading.is_heard());
        found.err().unwrap_or(full)
    });
    let Reading {
        caller,
        attach,
        encoding,
        padded,
        clocked,
        ..
    } = reading;
    let events = attach.door == Door::Events;
    let reached = match doors.hub.reach(&caller) {
        Some(reaching) => reaching.await,
        None => Ok(()),
    };
    let opened = match seated.and(reached) {
        Ok(()) => doors.hub.attach(&caller, attach).await,
        Err(full) => Err(full),
    };
    let (reader, opening) = match opened {
        Ok(opened) => opened,
        Err(refused) => {
            let name = Problem::from(refused.clone()).name();
            let begun = refuse(encoding, refused)?;
            // A problem is counted where it is told.
            doors.metrics.refused(name);
            return Ok(begun);
        }
    };
    let mut bytes = Vec::new();
    let mut first = Chunk::new(encoding, clocked, &mut bytes);
    first.retry(between(RETRY)?);
    if padded {
        first.pad();
    }
    first.event(
        opening.cursor,
        &ready_frame(&caller, &opening, doors.hub.timings(), clocked),
    );
    let renewal = Renewal::begin(doors, &caller, &opening);
    let source = Events {
        reader,
        renewal: renewal.filter(|_| events),
        encoding,
        clock: clocked.then(|| Box::new(Clock::start())),
        first: Some(bytes.into()),
    };
    Ok(Begun::Open(encoding, source))
}

/// A passing refusal is a short stream: EventSource gives up for good on any status but 200.
fn refuse(encoding: Encoding, refused: Refused) -> Result<Begun, Problem> {
    let reason = match &refused {
        Refused::Draining => Reason::Drain,
        Refused::Expired => Reason::Expired,
        Refused::TooManyReaders
        | Refused::TooManyReadersHere
        | Refused::TooManyRooms
        | Refused::TooManyPeers
        | Refused::Unavailable => Reason::Busy,
        // It is over for good: 204 makes an EventSource stop. Who is unknown hears to join again.
        Refused::Ticket(TicketRefused::Replaced) if encoding == Encoding::Sse => {
            return Ok(Begun::Over);
        }
        Refused::Room(_) if encoding == Encoding::Sse => {
            return match end_of(&refused) {
                Some(reason) if reason != Reason::Unknown => Ok(Begun::Over),
                _ => Err(refused.into()),
            };
        }
        Refused::Room(_) | Refused::Ticket(_) => return Err(refused.into()),
    };
    let mut bytes = Vec::new();
    let mut only = Chunk::new(encoding, false, &mut bytes);
    only.retry(wait_after(reason)?);
    only.end(reason, None);
    Ok(Begun::Short(encoding, bytes.into()))
}

/// The lines in the head of every stream (section 5): never stored, transformed, buffered or
/// compressed.
pub(super) fn lines(encoding: Encoding) -> [(&'static str, &'static str); 4] {
    let content_type = match encoding {
        Encoding::Sse => "text/event-stream",
        Encoding::Ndjson => "application/x-ndjson",
    };
    [
        ("content-type", content_type),
        ("cache-control", "no-store, no-cache, no-transform"),
        ("x-accel-buffering", "no"),
        ("content-encoding", "identity"),
    ]
}

/// The same, of an answer to `req`.
pub(super) fn headers(req: &HttpRequest, encoding: Encoding) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    for line in lines(encoding) {
        response.insert_header(line);
    }
    if req.version() < Version::HTTP_11 {
        // To HTTP/1.0 a stream is delimited by the close (RFC 9112, section 6.3).
        response.force_close();
    }
    response
}

/// A response whose body is the stream `body`.
pub(super) fn respond(
    req: &HttpRequest,
    encoding: Encoding,
    body: impl MessageBody + 'static,
) -> HttpResponse {
    let mut response = headers(req, encoding).body(body);
    if req.version() < Version::HTTP_11 {
        response
            .headers_mut()
            .remove(actix_web::http::header::CONTENT_LENGTH);
        response.head_mut().no_chunking(true);
    }
    response
}

fn between((least, most): (Duration, Duration)) -> Result<u64, Problem> {
    let (least, most) = (least.as_millis() as u64, most.as_millis() as u64);
    Ok(least + random::number()? % (most - least + 1))
}

fn wait_after(reason: Reason) -> Result<u64, Problem> {
    match reason.retry() {
        Retry::Later => between(RETRY_LATER),
        Retry::Now | Retry::Never => between(RETRY),
    }
}

/// When a clocked stream has pings of its own after the hub's first, counted from its opening. The
/// growing distances tell a path that holds each write until the next one from one that is slow.
const CLOCK_PINGS: [Duration; 2] = [Duration::from_millis(1200), Duration::from_millis(2400)];

/// The pings of a clocked stream that are still to come.
struct Clock {
    opened: Instant,
    next: usize,
    timer: Pin<Box<Sleep>>,
}

impl Clock {
    fn start() -> Self {
        Self {
            opened: Instant::now(),
            next: 0,
            timer: Box::pin(sleep(CLOCK_PINGS[0])),
        }
    }

    /// Whether a ping is due; each is said once.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next == CLOCK_PINGS.len() {
            return Poll::Pending;
        }
        ready!(self.timer.as_mut().poll(cx));
        self.next += 1;
        if let Some(after) = CLOCK_PINGS.get(self.next) {
            self.timer.as_mut().reset(self.opened + *after);
        }
        Poll::Ready(())
    }
}

/// What a stream writes.
pub(super) struct Events {
    reader: Reader,
    encoding: Encoding,
    clock: Option<Box<Clock>>,
    /// What it begins with, until that is written.
    first: Option<Box<[u8]>>,
    renewal: Option<Box<Renewal>>,
}

impl Source for Events {
    fn poll_next(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Given {
        if let Some(first) = self.first.take() {
            out.extend_from_slice(&first);
        }
        let mut chunk = Chunk::new(self.encoding, self.clock.is_some(), out);
        if let Some(renewal) = &mut self.renewal
            && let Some(frame) = renewal.poll(self.reader.hub().calendar())
        {
            // It stands in no mailbox, and so has no id.
            chunk.control(&frame);
        }
        while let Some(clock) = &mut self.clock
            && clock.poll(cx).is_ready()
        {
            chunk.ping();
        }
        let reason = match self.reader.poll_pull(cx, &mut chunk) {
            Poll::Ready(Flow::More) => return Given::More,
            Poll::Ready(Flow::Wrote) | Poll::Pending => return Given::All,
            Poll::Ready(Flow::Ended(reason)) => reason,
        };
        let end = self.reader.hub().end(self.reader.caller().epoch);
        // An `end` that asks for a reconnect says when: without it all would come at once.
        if let Ok(millis) = wait_after(reason) {
            chunk.retry(millis);
        }
        chunk.end(reason, end.as_ref().and_then(|end| end.detail.as_deref()));
        Given::Last
    }

    fn held_up(&mut self) {
        self.reader.held_up();
    }
}
