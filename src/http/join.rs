//! Joining a room.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ask::Ask;
use super::auth::{InRoom, bearer, granted_in};
use super::body::{Body, object};
use super::client::Client;
use super::encode::peers_json;
use super::openapi::Id;
use super::peers::meta;
use super::places::Taken;
use super::problem::{self, Problem};
use super::token::{BadToken, Bearer, is_peer_token};
use super::{Doors, ice_servers, random, tickets};
use crate::access::{Grant, Right, SeveralPeers};
use crate::config::fixed::JOIN_BYTES;
use crate::hub::{Caller, JoinedRoom};
use crate::proto::{Cursor, Epoch, Join, PeerId, RoomId};
use crate::wire::Answer;

/// A client's own random word at most, in bytes.
const KEY_BYTES: usize = 128;

/// What a peer wants of a join.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct Wish {
    /// The id to join under; left out, the server makes one.
    #[schema(value_type = Option<Id>)]
    peer: Option<String>,
    /// What the peer says about itself: any JSON, at most 4 KiB.
    #[schema(value_type = serde_json::Value, required = false)]
    meta: Option<Box<RawValue>>,
    /// The token of a membership that is to go on, or to end for a new one.
    token: Option<String>,
    /// End the membership whose token this is, and begin anew.
    #[serde(default)]
    fresh: Option<bool>,
    /// The client's own random word, at most 128 bytes: repeat it where the answer was lost.
    #[schema(min_length = 1, max_length = 128)]
    key: Option<String>,
}

/// `POST /rooms/{room}/peers`
pub(super) async fn join(
    doors: Data<Doors>,
    req: HttpRequest,
    InRoom(room): InRoom,
    body: Body<JOIN_BYTES>,
) -> Result<HttpResponse, Problem> {
    let joining = prepare(&doors, &Ask::of(&req), room, body.text()?)?;
    Ok(finish(&doors, joining).await?.into())
}

/// A join that may be.
pub(super) struct Joining {
    room: RoomId,
    join: Join,
    place: Taken,
    /// When the access runs out, in milliseconds since 1970.
    until: Option<u64>,
}

/// Understands a join, and counts it.
pub(super) fn prepare(
    doors: &Doors,
    ask: &Ask<'_>,
    room: RoomId,
    text: &str,
) -> Result<Joining, Problem> {
    let wish: Wish = object(text)?;
    let client = Client::of(ask, &doors.trust);
    doors.limits.join(client)?;
    let grant = granted_in(ask, doors, Right::Join, &room)?;
    let named = wish.peer.as_deref().map(PeerId::parse).transpose()?;
    let held = held(doors, ask, &room, named.as_ref(), wish.token.as_deref())?;
    let mut peer = named.or_else(|| held.as_ref().map(|caller| caller.peer.clone()));
    if let Some(grant) = &grant {
        peer = peer_of(grant, peer)?;
    }
    let assigned = peer.is_none();
    let peer = match peer {
        Some(peer) => peer,
        None => PeerId::parse(&Uuid::new_v4().to_string())?,
    };
    let join = Join {
        peer,
        epoch: Epoch(random::number()?),
        meta: wish
            .meta
            .as_deref()
            .map(|raw| meta(raw, doors.json_depth))
            .transpose()?,
        key: wish.key.as_deref().map(key).transpose()?,
        assigned,
        holds: held.map(|caller| caller.epoch),
        fresh: wish.fresh.unwrap_or_default(),
    };
    let present = doors.hub.is_present(&room, &join);
    let place = doors.limits.peer(client, present)?;
    let until = grant.map(|grant| grant.until_ms());
    Ok(Joining {
        room,
        join,
        place,
        until,
    })
}

/// Joins.
pub(super) async fn finish(doors: &Doors, joining: Joining) -> Result<Answer, Problem> {
    let Joining {
        room,
        join,
        place,
        until,
    } = joining;
    let joined = doors.hub.join(&room, join).await?;
    if joined.new
        && let Some(place) = place.into_place()
    {
        doors.hub.keep(&joined.caller, place);
    }
    answer(doors, &joined, until)
}

/// The peer that one joins as under an access token: the one that was chosen, if it may be, or else
/// the only one that the token names.
fn peer_of(grant: &Grant, chosen: Option<PeerId>) -> Result<Option<PeerId>, Problem> {
    if let Some(peer) = chosen {
        if grant.allows_peer(&peer) {
            return Ok(Some(peer));
        }
        let detail = "the access token does not grant joining as this peer";
        return Err(Problem::new(&problem::NOT_ALLOWED, detail));
    }
    match grant.peer() {
        Ok(only) => Ok(only.map(PeerId::parse).transpose()?),
        Err(SeveralPeers) => {
            let detail = "the access token is for several peers: say which one in the body's peer";
            Err(Problem::new(&problem::BAD_REQUEST, detail))
        }
    }
}

/// The incarnation whose token came with the join. What another secret signed holds nothing, and
/// what a header holds may be meant for somebody else: neither is a reason to refuse.
fn held(
    doors: &Doors,
    ask: &Ask<'_>,
    room: &RoomId,
    peer: Option<&PeerId>,
    in_body: Option<&str>,
) -> Result<Option<Caller>, Problem> {
    let in_header = bearer(ask).filter(|token| is_peer_token(token));
    let Some(token) = in_body.or(in_header) else {
        return Ok(None);
    };
    match doors.keys.verify_peer_token(token) {
        Ok(Bearer { caller, .. })
            if caller.room == *room && peer.is_none_or(|peer| *peer == caller.peer) =>
        {
            Ok(Some(caller))
        }
        Ok(_) if in_body.is_none() => Ok(None),
        Ok(_) => {
            let detail = "the token is for another peer or another room";
            Err(Problem::new(&problem::NOT_ALLOWED, detail))
        }
        Err(BadToken::UnknownKey) => Ok(None),
        Err(forged @ BadToken::Forged) => Err(forged.into()),
    }
}

fn key(text: &str) -> Result<Arc<str>, Problem> {
    if text.is_empty() || text.len() > KEY_BYTES {
        let detail = format!("a key is a random word of 1 to {KEY_BYTES} bytes");
        return Err(Problem::new(&problem::BAD_REQUEST, detail));
    }
    // It is compared with what others guess: of a digest nothing is learnt byte by byte.
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(text)).into())
}

fn answer(doors: &Doors, joined: &JoinedRoom, until: Option<u64>) -> Result<Answer, Problem> {
    let JoinedRoom {
        caller,
        new,
        order,
        cursor,
        peers,
    } = joined;
    let Caller {
        room,
        peer,
        epoch: _,
    } = caller;
    let bearer = Bearer {
        caller: caller.clone(),
        until,
    };
    let token = doors.keys.peer_token(&bearer);
    let ticket = first_ticket(doors, &bearer, *new, *cursor)?;
    let timings = doors.hub.timings();
    let json = format!(
        concat!(
            r#"{{"room":"{}","peer":"{}","order":{},"token":"{}","cursor":"{}","ticket":"{}","#,
            r#""peers":{},{},"heartbeat_ms":{},"grace_ms":{}{}}}"#,
        ),
        room,
        peer,
        order,
        token,
        cursor,
        ticket,
        peers_json(peers),
        ice_servers::members(doors, caller),
        timings.heartbeat.as_millis(),
        timings.grace.as_millis(),
        if doors.watched.is_on() {
            r#","reports":true"#
        } else {
            ""
        },
    );
    let status = if *new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Answer::new(status)
        .with("cache-control", "no-store")
        .with("content-type", "application/json")
        .body(json))
}

/// The ticket that comes with a join reads from the join's own cursor.
fn first_ticket(
    doors: &Doors,
    bearer: &Bearer,
    new: bool,
    cursor: Cursor,
) -> Result<String, Problem> {
    // Of a new incarnation nothing has been written: there is no position to present.
    let at = (!new && cursor.seq > 0).then_some(cursor);
    tickets::make(doors, bearer, at)
}
