//! The ICE servers that peers are told of: with a join, when they ask, and before credentials run out.

use std::fmt;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest as _, Sha256};

use super::ask::Ask;
use super::auth::bearer;
use super::problem::{self, Problem};
use super::token::is_peer_token;
use super::{Doors, random};
use crate::access::Right;
use crate::hub::{Caller, Opening};
use crate::ice::IceServers;
use crate::proto::{Epoch, Frame, RoomId};

/// `GET /ice-servers`
pub(super) async fn ice_servers(
    doors: Data<Doors>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let token = bearer(&Ask::of(&req)).ok_or_else(|| {
        let detail = "join a room first, and send the token of the answer";
        Problem::new(&problem::BAD_TOKEN, detail)
    })?;
    let members = if is_peer_token(token) || !doors.access.is_on() {
        let bearer = doors.keys.verify_peer_token(token)?;
        bearer.check(&doors)?;
        doors.hub.sync(&bearer.caller.room).await?;
        doors.hub.check(&bearer.caller)?;
        members(&doors, &bearer.caller)
    } else {
        if !doors.access.verify(token)?.has(Right::Join) {
            let detail = "the access token does not grant joining";
            return Err(Problem::new(&problem::NOT_ALLOWED, detail));
        }
        let nobody = Id(Epoch(random::number()?));
        doors.ice.members(None, nobody, doors.hub.calendar())
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(format!("{{{members}}}")))
}

/// What a peer is told, as members of a JSON object.
pub(super) fn members(doors: &Doors, caller: &Caller) -> String {
    let (room, id) = (caller.room.as_str(), Id(caller.epoch));
    doors.ice.members(Some(room), id, doors.hub.calendar())
}

/// What stands for an incarnation in the user names of its credentials, which travel in clear text: from
/// it nobody learns the incarnation's own number, which is half of its cursors.
struct Id(Epoch);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = Sha256::new_with_prefix("ice ").chain_update(self.0.0.to_be_bytes());
        let digest = digest.finalize();
        let half: [u8; 8] = std::array::from_fn(|place| digest[place]);
        write!(f, "{:016x}", u64::from_be_bytes(half))
    }
}

/// The credentials of a stream's peer, which is told of new ones before they run out.
pub(super) struct Renewal {
    ice: Arc<IceServers>,
    room: RoomId,
    epoch: Epoch,
    /// When the next are due, in milliseconds since 1970, and after how long those that follow.
    due: u64,
    every: u64,
}

impl Renewal {
    /// Those of a peer whose stream opens; none where there are none. As far as is known here it has
    /// those of its join.
    pub(super) fn begin(doors: &Doors, caller: &Caller, opening: &Opening) -> Option<Box<Self>> {
        let every = doors.ice.renewed_after()?;
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let age = u64::try_from(opening.age.as_millis()).unwrap_or(u64::MAX);
        Some(Box::new(Self {
            ice: doors.ice.clone(),
            room: caller.room.clone(),
            epoch: caller.epoch,
            due: doors.hub.calendar() + every.saturating_sub(age),
            every,
        }))
    }

    /// The event that is due, if one is.
    pub(super) fn poll(&mut self, now: u64) -> Option<Frame> {
        if now < self.due {
            return None;
        }
        self.due = now + self.every;
        let members = self
            .ice
            .members(Some(self.room.as_str()), Id(self.epoch), now);
        Some(Frame::new("ice-servers", &format!("{{{members}}}")))
    }
}
