//! A peer's event stream: SSE, or NDJSON if Accept asks for it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Doors;
use super::ask::Ask;
use super::problem::Problem;
use super::query::Reading;
use super::stream;
use crate::proto::Door;

/// `GET …/events`
pub(super) async fn events(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let reading = Reading::of(&Ask::of(&req), &doors, Door::Events, true)?;
    stream::open(&doors, &req, reading).await
}
