//! Refusals on the wire (RFC 9457): the only place that knows both our errors and HTTP.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::token::BadToken;
use crate::access::BadAccess;
use crate::hub::{Refused, TicketRefused};
use crate::proto::{BadCursor, BadId, Reason, Refusal};
use crate::wire::Answer;

/// A sort of refusal: its stable name, status and title.
#[derive(Debug, PartialEq, Eq)]
pub struct Slug {
    /// The last part of the problem's `type`, `/problems/NAME`.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The problem's `title`.
    pub title: &'static str,
}

macro_rules! slugs {
    ($($const:ident $name:literal $status:literal $title:literal;)*) => {
        $(#[doc = $title] pub const $const: Slug =
            Slug { name: $name, status: $status, title: $title };)*
        /// Every sort of refusal.
        pub const SLUGS: &[&Slug] = &[$(&$const),*];
    };
}

slugs! {
    BAD_JSON "bad-json" 400 "The body is not JSON";
    BAD_CURSOR "bad-cursor" 400 "The cursor cannot be read";
    BAD_TOKEN "bad-token" 401 "The credential is missing or wrong";
    NOT_ALLOWED "not-allowed" 403 "The credential is good for something else";
    UNKNOWN_ROOM "unknown-room" 404 "There is no such room";
    UNKNOWN_PEER "unknown-peer" 404 "There is no such peer in the room";
    UNKNOWN_SESSION "unknown-session" 404 "There is no such session";
    UNKNOWN_PATH "unknown-path" 404 "There is nothing at this path";
    WRONG_METHOD "wrong-method" 405 "The path does not take this method";
    TOO_SLOW "too-slow" 408 "The request did not come in time";
    PEER_EXISTS "peer-exists" 409 "A peer of that id is in the room";
    ROOM_FULL "room-full" 409 "The room is full";
    SESSION_TAKEN "session-taken" 409 "The session id is in use with another peer";
    PEER_LEFT "peer-left" 410 "The peer has left";
    SESSION_OVER "session-over" 410 "The session is over";
    ENDED "ended" 410 "This peer's membership has ended";
    TOO_LARGE "too-large" 413 "The request is too large";
    BAD_ID "bad-id" 422 "The id cannot be used";
    BAD_SIGNAL "bad-signal" 422 "The signal cannot be sent";
    BAD_REQUEST "bad-request" 422 "The request cannot be understood";
    IDEMPOTENCY_CONFLICT "idempotency-conflict" 422 "The id was used for another signal";
    MAILBOX_FULL "mailbox-full" 429 "The peer's mailbox is full";
    RATE_LIMITED "rate-limited" 429 "Too many requests";
    INTERNAL "internal" 500 "The server failed";
    DRAINING "draining" 503 "The server is going away";
    OVERLOADED "overloaded" 503 "The server has as much to do as it may";
    STORE_UNAVAILABLE "store-unavailable" 503 "The store of the rooms does not answer";
}

/// A refusal of one request: what was wrong and what to do.
#[derive(Clone, Debug)]
pub struct Problem {
    slug: &'static Slug,
    detail: Cow<'static, str>,
    reason: Option<Reason>,
    /// In seconds.
    retry_after: Option<u32>,
    limit: Option<&'static str>,
    allow: Option<&'static str>,
}

impl Problem {
    /// A refusal of the sort `slug`; `detail` says what to do.
    pub fn new(slug: &'static Slug, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self {
            slug,
            detail,
            reason: None,
            retry_after: None,
            limit: None,
            allow: None,
        }
    }

    fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The bound that was reached, where waiting alone does not help.
    fn at_limit(mut self, limit: &'static str) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The path knows other methods, those in `allow`.
    pub fn wrong_method(allow: &'static str) -> Self {
        let detail = format!("use one of: {allow}");
        Self {
            allow: Some(allow),
            ..Self::new(&WRONG_METHOD, detail)
        }
    }

    /// The membership that the credential names is over.
    pub fn ended(reason: Reason) -> Self {
        let detail = if reason == Reason::Unknown {
            "the server knows nothing of this membership: join again"
        } else if reason == Reason::Rejoined {
            "the same peer id joined afresh: use the newer token"
        } else {
            "join again to come back"
        };
        Self::new(&ENDED, detail).because(reason)
    }

    /// The access that the credential was given under has run out.
    pub(super) fn expired() -> Self {
        let detail = "the access has run out: join again with a new access token in the header \
                      and this token in the body";
        Self::new(&BAD_TOKEN, detail).because(Reason::Expired)
    }

    /// The name of this sort of refusal.
    pub fn name(&self) -> &'static str {
        self.slug.name
    }

    /// The problem as JSON.
    pub fn to_json(&self) -> String {
        let members = Members {
            kind: format!("/problems/{}", self.slug.name),
            title: self.slug.title,
            status: self.slug.status,
            detail: &self.detail,
            reason: self.reason.map(Reason::as_str),
            retry_after: self.retry_after,
            limit: self.limit,
        };
        // Texts and numbers always are JSON.
        serde_json::to_string(&members).unwrap_or_default()
    }

    /// The answer that tells it.
    pub(super) fn to_answer(&self) -> Answer {
        let mut answer = Answer::new(self.status_code())
            .with("cache-control", "no-store")
            .with("content-type", "application/problem+json");
        if let Some(seconds) = self.retry_after {
            answer = answer.with("retry-after", seconds.to_string());
        }
        if let Some(allow) = self.allow {
            answer = answer.with("allow", allow);
        }
        if self.slug == &BAD_TOKEN {
            answer = answer.with("www-authenticate", "Bearer");
        }
        answer.body(self.to_json())
    }
}

/// The members of a problem, in the order of RFC 9457.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// In seconds, as the header of that name; a refusal inside an answer has no header.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.slug.name, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.slug.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.to_answer().into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(reason) => Self::ended(reason),
            Refusal::PeerExists => Self::new(
                &PEER_EXISTS,
                "choose another id, or show this peer's token (with \"fresh\":true to start anew)",
            ),
            Refusal::RoomFull => Self::new(&ROOM_FULL, "wait until somebody leaves"),
            Refusal::UnknownPeer => {
                Self::new(&UNKNOWN_PEER, "GET the room's peers to see who is there")
            }
            Refusal::PeerLeft(reason) => {
                Self::new(&PEER_LEFT, "stop sending to this peer").because(reason)
            }
            Refusal::ToSelf => Self::new(&BAD_SIGNAL, "\"to\" must name another peer"),
            Refusal::SessionTaken => Self::new(
                &SESSION_TAKEN,
                "one of the two has an open session of that id with another peer: choose another id",
            ),
            Refusal::SessionOver(reason) => {
                Self::new(&SESSION_OVER, "start anew with an offer in another session")
                    .because(reason)
            }
            Refusal::UnknownSession => {
                Self::new(&UNKNOWN_SESSION, "GET your sessions to see which there are")
            }
            Refusal::TooManySessions => {
                Self::new(&RATE_LIMITED, "too many open sessions: end one with a bye")
                    .retry_after(1)
                    .at_limit("sessions")
            }
            Refusal::MailboxFull => {
                Self::new(&MAILBOX_FULL, "the peer is not reading: send again later").retry_after(1)
            }
            Refusal::Crowded => Self::new(
                &OVERLOADED,
                "all mailboxes together are full, and the peer's holds its share: try again later",
            )
            .retry_after(5),
            Refusal::IdempotencyConflict => Self::new(
                &IDEMPOTENCY_CONFLICT,
                "an id stands for one signal for 5 minutes: give this signal another",
            ),
        }
    }
}

/// The name of a refusal's problem.
pub(crate) fn refusal_name(refusal: Refusal) -> &'static str {
    Problem::from(refusal).name()
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Room(refusal) => refusal.into(),
            Refused::TooManyRooms => {
                Self::new(&OVERLOADED, "too many rooms: try again later").retry_after(5)
            }
            Refused::TooManyPeers => {
                Self::new(&OVERLOADED, "too many peers: try again later").retry_after(5)
            }
            Refused::TooManyReaders => {
                Self::new(&OVERLOADED, "too many readers: try again later").retry_after(5)
            }
            Refused::TooManyReadersHere => Self::new(
                &OVERLOADED,
                "too many readers from this address: try again later",
            )
            .retry_after(5),
            Refused::Draining => Self::new(&DRAINING, "try again at once").retry_after(1),
            Refused::Expired => Self::expired(),
            Refused::Unavailable => Self::new(
                &STORE_UNAVAILABLE,
                "the same again later, with the same id: it may have been done, and is not done twice",
            )
            .retry_after(1),
            Refused::Ticket(TicketRefused::Late) => Self::new(
                &BAD_TOKEN,
                "the ticket is too old: POST to tickets for a new one",
            ),
            Refused::Ticket(TicketRefused::Spent | TicketRefused::Replaced) => Self::new(
                &BAD_TOKEN,
                "the ticket was used before: POST to tickets for a new one",
            ),
        }
    }
}

impl From<BadToken> for Problem {
    fn from(bad: BadToken) -> Self {
        match bad {
            BadToken::Forged => Self::new(&BAD_TOKEN, "the token is not one of this server's"),
            BadToken::UnknownKey => Self::ended(Reason::Unknown),
        }
    }
}

impl From<BadAccess> for Problem {
    fn from(bad: BadAccess) -> Self {
        let expired = bad == BadAccess::Expired;
        let problem = Self::new(&BAD_TOKEN, bad.to_string());
        if expired {
            problem.because(Reason::Expired)
        } else {
            problem
        }
    }
}

impl From<BadId> for Problem {
    fn from(bad: BadId) -> Self {
        Self::new(&BAD_ID, bad.to_string())
    }
}

impl From<BadCursor> for Problem {
    fn from(bad: BadCursor) -> Self {
        Self::new(&BAD_CURSOR, bad.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let mut names: Vec<_> = SLUGS.iter().map(|slug| slug.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SLUGS.len());
        assert!(SLUGS.iter().all(|slug| (400..600).contains(&slug.status)));
    }

    #[test]
    fn a_problem_says_what_why_and_what_to_do() {
        let json = Problem::from(Refusal::PeerLeft(Reason::Timeout)).to_json();
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["type"], "/problems/peer-left");
        assert_eq!(json["status"], 410);
        assert_eq!(json["reason"], "timeout");
        assert!(json["detail"].is_string() && json["title"].is_string());
    }
}
