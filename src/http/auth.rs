//! Who asks: bearer tokens (RFC 6750) in the header, and nowhere else.

use std::future::{Ready, ready};

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Query};
use actix_web::{FromRequest, HttpRequest, dev};

use super::Doors;
use super::ask::Ask;
use super::problem::{self, Problem};
use super::token::{Bearer, is_peer_token, is_same_secret, is_ticket};
use crate::access::{Grant, Right, is_jwt};
use crate::hub::Caller;
use crate::proto::{PeerId, RoomId, SessionId};

/// Query names under which people put credentials that would then stand in proxies' logs, beside all
/// that end in "token".
const LEAKY: &[&str] = &["auth", "authorization", "bearer", "jwt"];

/// The room of the path.
pub(super) struct InRoom(pub(super) RoomId);

/// The room and the peer of the path.
pub(super) struct Named {
    pub(super) room: RoomId,
    pub(super) peer: PeerId,
}

/// The peer of the path, which showed its token while its access was good.
pub(super) struct Peer(pub(super) Caller);

/// The same, and when its access runs out.
pub(super) struct Member(pub(super) Bearer);

impl FromRequest for InRoom {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(room(&Ask::of(req)).map(InRoom))
    }
}

impl FromRequest for Named {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(&Ask::of(req)))
    }
}

impl FromRequest for Peer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let member = doors(req).and_then(|doors| Member::of(&Ask::of(req), doors));
        ready(member.map(|Member(bearer)| Self(bearer.caller)))
    }
}

impl FromRequest for Member {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(doors(req).and_then(|doors| Self::of(&Ask::of(req), doors)))
    }
}

impl Named {
    pub(super) fn of(ask: &Ask<'_>) -> Result<Self, Problem> {
        let peer = PeerId::parse(ask.peer())?;
        Ok(Self {
            room: room(ask)?,
            peer,
        })
    }

    /// The caller that a verified credential names, if that is who the path names.
    pub(super) fn is(&self, caller: Caller) -> Result<Caller, Problem> {
        if caller.room == self.room && caller.peer == self.peer {
            return Ok(caller);
        }
        Err(another())
    }
}

fn another() -> Problem {
    let detail = "the token is for another peer or another room";
    Problem::new(&problem::NOT_ALLOWED, detail)
}

impl Member {
    pub(super) fn of(ask: &Ask<'_>, doors: &Doors) -> Result<Self, Problem> {
        let bearer = Self::once(ask, doors)?;
        bearer.check(doors)?;
        Ok(Self(bearer))
    }

    /// Whoever's token it is, its access may have run out: to leave needs none.
    pub(super) fn once(ask: &Ask<'_>, doors: &Doors) -> Result<Bearer, Problem> {
        PeerId::check(ask.peer())?;
        RoomId::check(ask.room())?;
        let token = bearer(ask).ok_or_else(|| {
            let detail = "send the token of the join answer: Authorization: Bearer TOKEN";
            Problem::new(&problem::BAD_TOKEN, detail)
        })?;
        let bearer = doors.keys.verify_peer_token(token)?;
        let Caller { room, peer, .. } = &bearer.caller;
        if room.as_str() != ask.room() || peer.as_str() != ask.peer() {
            return Err(another());
        }
        Ok(bearer)
    }
}

impl Bearer {
    /// Checks that the access is still good.
    ///
    /// # Errors
    /// `bad-token` with the reason `expired`.
    pub(super) fn check(&self, doors: &Doors) -> Result<(), Problem> {
        let now = || doors.hub.calendar();
        if self.until.is_some_and(|until| until <= now()) {
            return Err(Problem::expired());
        }
        Ok(())
    }
}

/// The session of the path.
pub(super) fn session(req: &HttpRequest) -> Result<SessionId, Problem> {
    Ok(SessionId::parse(req.match_info().query("session"))?)
}

fn room(ask: &Ask<'_>) -> Result<RoomId, Problem> {
    Ok(RoomId::parse(ask.room())?)
}

/// The doors of this server.
pub(super) fn doors(req: &HttpRequest) -> Result<&Data<Doors>, Problem> {
    req.app_data()
        .ok_or_else(|| Problem::new(&problem::INTERNAL, "try again later"))
}

/// Refuses URLs with credentials in them: a name that says so, or a value that is a token of ours, an
/// operator's, or anybody's JWT. Only a ticket may stand in a URL, under its own name.
pub(super) fn check_url(query: &str, doors: &Doors) -> Result<(), Problem> {
    if query.is_empty() {
        return Ok(());
    }
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map(Query::into_inner).unwrap_or_default();
    let operator = doors.operator_token.as_deref();
    let is_token = |word: &str| {
        is_peer_token(word)
            || is_jwt(word)
            || operator.is_some_and(|operator| is_same_secret(word, operator))
    };
    let leaks = |(name, value): &(String, String)| {
        // As a header has them there may be a scheme before it.
        is_leaky(name)
            || is_token(name)
            || is_token(value)
            || value.split_ascii_whitespace().any(is_token)
            || (is_ticket(value) && name != "ticket")
    };
    if pairs.iter().any(leaks) {
        let detail = "no tokens in URLs, where proxies log them: \
                      send Authorization: Bearer TOKEN, or POST to tickets for a stream";
        return Err(Problem::new(&problem::BAD_TOKEN, detail));
    }
    Ok(())
}

/// Whether a query's name is one for credentials, however it is written: `accessToken`, `id-token`.
fn is_leaky(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = letters.collect::<String>().to_ascii_lowercase();
    LEAKY.contains(&plain.as_str()) || plain.ends_with("token")
}

/// The bearer token of the header, where there is one.
pub(super) fn bearer<'a>(ask: &Ask<'a>) -> Option<&'a str> {
    let text = ask.head.text(&AUTHORIZATION, "")?;
    // Other schemes are for proxies on the way.
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What the request may do by its access token; none where the server is open.
///
/// # Errors
/// `bad-token` where there is no access token, or one that is not taken.
pub(super) fn granted(ask: &Ask<'_>, doors: &Doors) -> Result<Option<Grant>, Problem> {
    if !doors.access.is_on() {
        return Ok(None);
    }
    let shown = bearer(ask).filter(|token| !is_peer_token(token));
    let token = shown.ok_or_else(|| {
        let detail = "this server asks for an access token: Authorization: Bearer JWT";
        Problem::new(&problem::BAD_TOKEN, detail)
    })?;
    Ok(Some(doors.access.verify(token)?))
}

/// The same, where it allows `right` in `room`. Whether there is such a room makes no difference.
///
/// # Errors
/// `bad-token`, or `not-allowed` where the access token is good for something else.
pub(super) fn granted_in(
    ask: &Ask<'_>,
    doors: &Doors,
    right: Right,
    room: &RoomId,
) -> Result<Option<Grant>, Problem> {
    let grant = granted(ask, doors)?;
    match &grant {
        Some(grant) if !grant.allows(right, room) => {
            let detail = "the access token does not grant that in this room";
            Err(Problem::new(&problem::NOT_ALLOWED, detail))
        }
        _ => Ok(grant),
    }
}

/// Who may list, close and remove.
pub(super) enum Operator {
    /// Everywhere: it showed the operator's token.
    Everywhere,
    /// In the rooms of an access token.
    By(Grant),
}

impl Operator {
    /// The operator that a request comes from, if it comes from one. Whoever shows a peer token is none.
    ///
    /// # Errors
    /// `bad-token` where it shows an access token that is not taken, `not-allowed` where it shows one
    /// that grants other rights.
    pub(super) fn of(ask: &Ask<'_>, doors: &Doors) -> Result<Option<Self>, Problem> {
        let Some(shown) = bearer(ask).filter(|token| !is_peer_token(token)) else {
            return Ok(None);
        };
        if let Some(expected) = &doors.operator_token
            && is_same_secret(shown, expected)
        {
            return Ok(Some(Self::Everywhere));
        }
        match granted(ask, doors)? {
            Some(grant) if !grant.has(Right::Operate) => {
                let detail = "the access token does not grant the right to operate";
                Err(Problem::new(&problem::NOT_ALLOWED, detail))
            }
            grant => Ok(grant.map(Self::By)),
        }
    }

    /// When the access runs out, in milliseconds since 1970, if it does.
    pub(super) fn until(&self) -> Option<u64> {
        match self {
            Self::Everywhere => None,
            Self::By(grant) => Some(grant.until_ms()),
        }
    }

    /// Whether it operates `room`.
    pub(super) fn operates(&self, room: &RoomId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::By(grant) => grant.allows(Right::Operate, room),
        }
    }
}
