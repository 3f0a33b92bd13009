//! Health: is the process up, and does it take new peers?

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;

use super::Doors;
use super::problem::Problem;
use crate::hub::Refused;

/// `GET /livez`: the process answers.
pub(super) async fn livez() -> HttpResponse {
    ok()
}

/// `GET /readyz`: 503 from the moment that the server is going away, and while the store of shared
/// rooms does not answer.
pub(super) async fn readyz(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    if doors.hub.is_draining() {
        Err(Refused::Draining.into())
    } else if !doors.hub.has_store() {
        Err(Refused::Unavailable.into())
    } else {
        Ok(ok())
    }
}

fn ok() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body("ok\n")
}
