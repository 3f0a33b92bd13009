//! Eight ticks, a quarter of a second apart: does this path hold a stream back?

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::{Interval, interval};

use super::query::Encoding;
use super::stream;
use super::tickets::calendar;

const TICKS: u32 = 8;
const STEP: Duration = Duration::from_millis(250);

/// `GET /probe`
pub(super) async fn probe(req: HttpRequest) -> HttpResponse {
    let ticks = Ticks {
        timer: Box::pin(interval(STEP)),
        written: 0,
    };
    stream::respond(&req, Encoding::Sse, ticks)
}

struct Ticks {
    timer: Pin<Box<Interval>>,
    written: u32,
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
        if self.written == TICKS {
            return Poll::Ready(None);
        }
        ready!(self.timer.poll_tick(cx));
        let (n, sent) = (self.written, calendar());
        self.written += 1;
        let of = TICKS;
        let tick = format!("event: tick\ndata: {{\"n\":{n},\"of\":{of},\"sent_ms\":{sent}}}\n\n");
        Poll::Ready(Some(Ok(Bytes::from(tick))))
    }
}
