//! Who is in a room: discovery, meta, leaving, kicking.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Doors;
use super::ask::Ask;
use super::auth::{InRoom, Member, Named, Operator, Peer, bearer, granted_in};
use super::body::{Body, parse, passed_on};
use super::client::Client;
use super::encode::discovery_json;
use super::problem::{self, Problem};
use super::token::{BadToken, Bearer, is_peer_token};
use crate::access::Right;
use crate::config::fixed::META_BYTES;
use crate::hub::{Caller, Hub, Refused};
use crate::proto::{Json, Reason, Refusal};

/// A body that holds a meta, with room for white space.
const META_BODY: usize = 8 * 1024;
/// A body that holds a token.
pub(super) const TOKEN_BODY: usize = 4 * 1024;
/// An end's detail at most, in bytes.
const DETAIL_BYTES: usize = 256;

/// `GET /rooms/{room}/peers`
pub(super) async fn list(
    doors: Data<Doors>,
    req: HttpRequest,
    InRoom(room): InRoom,
) -> Result<HttpResponse, Problem> {
    let ask = Ask::of(&req);
    if let Some(token) = bearer(&ask).filter(|token| is_peer_token(token)) {
        let bearer = doors.keys.verify_peer_token(token)?;
        if doors.access.is_on() {
            bearer.check(&doors)?;
            if bearer.caller.room != room {
                let detail = "a peer's token lists its own room";
                return Err(Problem::new(&problem::NOT_ALLOWED, detail));
            }
        }
        // On an open server nobody needs one here; a peer that shows its own gives a sign of life.
        doors.hub.check(&bearer.caller)?;
    } else {
        granted_in(&ask, &doors, Right::List, &room)?;
    }
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(discovery_json(&doors.hub.peers(&room))))
}

/// `PATCH …/peers/{peer}`, `POST …/peers/{peer}/meta`: the body is the new meta.
pub(super) async fn set_meta(
    doors: Data<Doors>,
    req: HttpRequest,
    Peer(caller): Peer,
    body: Result<Body<META_BODY>, Problem>,
) -> Result<HttpResponse, Problem> {
    let understood = body.and_then(|body| {
        let raw: &RawValue = parse(body.text()?, &problem::BAD_REQUEST)?;
        meta(raw, doors.json_depth)
    });
    let meta = understood.map_err(|problem| doors.refuse(&caller, problem))?;
    let client = Client::of(&Ask::of(&req), &doors.trust);
    doors
        .limits
        .signals(client, &caller, 1)
        .map_err(|problem| doors.refuse(&caller, problem))?;
    doors.hub.set_meta(&caller, meta).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a JSON value, nested at most `depth` deep, as a peer's meta.
pub(super) fn meta(raw: &RawValue, depth: usize) -> Result<Json, Problem> {
    let json = passed_on(raw, depth, &problem::BAD_REQUEST)?;
    if json.as_str().len() > META_BYTES {
        let detail = format!("meta is at most {META_BYTES} bytes");
        return Err(Problem::new(&problem::TOO_LARGE, detail));
    }
    Ok(json)
}

/// The query of an end.
#[derive(Deserialize)]
pub(super) struct Ending {
    detail: Option<String>,
    #[serde(rename = "if")]
    condition: Option<Condition>,
}

/// When a peer leaves, where not at once.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Condition {
    /// Once its reader is lost within the next seconds.
    Closed,
}

impl Ending {
    /// What readers are told beside the reason, of an end that comes at once.
    pub(super) fn detail(ask: &Ask<'_>) -> Result<Option<Arc<str>>, Problem> {
        match Self::of(ask)? {
            (detail, None) => Ok(detail),
            (_, Some(Condition::Closed)) => Err(bad("if=closed goes with POST …/leave alone")),
        }
    }

    fn of(ask: &Ask<'_>) -> Result<(Option<Arc<str>>, Option<Condition>), Problem> {
        let query = Query::<Self>::from_query(ask.query);
        let Self { detail, condition } = query
            .map_err(|_| bad("the query cannot be read: detail=TEXT, and of a leave if=closed"))?
            .into_inner();
        if condition.is_some() && detail.is_some() {
            return Err(bad(
                "a detail goes with an end that comes at once, not with if",
            ));
        }
        if detail
            .as_ref()
            .is_some_and(|detail| detail.len() > DETAIL_BYTES)
        {
            return Err(bad("detail is at most 256 bytes"));
        }
        Ok((detail.map(Arc::from), condition))
    }
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(&problem::BAD_REQUEST, detail)
}

/// `DELETE …/peers/{peer}`: the peer leaves, or an operator kicks it.
pub(super) async fn delete(
    doors: Data<Doors>,
    req: HttpRequest,
    named: Named,
) -> Result<HttpResponse, Problem> {
    let ask = Ask::of(&req);
    let detail = Ending::detail(&ask)?;
    if let Some(operator) = Operator::of(&ask, &doors)? {
        let Named { room, peer } = &named;
        if !operator.operates(room) {
            let detail = "the access token does not grant that in this room";
            return Err(Problem::new(&problem::NOT_ALLOWED, detail));
        }
        doors
            .hub
            .remove(room, peer, None, Reason::Kicked, detail)
            .await?;
        return Ok(HttpResponse::NoContent().finish());
    }
    let leaving = Leaving::by_header(&doors, &ask, detail)?;
    leaving.finish(&doors.hub).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Who leaves, if anybody is still there to.
pub(super) struct Leaving(Option<(Caller, Option<Arc<str>>, Option<Condition>)>);

impl Leaving {
    /// The peer whose token is in the header.
    pub(super) fn by_header(
        doors: &Doors,
        ask: &Ask<'_>,
        detail: Option<Arc<str>>,
    ) -> Result<Self, Problem> {
        match Member::once(ask, doors) {
            Ok(Bearer { caller, .. }) => Ok(Self(Some((caller, detail, None)))),
            // Whoever's token this was, it has left.
            Err(problem) if problem.name() == problem::ENDED.name => Ok(Self(None)),
            Err(problem) => Err(problem),
        }
    }

    /// The peer whose token is the body.
    pub(super) fn by_body(
        doors: &Doors,
        ask: &Ask<'_>,
        named: &Named,
        text: &str,
    ) -> Result<Self, Problem> {
        let (detail, condition) = Ending::of(ask)?;
        match doors.keys.verify_peer_token(text.trim()) {
            Ok(Bearer { caller, .. }) => Ok(Self(Some((named.is(caller)?, detail, condition)))),
            Err(BadToken::UnknownKey) => Ok(Self(None)),
            Err(forged @ BadToken::Forged) => Err(forged.into()),
        }
    }

    fn caller(&self) -> Option<&Caller> {
        self.0.as_ref().map(|(caller, ..)| caller)
    }

    pub(super) async fn finish(self, hub: &Hub) -> Result<(), Refused> {
        match self.0 {
            Some((caller, _, Some(Condition::Closed))) => hub.announce_closing(&caller).await,
            Some((caller, detail, None)) => hub.leave(&caller, Reason::Left, detail).await,
            None => Ok(()),
        }
    }
}

/// `POST …/peers/{peer}/leave`: the body is the peer token, as `navigator.sendBeacon` can send it.
/// Nothing is awaited once the body is there, so that a page that goes at once is still heard.
/// With `?if=closed` the peer is about to close its page, and leaves once its reader is lost.
pub(super) async fn leave(
    doors: Data<Doors>,
    req: HttpRequest,
    named: Named,
    body: Body<TOKEN_BODY>,
) -> Result<HttpResponse, Problem> {
    let leaving = Leaving::by_body(&doors, &Ask::of(&req), &named, body.text()?)?;
    let hub = doors.hub.clone();
    // It is done also where whoever asked is gone meanwhile.
    let left = actix_web::rt::spawn(async move {
        if let Some(reaching) = leaving.caller().and_then(|caller| hub.reach(caller)) {
            reaching.await?;
        }
        leaving.finish(&hub).await
    });
    left.await.unwrap_or(Err(Refused::Unavailable))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Why the caller's incarnation is over, where that is why it was refused.
pub(super) fn end_of(refused: &Refused) -> Option<Reason> {
    match refused {
        Refused::Room(Refusal::Ended(reason)) => Some(*reason),
        Refused::Room(_)
        | Refused::TooManyRooms
        | Refused::TooManyPeers
        | Refused::TooManyReaders
        | Refused::TooManyReadersHere
        | Refused::Draining
        | Refused::Expired
        | Refused::Unavailable
        | Refused::Ticket(_) => None,
    }
}
