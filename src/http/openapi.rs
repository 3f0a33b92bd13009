//! `GET /openapi.json`: what every door takes and answers, for tools (OpenAPI 3.1).
//!
//! The document is said door by door, one noun a file. Problems, reasons and ids come from where they
//! are defined; tests below hold it against the route table, and tests/contract against a server.

mod answers;
mod door;
mod events;
mod ids;
mod members;
mod readers;
mod rooms;
mod service;
mod signals;
mod watching;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use utoipa::openapi::path::{PathItem, Paths};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
};

use self::door::{Credential, Door};
pub(super) use self::ids::{Id, Kinds, Position};
use super::{check, join, query, reports, tickets};

const DESCRIPTION: &str = "\
WebRTC signaling over plain HTTP: signals go up by `POST`; they come down by EventSource (SSE), \
NDJSON or long-poll. No WebSocket is needed.

1. `join` a room. The answer holds a `token`, the bearer credential for all that follows.
2. Read: `events` (or `poll`) from the answer's `cursor`. Keep the last `id`; present it to go on.
3. `send` signals: `offer`, `answer`, `candidate`, `bye`, or words of your own.
4. `leave`.

Ids are 1 to 64 of `A-Z a-z 0-9 . _ ~ -`. Unknown fields and unknown names in a query are ignored; \
do the same with what you are answered. A body is JSON under any Content-Type, so that a page of \
another origin needs no preflight. Credentials stand in the `Authorization` header, never in a URL, \
but for tickets.

What is refused is an `application/problem+json` (RFC 9457) whose `type` says why; `detail` says \
what to do. A path that takes other methods answers `405` (`wrong-method`) with `Allow`; one that \
does not exist `404` (`unknown-path`). A request whose head is no HTTP, too large or too slow gets \
a bare 400, 431 or 408.

The whole protocol, in the words that a client's author needs, is docs/protocol.md; `GET /` with \
curl prints commands to paste; the browser client is at `/client/switchboard.js`.";

/// What the operations are grouped by.
const TAGS: [(&str, &str); 7] = [
    ("rooms", "Join, and see who is there"),
    ("peers", "What a peer says about itself, and how it leaves"),
    ("signals", "What peers send each other"),
    ("reading", "Streams, polls, and what became of sessions"),
    ("operator", "For who runs the server"),
    (
        "path",
        "What the way to the server does to requests and streams",
    ),
    ("service", "Pages, health, this document"),
];

/// The document as JSON, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // Texts, numbers and lists of them always are JSON.
    document().to_json().unwrap_or_default()
});

/// `GET /openapi.json`
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(DOCUMENT.as_str())
}

fn document() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"));
    let info = InfoBuilder::new()
        .title("Switchboard")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license.build()));
    let tags = TAGS.map(|(name, text)| {
        let tag = TagBuilder::new().name(name).description(Some(text));
        tag.build()
    });
    let mut paths = Paths::new();
    for door in doors() {
        let item = paths.paths.entry(door.path.to_owned()).or_default();
        for method in &door.methods {
            let operation = door.operation(method);
            item.merge_operations(PathItem::new(method.clone(), operation));
        }
    }
    OpenApiBuilder::new()
        .info(info.build())
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components()))
        .build()
}

fn doors() -> Vec<Door> {
    [
        rooms::doors(),
        members::doors(),
        signals::doors(),
        readers::doors(),
        watching::doors(),
        service::doors(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn components() -> Components {
    let mut schemas = Vec::new();
    events::add::<ids::Id>(&mut schemas);
    events::add::<ids::Kinds>(&mut schemas);
    events::add::<ids::Position>(&mut schemas);
    events::add::<ids::Why>(&mut schemas);
    events::add::<ids::Again>(&mut schemas);
    events::add::<answers::State>(&mut schemas);
    events::add::<answers::ProblemType>(&mut schemas);
    events::add::<answers::Problem>(&mut schemas);
    events::add::<answers::Membership>(&mut schemas);
    events::add::<answers::Peers>(&mut schemas);
    events::add::<answers::IceServers>(&mut schemas);
    events::add::<answers::Receipts>(&mut schemas);
    events::add::<answers::Polled>(&mut schemas);
    events::add::<answers::Sessions>(&mut schemas);
    events::add::<answers::NewTicket>(&mut schemas);
    events::add::<answers::Rooms>(&mut schemas);
    events::add::<watching::Line>(&mut schemas);
    events::add::<watching::LineEvent>(&mut schemas);
    events::add::<watching::Page>(&mut schemas);
    events::add::<reports::Told>(&mut schemas);
    events::add::<events::Event>(&mut schemas);
    events::add::<events::StreamEvent>(&mut schemas);
    events::add::<events::TickEvent>(&mut schemas);
    events::add::<signals::Signal>(&mut schemas);
    events::add::<join::Wish>(&mut schemas);
    events::add::<query::Posted>(&mut schemas);
    events::add::<tickets::Asked>(&mut schemas);
    events::add::<check::Arrived>(&mut schemas);
    let components = ComponentsBuilder::new().schemas_from_iter(schemas);
    let schemes = [
        (
            Credential::Peer,
            bearer(
                "sp1.…",
                "The `token` of a join answer: good for that peer in that room.",
            ),
        ),
        (
            Credential::Access,
            bearer(
                "JWT",
                "A token of the application's own (RFC 7519), where the server has access keys: \
                 which `room` and `peer`, with which `rights` of `join`, `list`, `operate`.",
            ),
        ),
        (
            Credential::Operator,
            bearer("text", "The token that the server was started with."),
        ),
        (
            Credential::Ticket,
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
                "ticket",
                "For a browser's EventSource, which can set no header: opens streams only, once.",
            ))),
        ),
    ];
    let named = schemes.into_iter();
    let named = named.filter_map(|(credential, scheme)| Some((credential.name()?, scheme)));
    named
        .fold(components, |components, (name, scheme)| {
            components.security_scheme(name, scheme)
        })
        .build()
}

fn bearer(format: &str, text: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    SecurityScheme::Http(scheme.bearer_format(format).description(Some(text)).build())
}

#[cfg(test)]
mod tests;
