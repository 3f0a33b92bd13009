//! The long-poll: one complete JSON answer, at the same cursor as the streams.

use std::fmt::Write as _;
use std::future::poll_fn;

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
use crate::hub::{Flow, Opening, Sink as _};
use crate::proto::{Door, Reason, Retry};
use crate::wire::Answer;

/// `GET …/poll`
pub(super) async fn poll(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let reading = Reading::of(&Ask::of(&req), &doors, Door::Events, false)?;
    Ok(answer(&doors, reading).await?.into())
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
    Ok(answer(&doors, reading).await?.into())
}

/// Answers as soon as there is something to tell, at the latest when the wait is over.
pub(super) async fn answer(doors: &Doors, mut reading: Reading) -> Result<Answer, Problem> {
    let (hold, max) = (reading.hold(), reading.max);
    let asked_cursor = match &reading.attach.cursor {
        Some(Err(bad)) => return Err(reading.refuse(doors, (*bad).into())),
        Some(Ok(_)) => true,
        None => false,
    };
    let seated = doors.seat(&mut reading);
    seated.map_err(|full| reading.refuse(doors, full.into()))?;
    let (mut reader, opening) = doors.hub.attach(&reading.caller, reading.attach)?;
    let mut batch = Batch::new(max);
    let pull = poll_fn(|cx| reader.poll_pull(cx, &mut batch));
    // A gap is told at once, whatever else there is to tell.
    let hold = if opening.gap.is_some() {
        std::time::Duration::ZERO
    } else {
        hold
    };
    let flow = tokio::time::timeout(hold, pull)
        .await
        .unwrap_or(Flow::Wrote);
    let (mut superseded, mut retry_ms) = (false, 0);
    if let Flow::Ended(reason) = flow {
        superseded = reason == Reason::Replaced;
        if !superseded {
            let end = doors.hub.end(reading.caller.epoch);
            let detail = end.as_ref().and_then(|end| end.detail.as_deref());
            batch.control(&end_frame(reason, detail));
        }
        if reason.retry() != Retry::Never {
            retry_ms = random::number()? % 1000;
        }
    }
    let (cursor, more) = (reader.cursor(), flow == Flow::Wrote && reader.has_more());
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
    if !(opening.resumed && asked_cursor) {
        // As of now, not as of the poll's beginning: what came meanwhile is in its events.
        let (peers, sessions) = reader.present_state().unwrap_or_default();
        let told = Opening {
            resumed: false,
            peers,
            sessions,
            ..opening
        };
        write_missing(&mut json, &told);
    }
    json.push('}');
    Ok(Answer::new(StatusCode::OK)
        .with("cache-control", "no-store, no-cache, no-transform")
        .with("content-type", "application/json")
        .body(json))
}
