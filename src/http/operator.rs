//! An operator's doors. Without an operator token they do not exist.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::auth::{InRoom, is_operator};
use super::peers::Ending;
use super::problem::{self, Problem};
use super::{Doors, unknown_path};

/// `GET /rooms`
pub(super) async fn rooms(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    check(&req, &doors)?;
    let room = |view: &crate::hub::RoomView| {
        format!(r#"{{"room":"{}","peers":{}}}"#, view.room, view.peers)
    };
    let all: Vec<_> = doors.hub.rooms().iter().map(room).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(format!(r#"{{"rooms":[{}]}}"#, all.join(","))))
}

/// `DELETE /rooms/{room}`
pub(super) async fn close(
    doors: Data<Doors>,
    req: HttpRequest,
    InRoom(room): InRoom,
) -> Result<HttpResponse, Problem> {
    check(&req, &doors)?;
    if doors.hub.close(&room, Ending::detail(&req)?).await {
        Ok(HttpResponse::NoContent().finish())
    } else {
        let detail = "GET /rooms lists those that there are";
        Err(Problem::new(&problem::UNKNOWN_ROOM, detail))
    }
}

fn check(req: &HttpRequest, doors: &Doors) -> Result<(), Problem> {
    if doors.operator_token.is_none() {
        return Err(unknown_path());
    }
    if is_operator(req, doors)? {
        return Ok(());
    }
    let detail = "show the operator's token: Authorization: Bearer TOKEN";
    Err(Problem::new(&problem::BAD_TOKEN, detail))
}
