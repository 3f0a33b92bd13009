//! An operator's doors. Without an operator token and without access keys they do not exist.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::ask::Ask;
use super::auth::{InRoom, Operator, bearer};
use super::peers::Ending;
use super::problem::{self, Problem};
use super::{Doors, unknown_path};
use crate::proto::RoomId;

/// `GET /rooms`
pub(super) async fn rooms(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let operator = operator(&req, &doors)?;
    let room = |view: &crate::hub::RoomView| {
        format!(r#"{{"room":"{}","peers":{}}}"#, view.room, view.peers)
    };
    let mut all = doors.hub.all_rooms().await?;
    all.retain(|view| operator.operates(&view.room));
    let all: Vec<_> = all.iter().map(room).collect();
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
    operator_of(&req, &doors, &room)?;
    let detail = Ending::detail(&Ask::of(&req))?;
    if doors.hub.close(&room, detail).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        let detail = "GET /rooms lists those that there are";
        Err(Problem::new(&problem::UNKNOWN_ROOM, detail))
    }
}

/// One who operates `room`.
pub(super) fn operator_of(
    req: &HttpRequest,
    doors: &Doors,
    room: &RoomId,
) -> Result<Operator, Problem> {
    let operator = operator(req, doors)?;
    if operator.operates(room) {
        return Ok(operator);
    }
    let detail = "the access token does not grant that in this room";
    Err(Problem::new(&problem::NOT_ALLOWED, detail))
}

/// One who operates everywhere.
pub(super) fn operator_of_all(req: &HttpRequest, doors: &Doors) -> Result<(), Problem> {
    match operator(req, doors)? {
        Operator::Everywhere => Ok(()),
        Operator::By(grant) if grant.is_for_all_rooms() => Ok(()),
        Operator::By(_) => {
            let detail = "figures are of all rooms: the access token must be for all of them";
            Err(Problem::new(&problem::NOT_ALLOWED, detail))
        }
    }
}

pub(super) fn operator(req: &HttpRequest, doors: &Doors) -> Result<Operator, Problem> {
    if doors.operator_token.is_none() && !doors.access.is_on() {
        return Err(unknown_path());
    }
    Operator::of(&Ask::of(req), doors)?.ok_or_else(|| {
        let shown = bearer(&Ask::of(req));
        if shown.is_some_and(|token| doors.keys.verify_peer_token(token).is_ok()) {
            let detail = "a peer's token is for that peer's own doors";
            return Problem::new(&problem::NOT_ALLOWED, detail);
        }
        let detail = "show an operator's token: Authorization: Bearer TOKEN";
        Problem::new(&problem::BAD_TOKEN, detail)
    })
}
