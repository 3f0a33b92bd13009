//! The long-poll: one complete JSON answer, at the same cursor as the streams.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Doors;
use super::ask::Ask;
use super::body::Body;
use super::encode::{Batch, end_frame, write_missing};
use super::problem::Problem;
use super::query::Reading;
use super::random;
use crate::hub::{Flow, Opening, Reader, Sink as _};
use crate::proto::{Door, Reason, Retry};
use crate::wire::Answer;

/// `GET …/poll`
pub(super) async fn poll(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let reading = Reading::of(&Ask::of(&req), &doors, Door::Events, false)?;
    Ok(begin(&doors, reading).await?.answer().await?.into())
}

/// `POST …/poll`: the same for paths that drop `Last-Event-ID`, or keep answers to a GET.
pub(super) async fn posted(
    doors: Data<Doors>,
    req: HttpRequest,
    body: Result<Body<1024>, Problem>,
) -> Result<HttpResponse, Problem> {
    let mut reading = Reading::of(&Ask::of(&req), &doors, Door::Events, false)?;
    let asked = body.and_then(|body| body.object());
    asked
        .and_then(|posted| reading.follow(&posted))
        .map_err(|bad| reading.refuse(&doors, bad))?;
    Ok(begin(&doors, reading).await?.answer().await?.into())
}

/// A poll that is answered as soon as there is something to tell, at the latest when its wait is over.
pub(super) struct Waiting {
    reader: Reader,
    batch: Batch,
    hold: Duration,
    /// What it is told anew, where it does not go on exactly where it stood.
    opening: Option<Box<Opening>>,
}

/// Opens a poll.
pub(super) async fn begin(doors: &Doors, mut reading: Reading) -> Result<Waiting, Problem> {
    let asked_cursor = match &reading.attach.cursor {
        Some(Err(bad)) => return Err(reading.refuse(doors, (*bad).into())),
        Some(Ok(_)) => true,
        None => false,
    };
    let seated = doors.seat(&mut reading);
    seated.map_err(|full| reading.refuse(doors, full.into()))?;
    let (hold, max) = (reading.hold(), reading.max);
    let (reader, opening) = doors.hub.attach(&reading.caller, reading.attach).await?;
    // A gap is told at once, whatever else there is to tell.
    let hold = if opening.gap.is_some() {
        Duration::ZERO
    } else {
        hold
    };
    let goes_on = opening.resumed && asked_cursor;
    Ok(Waiting {
        reader,
        batch: Batch::new(max),
        hold,
        opening: (!goes_on).then(|| Box::new(opening)),
    })
}

impl Waiting {
    /// The answer, in its time.
    #[expect(
        clippy::manual_async_fn,
        reason = "that would hold what it takes twice"
    )]
    pub(super) fn answer(mut self) -> impl Future<Output = Result<Answer, Problem>> + Send {
        async move {
            let flow = {
                let (reader, batch) = (&mut self.reader, &mut self.batch);
                let pull = poll_fn(|cx| reader.poll_pull(cx, batch));
                tokio::time::timeout(self.hold, pull).await
            };
            if let Some(leaving) = self.reader.leave() {
                leaving.await;
            }
            self.tell(flow.unwrap_or(Flow::Wrote))
        }
    }

    fn tell(&mut self, flow: Flow) -> Result<Answer, Problem> {
        let Self { reader, batch, .. } = self;
        let (mut superseded, mut retry_ms) = (false, 0);
        if let Flow::Ended(reason) = flow {
            superseded = reason == Reason::Replaced;
            if !superseded {
                let end = reader.hub().end(reader.caller().epoch);
                let detail = end.as_ref().and_then(|end| end.detail.as_deref());
                batch.control(&end_frame(reason, detail));
            }
            if reason.retry() != Retry::Never {
                retry_ms = random::number()? % 1000;
            }
        }
        let (cursor, more) = (reader.cursor(), flow == Flow::More);
        let events = std::str::from_utf8(&batch.bytes).unwrap_or_default();
        let mut json = String::with_capacity(events.len() + 128);
        let _ = write!(
            json,
            r#"{{"events":[{events}],"cursor":"{cursor}","more":{more},"#
        );
        let _ = write!(json, r#""retry_ms":{retry_ms}"#);
        if superseded {
            json.push_str(r#","superseded":true"#);
        }
        if let Some(mut opening) = self.opening.take() {
            // As of now, not as of the poll's beginning: what came meanwhile is in its events.
            let (peers, sessions) = reader.present_state().unwrap_or_default();
            opening.resumed = false;
            opening.peers = peers;
            opening.sessions = sessions;
            write_missing(&mut json, &opening);
        }
        json.push('}');
        Ok(Answer::new(StatusCode::OK)
            .with("cache-control", "no-store, no-cache, no-transform")
            .with("content-type", "application/json")
            .body(json))
    }
}
