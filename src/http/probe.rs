//! Ticks at even distances: does this path hold a stream back, and how long a silence does it bear?

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Doors;
use super::ask::Ask;
use super::check::Place;
use super::client::Client;
use super::problem::{self, Problem};
use super::query::Encoding;
use super::stream;
use super::tickets::calendar;
use crate::hub::Hub;

/// What is written unless the query says otherwise, and within which bounds it may.
const TICKS: u32 = 8;
const MOST_TICKS: u32 = 100;
const GAP: Duration = Duration::from_millis(250);
const LEAST_GAP: Duration = Duration::from_millis(50);
/// The longest that a probe takes as a whole.
const LONGEST: Duration = Duration::from_secs(120);
/// How soon a silent probe notices that the server goes away.
const LOOK: Duration = Duration::from_millis(500);

/// The query of a probe; unknown names are ignored.
#[derive(Debug, Deserialize)]
struct Asked {
    ticks: Option<String>,
    gap: Option<String>,
}

/// `GET /probe`
pub(super) async fn probe(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let (of, gap) = asked(req.query_string())?;
    let client = Client::of(&Ask::of(&req), &doors.trust);
    let ticks = Ticks {
        hub: doors.hub.clone(),
        timer: Box::pin(sleep_until(Instant::now())),
        next: Instant::now(),
        written: 0,
        of,
        gap,
        _place: doors.places.take(client, gap.saturating_mul(of - 1))?,
    };
    Ok(stream::respond(&req, Encoding::Sse, ticks))
}

/// How many ticks, and how far apart.
fn asked(query: &str) -> Result<(u32, Duration), Problem> {
    let asked = Query::<Asked>::from_query(query).map_err(|_| bad())?;
    let number = |text: &Option<String>| text.as_deref().map(str::parse::<u32>).transpose();
    let ticks = number(&asked.ticks).map_err(|_| bad())?.unwrap_or(TICKS);
    let gap = number(&asked.gap).map_err(|_| bad())?;
    let gap = gap.map_or(GAP, |millis| Duration::from_millis(millis.into()));
    let within = (1..=MOST_TICKS).contains(&ticks)
        && gap >= LEAST_GAP
        && gap.saturating_mul(ticks - 1) <= LONGEST;
    if within { Ok((ticks, gap)) } else { Err(bad()) }
}

fn bad() -> Problem {
    let detail =
        "ticks is 1 to 100, gap is 50 milliseconds or more, and all ticks come within 120 s";
    Problem::new(&problem::BAD_REQUEST, detail)
}

struct Ticks {
    hub: Hub,
    timer: Pin<Box<Sleep>>,
    /// When the next tick is due.
    next: Instant,
    written: u32,
    of: u32,
    gap: Duration,
    _place: Place,
}

impl MessageBody for Ticks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        loop {
            if self.written == self.of || self.hub.is_draining() {
                return Poll::Ready(None);
            }
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if now >= self.next {
                break;
            }
            let wake = self.next.min(now + LOOK);
            self.timer.as_mut().reset(wake);
        }
        let (n, of, sent) = (self.written, self.of, calendar());
        self.written += 1;
        let gap = self.gap;
        self.next += gap;
        let wake = self.next.min(Instant::now() + LOOK);
        self.timer.as_mut().reset(wake);
        let tick = format!("event: tick\ndata: {{\"n\":{n},\"of\":{of},\"sent_ms\":{sent}}}\n\n");
        Poll::Ready(Some(Ok(Bytes::from(tick))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_eight_ticks_unless_it_is_asked_for_others_within_bounds() {
        assert_eq!(asked("").expect("the usual"), (TICKS, GAP));
        let asked_for = asked("ticks=2&gap=30000&more=1").expect("a silence");
        assert_eq!(asked_for, (2, Duration::from_secs(30)));
        assert!(asked("ticks=2&gap=120000").is_ok() && asked("ticks=1&gap=4294967295").is_ok());
        for query in [
            "ticks=0",
            "ticks=101",
            "ticks=-1",
            "ticks=many",
            "gap=49",
            "gap=",
            "gap=1.5",
            "ticks=3&gap=60001",
            "ticks=2&gap=4294967296",
            "gap=1&gap=2",
        ] {
            assert_eq!(
                asked(query).expect_err(query).name(),
                "bad-request",
                "{query}"
            );
        }
    }
}
