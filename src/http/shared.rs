//! Before a door of a room that several nodes share: what this node lacks of it is fetched, so that
//! any request may come to any node.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{Error, Resource};

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
) -> Result<ServiceResponse<impl MessageBody + 'static>, Error> {
    let doors = req.app_data::<Data<Doors>>().cloned();
    if let Some(doors) = doors.filter(|doors| doors.hub.is_shared()) {
        let had = fetch(&doors, &req).await;
        // A stream is refused in a way of its own.
        if let Err(refused) = had
            && !is_stream(&req)
        {
            return Err(Problem::from(refused).into());
        }
    }
    next.call(req).await
}

/// What a peer asks of its own room can be done as soon as it is known to be there; what is asked
/// about a room is told as of now.
async fn fetch(doors: &Doors, req: &ServiceRequest) -> Result<(), Refused> {
    let ask = Ask::of(req.request());
    let Ok(room) = RoomId::parse(ask.room()) else {
        return Ok(());
    };
    let asks = req.method() == Method::GET && !is_reader(req);
    match caller(doors, &ask).filter(|caller| caller.room == room && !asks) {
        Some(caller) => match doors.hub.reach(&caller) {
            Some(reaching) => reaching.await,
            None => Ok(()),
        },
        None => doors.hub.sync(&room).await,
    }
}

/// Who asks, where its credential is good.
fn caller(doors: &Doors, ask: &Ask<'_>) -> Option<Caller> {
    if let Some(token) = bearer(ask).filter(|token| is_peer_token(token)) {
        return Some(doors.keys.verify_peer_token(token).ok()?.caller);
    }
    let ticket = ticket_of(ask)?;
    Some(doors.keys.verify_ticket(&ticket).ok()?.bearer.caller)
}

fn is_reader(req: &ServiceRequest) -> bool {
    is_stream(req) || req.path().ends_with("/poll")
}

fn is_stream(req: &ServiceRequest) -> bool {
    req.path().ends_with("/events") || req.path().ends_with("/notices")
}
