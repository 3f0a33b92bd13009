//! Who asks: bearer tokens (RFC 6750) in the header, and nowhere else.

use std::future::{Ready, ready};

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Query};
use actix_web::{FromRequest, HttpRequest, dev};

use super::Doors;
use super::problem::{self, Problem};
use super::token::{is_peer_token, is_same_secret, is_ticket};
use crate::hub::Caller;
use crate::proto::{PeerId, RoomId, SessionId};

/// Query names under which people put credentials that would then stand in proxies' logs.
const LEAKY: &[&str] = &[
    "token",
    "access_token",
    "auth",
    "authorization",
    "bearer",
    "jwt",
];

/// The room of the path.
pub(super) struct InRoom(pub(super) RoomId);

/// The room and the peer of the path.
pub(super) struct Named {
    pub(super) room: RoomId,
    pub(super) peer: PeerId,
}

/// The peer of the path, which showed its token.
pub(super) struct Peer(pub(super) Caller);

impl FromRequest for InRoom {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(room(req).map(InRoom))
    }
}

impl FromRequest for Named {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(req))
    }
}

impl FromRequest for Peer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(req))
    }
}

impl Named {
    pub(super) fn of(req: &HttpRequest) -> Result<Self, Problem> {
        let peer = PeerId::parse(req.match_info().query("peer"))?;
        Ok(Self {
            room: room(req)?,
            peer,
        })
    }

    /// The caller that a verified credential names, if that is who the path names.
    pub(super) fn is(&self, caller: Caller) -> Result<Caller, Problem> {
        if caller.room == self.room && caller.peer == self.peer {
            return Ok(caller);
        }
        let detail = "the token is for another peer or another room";
        Err(Problem::new(&problem::NOT_ALLOWED, detail))
    }
}

impl Peer {
    pub(super) fn of(req: &HttpRequest) -> Result<Self, Problem> {
        let named = Named::of(req)?;
        let token = bearer(req)?.ok_or_else(|| {
            let detail = "send the token of the join answer: Authorization: Bearer TOKEN";
            Problem::new(&problem::BAD_TOKEN, detail)
        })?;
        named
            .is(doors(req)?.keys.verify_peer_token(token)?)
            .map(Self)
    }
}

/// The session of the path.
pub(super) fn session(req: &HttpRequest) -> Result<SessionId, Problem> {
    Ok(SessionId::parse(req.match_info().query("session"))?)
}

fn room(req: &HttpRequest) -> Result<RoomId, Problem> {
    Ok(RoomId::parse(req.match_info().query("room"))?)
}

/// The doors of this server.
pub(super) fn doors(req: &HttpRequest) -> Result<&Data<Doors>, Problem> {
    req.app_data()
        .ok_or_else(|| Problem::new(&problem::INTERNAL, "try again later"))
}

/// Refuses URLs with credentials in them: a name that says so, or a value that is one of ours. Only
/// a ticket may stand in a URL, under its own name.
pub(super) fn check_url(req: &HttpRequest) -> Result<(), Problem> {
    if req.query_string().is_empty() {
        return Ok(());
    }
    let pairs = Query::<Vec<(String, String)>>::from_query(req.query_string());
    let pairs = pairs.map(Query::into_inner).unwrap_or_default();
    let leaks = |(name, value): &(String, String)| {
        let named = LEAKY.contains(&name.to_ascii_lowercase().as_str());
        named || is_peer_token(value) || (is_ticket(value) && name != "ticket")
    };
    if pairs.iter().any(leaks) {
        let detail = "no tokens in URLs, where proxies log them: \
                      send Authorization: Bearer TOKEN, or POST to tickets for a stream";
        return Err(Problem::new(&problem::BAD_TOKEN, detail));
    }
    Ok(())
}

/// The bearer token of the header, where there is one.
pub(super) fn bearer(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    check_url(req)?;
    let Some(value) = req.headers().get(AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    // Other schemes are for proxies on the way.
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// Whether the request shows the operator's token.
pub(super) fn is_operator(req: &HttpRequest, doors: &Doors) -> Result<bool, Problem> {
    let Some(expected) = &doors.operator_token else {
        return Ok(false);
    };
    Ok(bearer(req)?.is_some_and(|shown| is_same_secret(shown, expected)))
}
