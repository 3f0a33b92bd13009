//! A peer's sessions, ended ones included for a while.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Doors;
use super::auth::{self, Peer};
use super::encode::session_json;
use super::problem::Problem;

/// `GET …/sessions`
pub(super) async fn all(doors: Data<Doors>, Peer(caller): Peer) -> Result<HttpResponse, Problem> {
    let now = doors.hub.now();
    let sessions = doors.hub.sessions(&caller)?;
    let all: Vec<_> = sessions
        .iter()
        .map(|view| session_json(view, now))
        .collect();
    Ok(json(format!(r#"{{"sessions":[{}]}}"#, all.join(","))))
}

/// `GET …/sessions/{session}`
pub(super) async fn one(
    doors: Data<Doors>,
    req: HttpRequest,
    Peer(caller): Peer,
) -> Result<HttpResponse, Problem> {
    let now = doors.hub.now();
    let view = doors.hub.session(&caller, &auth::session(&req)?)?;
    Ok(json(session_json(&view, now)))
}

fn json(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(body)
}
