//! What those who run the server look at, and what clients tell them.
#![expect(
    dead_code,
    reason = "they describe, field by field, what is written elsewhere"
)]

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::HttpMethod::{Get, Post};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, ContentBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::door::{Credential, Door, component, plain, text};
use super::events::fields;
use super::ids::Position;
use crate::http::problem::{
    BAD_CURSOR, BAD_ID, BAD_REQUEST, BAD_TOKEN, NOT_ALLOWED, OVERLOADED, RATE_LIMITED, UNKNOWN_PATH,
};
use crate::http::reports::Told;

const HISTORY: &str = "\
What has happened lately, from envelopes only: who joined and left and why, readers and how they \
began and ended, each signal by its type, refusals, sessions, and what clients report. SSE, or NDJSON \
with `Accept: application/x-ndjson`, or one answer with `wait`. The first event is `ready`; present \
the last `id` as `Last-Event-ID` to go on. Without one it begins with the oldest line that is kept \
(`--max-history`). Where the server has neither an operator's token nor access keys, there is \
nothing at this path.";

/// One line of the history, as a poll has it.
#[derive(ToSchema)]
#[schema(as = HistoryLine)]
pub(super) struct Line {
    #[schema(value_type = Position, required = false)]
    id: String,
    /// Like `joined`, `signal`, `session`.
    event: String,
    data: Value,
}

/// What a poll of the history is answered with.
#[derive(ToSchema)]
#[schema(as = HistoryPage)]
pub(super) struct Page {
    events: Vec<Line>,
    /// Where to go on.
    #[schema(value_type = Position)]
    cursor: String,
    /// There is more at once.
    more: bool,
}

/// One line of the history on a `text/event-stream`, as its fields.
pub(super) struct LineEvent;

impl ToSchema for LineEvent {
    fn name() -> Cow<'static, str> {
        "HistoryEvent".into()
    }
}

impl PartialSchema for LineEvent {
    fn schema() -> RefOr<Schema> {
        let event = text().description(Some("Like `joined`, `signal`, `session`."));
        let data = text()
            .content_media_type("application/json")
            .description(Some("The line's data: JSON on one line."));
        fields(event, data)
            .property("id", component::<Position>())
            .into()
    }
}

fn lines<T: ToSchema>() -> Content {
    let line = "id: 6f0f2bd5c9a3e714-7\nevent: joined\ndata: \
                {\"at\":1795960700000,\"room\":\"demo\",\"peer\":\"bob\",\"order\":1}\n\n";
    ContentBuilder::new()
        .schema(Some(component::<T>()))
        .description(Some(format!(
            "Each event of the stream, like\n```\n{line}```"
        )))
        .build()
}

fn history(path: &'static str, id: &'static str, summary: &'static str) -> Door {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(25));
    let told = "One answer, after so many seconds at the latest.";
    Door::new(Get, path, id, "operator", summary)
        .says(HISTORY)
        .takes(&[Credential::Operator, Credential::Access])
        .query("wait", seconds, told, Some(json!(0)))
        .query(
            "cursor",
            Position::schema(),
            "Where to go on, as `Last-Event-ID` would say it.",
            None,
        )
        .answers_json::<Page>(
            200,
            "What has happened.",
            json!({
                "events": [{
                    "id": "6f0f2bd5c9a3e714-7", "event": "joined",
                    "data": {"at": 1_795_960_700_000_u64, "room": "demo", "peer": "bob", "order": 1}
                }],
                "cursor": "6f0f2bd5c9a3e714-7", "more": false
            }),
        )
        .answers_as(
            200,
            "What has happened.",
            "text/event-stream",
            lines::<LineEvent>(),
        )
        .answers_as(
            200,
            "What has happened.",
            "application/x-ndjson",
            lines::<Line>(),
        )
        .refuses(&[
            &BAD_CURSOR,
            &BAD_REQUEST,
            &BAD_TOKEN,
            &NOT_ALLOWED,
            &UNKNOWN_PATH,
            &OVERLOADED,
        ])
}

pub(super) fn doors() -> Vec<Door> {
    let all = history("/history", "history", "See what happens on this server");
    let of_room = history(
        "/rooms/{room}/history",
        "roomHistory",
        "See what happens in a room",
    )
    .refuses(&[&BAD_ID]);
    let metrics = Door::new(
        Get,
        "/metrics",
        "metrics",
        "operator",
        "Figures for Prometheus",
    )
    .says(
        "In the text format 0.0.4. With an access token: one that is for all rooms. At the second \
         address (`--admin-listen`) without any.",
    )
    .takes(&[Credential::Operator, Credential::Access])
    .answers_as(
        200,
        "The figures.",
        "text/plain",
        plain("# TYPE switchboard_joins_total counter\nswitchboard_joins_total 7\n"),
    )
    .refuses(&[&BAD_TOKEN, &NOT_ALLOWED, &UNKNOWN_PATH]);
    let report = Door::new(
        Post,
        "/rooms/{room}/peers/{peer}/reports",
        "report",
        "peers",
        "Tell how a connection stands",
    )
    .says(
        "For who runs the server, not for other peers. Only where the answer to the join has \
         `reports` is anybody there to read it.",
    )
    .of_a_member()
    .json_body(
        component::<Told>(),
        true,
        "The state of ICE, and the way that the connection has taken.",
        &[(
            "connected",
            json!({"session": "s1", "ice": "connected", "way": "relay-tls"}),
        )],
    )
    .answers(204, "It is noted.")
    .refuses(&[&BAD_ID, &BAD_REQUEST, &RATE_LIMITED]);
    vec![all, of_room, metrics, report]
}
