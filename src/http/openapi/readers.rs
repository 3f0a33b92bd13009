//! Reading: streams, polls, notices, tickets, and what became of sessions.

use serde_json::{Value, json};
use utoipa::openapi::HttpMethod::{Get, Post};
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder};

use super::answers::{NewTicket, Polled, Session, Sessions};
use super::door::{Credential, Door, component, text};
use super::events::{Event, StreamEvent};
use super::ids::{Id, Position};
use crate::http::problem::{
    BAD_CURSOR, BAD_ID, BAD_REQUEST, BAD_TOKEN, DRAINING, ENDED, NOT_ALLOWED, OVERLOADED,
    UNKNOWN_SESSION,
};
use crate::http::{query, tickets};

const EVENTS: &str = "\
SSE, or NDJSON with `Accept: application/x-ndjson`: one `Event` a line. The first event is `ready`, \
a `ping` follows 300 ms later and then at every heartbeat, the last one is `end` with a reason. \
Present the last `id` as `Last-Event-ID` to go on where you stood: nothing is lost or repeated \
within 180 s.

A browser's EventSource, which can set no header, shows a ticket. A newer reader ends the older, \
reason `replaced`. A passing refusal is a short `200` stream with `retry` and `end`, because an \
EventSource gives up for good on anything else.";

const POLL: &str = "\
One complete answer, at the same cursor as the streams: at once where there is something to tell, \
else after `wait` seconds. Ask again with the answer's `cursor`, which acknowledges what came. A \
poll may be repeated, and answers the same.";

const NOTICES: &str = "\
The same mailbox with everything but ends filtered out, and an acknowledgement of its own: for a \
peer that has dropped its busy stream and still wants to know when the other side has gone. It \
streams; with `wait` it is one poll.";

/// A cursor, which streams take as it comes: one that cannot be read is told of as a gap.
const CURSOR: &str = "Where to go on, as `Last-Event-ID` would say it. Not with a ticket, which \
                      carries its own. Also taken as `last_event_id` and `lastEventId`.";

fn door(method: HttpMethod, path: &'static str, id: &'static str, summary: &'static str) -> Door {
    Door::new(method, path, id, "reading", summary)
}

fn seconds() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(25))
}

fn count() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(1000))
}

fn last_event_id(door: Door, lenient: bool) -> Door {
    let schema = if lenient {
        text()
    } else {
        text().pattern(Some("^([0-9a-f]{16}-(0|[1-9][0-9]{0,18}))?$"))
    };
    door.header(
        "Last-Event-ID",
        schema,
        "The cursor to go on from. It comes before the one in the URL.",
    )
}

fn streams(door: Door) -> Door {
    let lines =
        "retry: 2000\nid: 6f0f2bd5c9a3e714-0\nevent: ready\ndata: {\"room\":\"demo\",…}\n\n";
    let sse = ContentBuilder::new()
        .schema(Some(component::<StreamEvent>()))
        .description(Some(format!(
            "Each event of the stream. It begins like\n```\n{lines}```"
        )))
        .build();
    let ndjson = Content::new(Some(component::<Event>()));
    last_event_id(door, true)
        .takes(&[Credential::Peer, Credential::Ticket])
        .query("cursor", text(), CURSOR, None)
        .query(
            "pad",
            text(),
            "`1`: 2 KiB of comment first, for gateways that hold back a small first write.",
            None,
        )
        .query(
            "clock",
            text(),
            "`1`: `ready` and every `ping` say when they were written.",
            None,
        )
        .answers_as(200, "The stream.", "text/event-stream", sse)
        .answers_as(200, "The stream.", "application/x-ndjson", ndjson)
        .answers(204, "The membership has ended: an EventSource stops here.")
        .refuses(&[&BAD_TOKEN, &NOT_ALLOWED, &ENDED, &BAD_ID, &BAD_REQUEST])
}

fn polled() -> Value {
    json!({
        "events": [{
            "id": "6f0f2bd5c9a3e714-3", "event": "signal",
            "data": {"from": "bob", "type": "answer", "session": "s1", "data": {"sdp": "v=0"}}
        }],
        "cursor": "6f0f2bd5c9a3e714-3", "more": false, "retry_ms": 0
    })
}

fn polls(door: Door) -> Door {
    door.of_a_member()
        .query(
            "wait",
            seconds(),
            "How long to wait, in seconds; 25 where nothing is said.",
            Some(json!(0.2)),
        )
        .query(
            "max",
            count(),
            "How many events at most; 100 where nothing is said.",
            Some(json!(10)),
        )
        .answers_json::<Polled>(200, "What there is to tell.", polled())
        .refuses(&[&BAD_CURSOR, &BAD_REQUEST, &OVERLOADED, &DRAINING])
}

pub(super) fn doors() -> Vec<Door> {
    let cursor = || component::<Position>();
    let events = door(
        Get,
        "/rooms/{room}/peers/{peer}/events",
        "events",
        "Read the events as a stream",
    )
    .says(EVENTS);
    let path = "/rooms/{room}/peers/{peer}/poll";
    let poll = polls(door(Get, path, "poll", "Read the events by long-poll").says(POLL)).query(
        "cursor",
        cursor(),
        "Where to go on.",
        None,
    );
    let posted = polls(door(Post, path, "postPoll", "Read the events by long-poll, posted"))
        .says("For paths that drop `Last-Event-ID` or keep answers to a GET. What the body says comes before header and query.")
        .query("cursor", cursor(), "Where to go on.", None)
        .json_body(
            component::<query::Posted>(),
            false,
            "What the query would say; all of it may be left out. At most 1 KiB.",
            &[("at once", json!({"wait": 0, "max": 10}))],
        );
    let notices = streams(
        door(
            Get,
            "/rooms/{room}/peers/{peer}/notices",
            "notices",
            "Read the ends alone",
        )
        .says(NOTICES),
    )
    .query(
        "session",
        component::<Id>(),
        "The end of this session alone.",
        None,
    )
    .query(
        "wait",
        seconds(),
        "Makes it a poll, of so many seconds.",
        None,
    )
    .query("max", count(), "Of a poll: how many events at most.", None)
    .answers_json::<Polled>(200, "The stream, or the poll's answer.", polled())
    .refuses(&[&BAD_CURSOR, &OVERLOADED, &DRAINING]);
    let ticket = door(
        Post,
        "/rooms/{room}/peers/{peer}/tickets",
        "issueTicket",
        "Get a ticket for a stream",
    )
    .says("Good for one stream within 60 s, and for an hour for the EventSource's own reconnects.")
    .of_a_member()
    .json_body(
        component::<tickets::Asked>(),
        false,
        "Where the stream is to begin. At most 1 KiB.",
        &[("at the beginning", json!({}))],
    )
    .answers_json::<NewTicket>(201, "The ticket.", json!({"ticket": "st1.…"}))
    .refuses(&[&BAD_CURSOR, &BAD_REQUEST]);
    let session = json!({"session": "s1", "peer": "bob", "state": "ended", "reason": "hangup", "ended_ms_ago": 1250});
    let sessions = door(
        Get,
        "/rooms/{room}/peers/{peer}/sessions",
        "sessions",
        "See one's sessions",
    )
    .of_a_member()
    .answers_json::<Sessions>(
        200,
        "Open ones, and those that ended within 10 minutes.",
        json!({"sessions": [session]}),
    );
    let one = door(
        Get,
        "/rooms/{room}/peers/{peer}/sessions/{session}",
        "session",
        "See what became of a session",
    )
    .of_a_member()
    .answers_json::<Session>(200, "The session.", session)
    .refuses(&[&UNKNOWN_SESSION]);
    vec![
        streams(events),
        last_event_id(poll, false),
        last_event_id(posted, false),
        notices,
        ticket,
        sessions,
        one,
    ]
}
