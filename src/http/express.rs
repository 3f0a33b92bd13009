//! The usual requests, answered where they are read.
//!
//! A plain request of a peer comes to the same door as through the web server, on a shorter way. What
//! is not usual is left to the web server: other doors, other paths, and whatever would be refused for
//! how it is written. So each answer here has one twin there, with the same lines.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix_web::http::StatusCode;
use actix_web::http::header::ORIGIN;
use futures_util::FutureExt as _;

use super::ask::{Ask, Head, text};
use super::auth::{Member, Named, bearer, check_url};
use super::body;
use super::peers::{Leaving, TOKEN_BODY};
use super::places::Taken;
use super::problem::{self, Problem};
use super::query::Reading;
use super::request_id::{RequestId, X_REQUEST_ID, traceparent};
use super::stream::{self, Begun};
use super::token::is_peer_token;
use super::wrap::Readable;
use super::{Doors, join, poll, signals, wrap};
use crate::config::fixed::{JOIN_BYTES, REQUEST_BYTES};
use crate::proto::{Door, RoomId};
use crate::wire::{Admitted, Answer, Answers, Block, Lines, Outcome, Request};

/// The doors, for who reads requests by itself.
pub(crate) struct Express {
    doors: Arc<Doors>,
    /// Whether it answers at all.
    on: bool,
    origins: Arc<[String]>,
}

/// Where a plain path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place<'a> {
    Peers {
        room: &'a str,
    },
    Peer {
        room: &'a str,
        peer: &'a str,
        door: &'a str,
    },
}

impl Express {
    /// `origins` as the CORS rules have them.
    pub(crate) fn new(doors: Arc<Doors>, on: bool, origins: &[String]) -> Self {
        let origins = origins.into();
        Self { doors, on, origins }
    }

    fn find(&self, request: &Request<'_>, id: &RequestId) -> Result<Outcome, Problem> {
        let doors = &self.doors;
        let Some(place) = Place::of(request.path) else {
            return Ok(Outcome::Else);
        };
        let (room, peer) = match place {
            Place::Peers { room } => (room, ""),
            Place::Peer { room, peer, .. } => (room, peer),
        };
        let ask = Ask::plain(request, room, peer);
        if check_url(request.query, doors).is_err() {
            return Ok(Outcome::Else);
        }
        let Ok(text) = body::text(request.body) else {
            return Ok(Outcome::Else);
        };
        let most = match (request.method, place) {
            ("POST", Place::Peers { .. }) => JOIN_BYTES,
            (
                "POST",
                Place::Peer {
                    door: "signals", ..
                },
            ) => REQUEST_BYTES,
            ("POST", Place::Peer { door: "leave", .. }) => TOKEN_BODY,
            _ => 0,
        };
        if request.body.len() > most {
            return Ok(Outcome::Else);
        }
        match (request.method, place) {
            (
                "POST",
                Place::Peer {
                    door: "signals", ..
                },
            ) => {
                let Member(bearer) = Member::of(&ask, doors)?;
                let understood = signals::prepare(doors, &ask, &bearer.caller, Ok(text))?;
                let posted = signals::start(&doors.hub, &bearer.caller, understood)?;
                Ok(self.soon(ask.head, id, posted))
            }
            ("GET", Place::Peer { door: "events", .. }) => self.stream(&ask, Door::Events, id),
            (
                "GET",
                Place::Peer {
                    door: "notices", ..
                },
            ) => self.stream(&ask, Door::Notices, id),
            ("GET", Place::Peer { door: "poll", .. }) => {
                let reading = Reading::of(&ask, doors, Door::Events, false)?;
                self.poll(&ask, reading, id)
            }
            ("POST", Place::Peers { .. }) => {
                let room = RoomId::parse(room)?;
                let joining = join::prepare(doors, &ask, room, text)?;
                let doors = doors.clone();
                Ok(self.later(
                    ask.head,
                    id,
                    async move { join::finish(&doors, joining).await },
                ))
            }
            ("POST", Place::Peer { door: "leave", .. }) => {
                let named = Named::of(&ask)?;
                let leaving = Leaving::by_body(doors, &ask, &named, text)?;
                Ok(self.leave(&ask, leaving, id))
            }
            // Operators come by the web server.
            ("DELETE", Place::Peer { door: "", .. })
                if ask.query.is_empty() && shows_peer_token(&ask) =>
            {
                let leaving = Leaving::by_header(doors, &ask, None)?;
                Ok(self.leave(&ask, leaving, id))
            }
            ("POST", Place::Peer { door: "alive", .. }) => {
                let Member(bearer) = Member::of(&ask, doors)?;
                at_once(doors.hub.alive(&bearer.caller))??;
                let answer = Answer::new(StatusCode::NO_CONTENT);
                Ok(Outcome::Done(self.dress(ask.head, id, answer)))
            }
            _ => Ok(Outcome::Else),
        }
    }

    fn stream(&self, ask: &Ask<'_>, door: Door, id: &RequestId) -> Result<Outcome, Problem> {
        let reading = Reading::of(ask, &self.doors, door, true)?;
        if !reading.attach.transport.is_stream() {
            return self.poll(ask, reading, id);
        }
        let lines = |encoding| -> Lines {
            let lines = stream::lines(encoding).into_iter();
            let lines = lines.map(|(name, value)| (name, value.into()));
            lines
                .chain([(X_REQUEST_ID.as_str(), id.to_string().into())])
                .collect()
        };
        Ok(match at_once(stream::begin(&self.doors, reading))?? {
            Begun::Open(encoding, events) => {
                Outcome::Stream(lines(encoding), self.lines(ask.head), Box::new(events))
            }
            Begun::Short(encoding, bytes) => {
                let mut answer = Answer::new(StatusCode::OK).body(bytes);
                answer.lines = lines(encoding);
                answer.block = self.lines(ask.head);
                Outcome::Done(answer)
            }
            Begun::Over => {
                let answer = Answer::new(StatusCode::NO_CONTENT);
                Outcome::Done(self.dress(ask.head, id, answer))
            }
        })
    }

    fn poll(&self, ask: &Ask<'_>, reading: Reading, id: &RequestId) -> Result<Outcome, Problem> {
        let waiting = at_once(poll::begin(&self.doors, reading))??;
        Ok(self.later(ask.head, id, waiting.answer()))
    }

    fn leave(&self, ask: &Ask<'_>, leaving: Leaving, id: &RequestId) -> Outcome {
        let doors = self.doors.clone();
        self.later(ask.head, id, async move {
            leaving.finish(&doors.hub).await?;
            Ok(Answer::new(StatusCode::NO_CONTENT))
        })
    }

    /// What is done at once, as a rule.
    fn soon(
        &self,
        head: Head<'_>,
        id: &RequestId,
        mut work: impl Future<Output = Result<Answer, Problem>> + Send + Unpin + 'static,
    ) -> Outcome {
        match work.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(answer)) => Outcome::Done(self.dress(head, id, answer)),
            Poll::Ready(Err(problem)) => Outcome::Done(self.refuse(head, id, &problem)),
            // Whoever polls it next will be woken.
            Poll::Pending => self.later(head, id, work),
        }
    }

    fn later(
        &self,
        head: Head<'_>,
        id: &RequestId,
        work: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    ) -> Outcome {
        let (readable, id, doors) = (self.readable(head), id.clone(), self.doors.clone());
        Outcome::Later(Box::pin(work.map(move |told| {
            let answer = told.unwrap_or_else(|problem| {
                doors.refused(&problem, Some(&id));
                problem.to_answer()
            });
            dressed(answer, &id, wrap::lines(readable))
        })))
    }

    /// The lines that the web server adds to every answer to such a request.
    fn lines(&self, head: Head<'_>) -> Block {
        wrap::lines(self.readable(head))
    }

    /// By whom the answer may be read.
    fn readable(&self, head: Head<'_>) -> Option<Readable> {
        let origin = head.first(&ORIGIN).and_then(text)?;
        wrap::readable(&self.origins, origin)
    }

    fn dress(&self, head: Head<'_>, id: &RequestId, answer: Answer) -> Answer {
        dressed(answer, id, self.lines(head))
    }

    fn refuse(&self, head: Head<'_>, id: &RequestId, problem: &Problem) -> Answer {
        self.doors.refused(problem, Some(id));
        self.dress(head, id, problem.to_answer())
    }
}

fn panicked() -> Problem {
    let detail = "try again; the server's log says more";
    Problem::new(&problem::INTERNAL, detail)
}

/// What nothing has to be waited for: there is no other node that would have to agree.
fn at_once<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
    let done = work.now_or_never();
    done.ok_or_else(|| {
        Problem::new(
            &problem::INTERNAL,
            "try again; this took longer than it may",
        )
    })
}

fn dressed(mut answer: Answer, id: &RequestId, block: Block) -> Answer {
    answer.block = block;
    answer.with(X_REQUEST_ID.as_str(), id.to_string())
}

fn shows_peer_token(ask: &Ask<'_>) -> bool {
    bearer(ask).is_some_and(is_peer_token)
}

impl Answers for Express {
    fn admit(&self, sender: SocketAddr) -> Option<Admitted> {
        let counted = self.doors.connected(sender.ip())?;
        Some(counted.and_then(Taken::into_place))
    }

    fn answer(&self, request: &Request<'_>) -> Outcome {
        // What other nodes have to agree to takes its time.
        if !self.on || self.doors.hub.is_shared() {
            return Outcome::Else;
        }
        let head = Head::Wire(request.lines);
        let id = &RequestId::of(head);
        if request.method == "OPTIONS" {
            let answer = wrap::preflight(&self.origins, head);
            let named = |answer: Answer| answer.with(X_REQUEST_ID.as_str(), id.to_string());
            return answer.map_or(Outcome::Else, |answer| Outcome::Done(named(answer)));
        }
        let span = tracing::debug_span!("request", %id, method = request.method);
        crate::log::follow(&span, traceparent(head));
        let _entered = span.enter();
        // A panic is the end of this request, and of no other.
        let found = catch_unwind(AssertUnwindSafe(|| self.find(request, id)));
        let Ok(found) = found else {
            return Outcome::Done(self.refuse(head, id, &panicked()));
        };
        found.unwrap_or_else(|problem| Outcome::Done(self.refuse(head, id, &problem)))
    }

    fn failed(&self) -> Answer {
        self.doors.refused(&panicked(), None);
        panicked().to_answer()
    }
}

impl<'a> Place<'a> {
    /// Where a path leads that needs no decoding.
    fn of(path: &'a str) -> Option<Self> {
        let plain = |b: u8| {
            let apart = matches!(b, b'.' | b'_' | b'~' | b'-' | b'/');
            b.is_ascii_alphanumeric() | apart
        };
        // All are looked at, many at once.
        if !path.bytes().fold(true, |all, b| all & plain(b)) {
            return None;
        }
        let mut rest = Some(path.strip_prefix("/rooms/")?);
        let mut parts = std::iter::from_fn(|| {
            let part = rest?;
            let end = part.bytes().position(|b| b == b'/');
            rest = end.map(|end| &part[end + 1..]);
            Some(end.map_or(part, |end| &part[..end]))
        });
        let (room, peers) = (parts.next()?, parts.next()?);
        let (peer, door, more) = (parts.next(), parts.next(), parts.next());
        match (peer, door, more) {
            _ if peers != "peers" || room.is_empty() => None,
            (None, ..) => Some(Self::Peers { room }),
            (Some(""), ..) | (_, Some(""), _) | (.., Some(_)) => None,
            (Some(peer), door, None) => Some(Self::Peer {
                room,
                peer,
                door: door.unwrap_or_default(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_of_rooms_lead_anywhere() {
        let peer = |door| {
            let (room, peer) = ("demo", "a.b~c_d-1");
            Some(Place::Peer { room, peer, door })
        };
        for (path, place) in [
            ("/rooms/demo/peers", Some(Place::Peers { room: "demo" })),
            ("/rooms/demo/peers/a.b~c_d-1", peer("")),
            ("/rooms/demo/peers/a.b~c_d-1/events", peer("events")),
            ("/rooms/demo/peers/", None),
            ("/rooms/demo/peers/a/", None),
            ("/rooms/demo/peers//events", None),
            ("/rooms//peers", None),
            ("/rooms/demo/peers/a/sessions/b", None),
            ("/rooms/de%6Do/peers", None),
            ("/rooms/demo", None),
            ("/rooms", None),
            ("/", None),
        ] {
            assert_eq!(Place::of(path), place, "{path}");
        }
    }
}
