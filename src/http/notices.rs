//! A peer's termination channel: a stream, or with `?wait=` one long-poll (section 6).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::ask::Ask;
use super::problem::Problem;
use super::query::Reading;
use super::{Doors, poll, stream};
use crate::proto::Door;

/// `GET …/notices`
pub(super) async fn notices(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let reading = Reading::of(&Ask::of(&req), &doors, Door::Notices, true)?;
    if reading.attach.transport.is_stream() {
        stream::open(&doors, &req, reading).await
    } else {
        Ok(poll::begin(&doors, reading).await?.answer().await?.into())
    }
}
