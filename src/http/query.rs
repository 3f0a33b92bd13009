//! What readers say about themselves beside their credential: cursor, ticket, wait.

use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::web::Query;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Doors;
use super::accept;
use super::ask::Ask;
use super::auth::{Member, Named, bearer};
use super::client::Client;
use super::openapi::Position;
use super::problem::{self, Problem};
use super::token::{Bearer, Ticket};
use crate::config::fixed::POLL_EVENTS;
use crate::hub::{Attach, Caller};
use crate::proto::{Cursor, Door, SessionId, Transport};

/// How long a poll is held at most, and unless it says otherwise.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// How many events a poll's answer holds unless it says otherwise.
const USUAL_MAX: usize = 100;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The query of a reader; unknown names are ignored.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    cursor: Option<String>,
    last_event_id: Option<String>,
    #[serde(rename = "lastEventId")]
    last_event_id_camel: Option<String>,
    ticket: Option<String>,
    wait: Option<String>,
    max: Option<String>,
    pad: Option<String>,
    clock: Option<String>,
    session: Option<String>,
}

/// What a poll by POST says of itself in its body, where neither logs nor proxies look.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct Posted {
    /// Where to go on.
    #[schema(value_type = Option<Position>)]
    cursor: Option<String>,
    /// How long to wait, in seconds.
    #[schema(minimum = 0, maximum = 25)]
    wait: Option<f64>,
    /// How many events at most.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    max: Option<f64>,
}

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `text/event-stream`.
    Sse,
    /// `application/x-ndjson`.
    Ndjson,
}

/// A reader's request, understood.
pub(super) struct Reading {
    pub(super) caller: Caller,
    /// Whose the connection is.
    pub(super) client: Client,
    pub(super) attach: Attach,
    pub(super) encoding: Encoding,
    pub(super) padded: bool,
    /// Whether `ready` and `ping` carry the server's clock.
    pub(super) clocked: bool,
    pub(super) wait: Option<Duration>,
    pub(super) max: usize,
}

impl Reading {
    /// Reads a request at `door`. Tickets open streams only.
    pub(super) fn of(
        ask: &Ask<'_>,
        doors: &Doors,
        door: Door,
        takes_ticket: bool,
    ) -> Result<Self, Problem> {
        let query = Query::<Asked>::from_query(ask.query);
        let asked = query
            .map_err(|_| bad("the query cannot be read"))?
            .into_inner();
        let stream = takes_ticket && (door == Door::Events || asked.wait.is_none());
        let (bearer, ticket) = credential(ask, doors, asked.ticket.as_deref(), stream)?;
        let Bearer { caller, until } = &bearer;
        let left =
            until.map(|until| Duration::from_millis(until.saturating_sub(doors.hub.calendar())));
        let heard = ticket.is_none() && left != Some(Duration::ZERO);
        match Self::understand(ask, doors, (door, stream), asked, caller, ticket) {
            Ok(mut reading) => {
                reading.attach.left = left;
                Ok(reading)
            }
            Err(problem) => Err(doors.refuse_of(caller, heard, problem)),
        }
    }

    /// What this request is told where it is refused for another reason than its credential.
    pub(super) fn refuse(&self, doors: &Doors, problem: Problem) -> Problem {
        doors.refuse_of(&self.caller, self.is_heard(), problem)
    }

    /// Whether the credential alone is a sign of life: not a ticket, nor access that has run out.
    pub(super) fn is_heard(&self) -> bool {
        self.attach.ticket.is_none() && self.attach.left != Some(Duration::ZERO)
    }

    fn understand(
        ask: &Ask<'_>,
        doors: &Doors,
        (door, stream): (Door, bool),
        asked: Asked,
        caller: &Caller,
        ticket: Option<Ticket>,
    ) -> Result<Self, Problem> {
        let only = asked.session.as_deref().map(SessionId::parse).transpose()?;
        let wait = asked.wait.as_deref().map(wait).transpose()?;
        let max = asked.max.as_deref().map_or(Ok(USUAL_MAX), max)?;
        // What is no text is no cursor either.
        let header = ask.head.text(&LAST_EVENT_ID, "-");
        let header = header.filter(|id| !id.is_empty());
        let shown = asked
            .cursor
            .or(asked.last_event_id)
            .or(asked.last_event_id_camel);
        if ticket.is_some() && shown.is_some() {
            return Err(bad(
                "a ticket carries its cursor: leave the cursor out of the URL",
            ));
        }
        let (ticket, carried) = match ticket {
            Some(Ticket { id, cursor, .. }) => (Some((id, doors.hub.calendar())), cursor),
            None => (None, None),
        };
        let cursor = match header.or(shown.as_deref()) {
            Some(text) => Some(Cursor::parse(text)),
            None => carried.map(Ok),
        };
        let ndjson = accept::names(ask.head, "application/x-ndjson");
        let encoding = if ndjson {
            Encoding::Ndjson
        } else {
            Encoding::Sse
        };
        let attach = Attach {
            door,
            only,
            cursor,
            reconnect: header.is_some(),
            cursor_shown: shown.is_some(),
            ticket,
            transport: match (stream, encoding) {
                (false, _) => Transport::Poll,
                (true, Encoding::Sse) => Transport::Sse,
                (true, Encoding::Ndjson) => Transport::Ndjson,
            },
            left: None,
            place: None,
        };
        let padded = asked.pad.as_deref() == Some("1");
        let clocked = asked.clock.as_deref() == Some("1");
        let caller = caller.clone();
        let client = Client::of(ask, &doors.trust);
        Ok(Self {
            caller,
            client,
            attach,
            encoding,
            padded,
            clocked,
            wait,
            max,
        })
    }

    /// Takes over what the body says, which comes before header and query.
    pub(super) fn follow(&mut self, posted: &Posted) -> Result<(), Problem> {
        if let Some(cursor) = &posted.cursor {
            self.attach.cursor = Some(Cursor::parse(cursor));
        }
        if let Some(seconds) = posted.wait {
            self.wait = Some(span(seconds)?);
        }
        if let Some(most) = posted.max {
            // To JSON, 10 and 10.0 are the same number.
            if most.fract() != 0.0 {
                return Err(bad_max());
            }
            // What lies beyond the type becomes its greatest or least, which is refused.
            self.max = within(most as usize)?;
        }
        Ok(())
    }

    /// How long a poll is held.
    pub(super) fn hold(&self) -> Duration {
        self.wait.unwrap_or(LONGEST_WAIT)
    }
}

/// The ticket that a request shows.
pub(super) fn ticket_of(ask: &Ask<'_>) -> Option<String> {
    let asked = Query::<Asked>::from_query(ask.query).ok()?;
    asked.into_inner().ticket
}

fn credential(
    ask: &Ask<'_>,
    doors: &Doors,
    ticket: Option<&str>,
    takes_ticket: bool,
) -> Result<(Bearer, Option<Ticket>), Problem> {
    match ticket {
        Some(ticket) if bearer(ask).is_none() => {
            if !takes_ticket {
                let detail = "a ticket opens streams only: send Authorization: Bearer TOKEN";
                return Err(Problem::new(&problem::BAD_TOKEN, detail));
            }
            let named = Named::of(ask)?;
            let ticket = doors.keys.verify_ticket(ticket)?;
            named.is(ticket.bearer.caller.clone())?;
            Ok((ticket.bearer.clone(), Some(ticket)))
        }
        _ => Ok((Member::once(ask, doors)?, None)),
    }
}

fn wait(text: &str) -> Result<Duration, Problem> {
    span(text.parse().map_err(|_| bad_wait())?)
}

pub(super) fn span(seconds: f64) -> Result<Duration, Problem> {
    let span = Duration::try_from_secs_f64(seconds).map_err(|_| bad_wait())?;
    if span > LONGEST_WAIT {
        Err(bad_wait())
    } else {
        Ok(span)
    }
}

fn max(text: &str) -> Result<usize, Problem> {
    within(text.parse().map_err(|_| bad_max())?)
}

fn within(most: usize) -> Result<usize, Problem> {
    if (1..=POLL_EVENTS).contains(&most) {
        Ok(most)
    } else {
        Err(bad_max())
    }
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(&problem::BAD_REQUEST, detail)
}

pub(super) fn bad_wait() -> Problem {
    bad("wait is 0 to 25 seconds")
}

fn bad_max() -> Problem {
    bad("max is 1 to 1000 events")
}
