//! Before a door of a room that several nodes share: what this node lacks of it is fetched, so that
//! any request may come to any node.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{Error, HttpResponse, Resource};

use super::ask::Ask;
use super::auth::bearer;
use super::problem::Problem;
use super::query::ticket_of;
use super::token::is_peer_token;
use super::{Doors, resource};
use crate::hub::{Caller, Refused};
use crate::proto::RoomId;

/// A path of a room.
pub(super) fn room_resource(
    path: &str,
    allow: &'static str,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + 'static + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    resource(path, allow).wrap(from_fn(fetched))
}

async fn fetched(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let doors = req.app_data::<Data<Doors>>().cloned();
    let Some(doors) = doors.filter(|doors| doors.hub.is_shared()) else {
        return Ok(next.call(req).await?.map_into_boxed_body());
    };
    if is_goodbye(&req) {
        // Its body says who it is, and is read before anything is awaited.
        return Ok(next.call(req).await?.map_into_boxed_body());
    }
    let (asker, appends) = (asker(&doors, &req), appends(&req));
    let had = fetch(&doors, &req, asker.as_ref().filter(|_| appends)).await;
    // A stream is refused in a way of its own.
    if let Err(refused) = had
        && !is_stream(&req)
    {
        let told = HttpResponse::from_error(Problem::from(refused));
        return Ok(req.into_response(told));
    }
    let answer = next.call(req).await;
    let Some(asker) = asker.filter(|_| appends && is_refused(&answer)) else {
        return Ok(answer?.map_into_boxed_body());
    };
    // It may be refused for more than could be known here.
    let known = match doors.hub.sync(&asker.room).await {
        Ok(()) => doors.hub.find(&asker),
        Err(refused) => Err(refused),
    };
    match (known, answer) {
        (Ok(()), answer) => Ok(answer?.map_into_boxed_body()),
        (Err(refused), Ok(answer)) => {
            let told = HttpResponse::from_error(Problem::from(refused));
            Ok(answer.into_response(told).map_into_boxed_body())
        }
        (Err(refused), Err(_)) => Err(Problem::from(refused).into()),
    }
}

/// `POST …/peers/{peer}/leave`, which `navigator.sendBeacon` sends.
fn is_goodbye(req: &ServiceRequest) -> bool {
    req.method() == Method::POST && req.path().ends_with("/leave")
}

/// Whether a request was refused for another reason than its incarnation's end.
fn is_refused(answer: &Result<ServiceResponse<impl MessageBody>, Error>) -> bool {
    let status = match answer {
        Ok(answer) => answer.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    status.is_client_error() && status != StatusCode::GONE
}

/// What a peer says to its own room is put in order by the log, as soon as the peer is known to be
/// there; what is asked about a room is told as of now.
async fn fetch(
    doors: &Doors,
    req: &ServiceRequest,
    appender: Option<&Caller>,
) -> Result<(), Refused> {
    let Ok(room) = RoomId::parse(Ask::of(req.request()).room()) else {
        return Ok(());
    };
    match appender {
        Some(caller) => match doors.hub.reach(caller) {
            Some(reaching) => reaching.await,
            None => Ok(()),
        },
        None => doors.hub.sync(&room).await,
    }
}

/// Whether a request becomes an entry of the room's log, if it is not refused.
fn appends(req: &ServiceRequest) -> bool {
    let path = req.path();
    let asks = req.method() == Method::GET && !is_stream(req) && !path.ends_with("/poll");
    !asks && !path.ends_with("/tickets")
}

/// The peer that the path names, where it asks itself and its credential is good.
fn asker(doors: &Doors, req: &ServiceRequest) -> Option<Caller> {
    let ask = &Ask::of(req.request());
    let caller = match bearer(ask).filter(|token| is_peer_token(token)) {
        Some(token) => doors.keys.verify_peer_token(token).ok()?.caller,
        None => {
            doors
                .keys
                .verify_ticket(&ticket_of(ask)?)
                .ok()?
                .bearer
                .caller
        }
    };
    let named = caller.room.as_str() == ask.room() && caller.peer.as_str() == ask.peer();
    named.then_some(caller)
}

fn is_stream(req: &ServiceRequest) -> bool {
    req.path().ends_with("/events") || req.path().ends_with("/notices")
}
