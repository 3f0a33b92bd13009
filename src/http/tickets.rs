//! Stream tickets: what a browser's EventSource shows in its URL instead of a token (section 8).

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde::Deserialize;
use utoipa::ToSchema;

use super::auth::Member;
use super::body::Body;
use super::openapi::Position;
use super::problem::Problem;
use super::token::Bearer;
use super::{Doors, random};
use crate::hub::TicketId;
use crate::proto::Cursor;

/// What a ticket is asked for with.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TicketWish)]
pub(super) struct Asked {
    /// Where the stream is to begin.
    #[schema(value_type = Option<Position>)]
    cursor: Option<String>,
}

/// `POST …/tickets`
pub(super) async fn issue(
    doors: Data<Doors>,
    Member(bearer): Member,
    body: Result<Body<1024>, Problem>,
) -> Result<HttpResponse, Problem> {
    let cursor = body.and_then(|body| cursor(&body));
    let cursor = cursor.map_err(|problem| doors.refuse(&bearer.caller, problem))?;
    doors.hub.check(&bearer.caller)?;
    let ticket = make(&doors, &bearer, cursor)?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(format!(r#"{{"ticket":"{ticket}"}}"#)))
}

fn cursor(body: &Body<1024>) -> Result<Option<Cursor>, Problem> {
    let asked: Asked = body.object()?;
    Ok(asked.cursor.as_deref().map(Cursor::parse).transpose()?)
}

/// A ticket of `bearer`'s for one stream, which begins at `cursor`.
pub(super) fn make(
    doors: &Doors,
    bearer: &Bearer,
    cursor: Option<Cursor>,
) -> Result<String, Problem> {
    let id = TicketId {
        nonce: random::number()?,
        issued: doors.hub.calendar(),
    };
    Ok(doors.keys.ticket(bearer, id, cursor))
}

/// The time by the machine's calendar, in milliseconds since 1970.
pub(super) fn calendar() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
