//! What belongs to no room: pages, health, and what shows how usable the path is.

use serde_json::json;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::HttpMethod::{Delete, Get, Patch, Post};
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::door::{Door, component, plain, text};
use super::events::TickEvent;
use crate::http::check::Arrived;
use crate::http::problem::{BAD_JSON, BAD_REQUEST, DRAINING, OVERLOADED, UNKNOWN_PATH};

const PROBE: &str = "\
A stream of ticks at even distances, each with its send time: where they arrive together, the path \
buffers. All of them come within 120 s; two with a long gap show whether the path cuts idle \
connections.";

fn page(id: &'static str, path: &'static str, summary: &'static str) -> Door {
    Door::new(Get, path, id, "service", summary)
        .and_head()
        .answers_as(200, "The page.", "text/html", plain("<!doctype html>…"))
        .answers(304, "As `If-None-Match` knows it.")
}

fn health(id: &'static str, path: &'static str, summary: &'static str) -> Door {
    Door::new(Get, path, id, "service", summary)
        .and_head()
        .answers_as(200, "It is.", "text/plain", plain("ok\n"))
}

fn echo(method: HttpMethod, id: &'static str) -> Door {
    let arrived = json!({
        "method": "GET", "version": "HTTP/1.1", "via": "", "forwarded": [],
        "authorization": "missing", "last_event_id": "missing", "body_bytes": 0,
        "time_ms": 1_767_225_600_000_u64
    });
    let any = ContentBuilder::new().schema(Some(text())).build();
    let takes_body = method != HttpMethod::Get && method != HttpMethod::Delete;
    let door = Door::new(
        method,
        "/check/request",
        id,
        "path",
        "See what arrives of a request",
    )
    .says(
        "The headers `Authorization: Bearer switchboard-check` and `Last-Event-ID: \
             switchboard-check`, which are no secrets, are `kept`, `changed` or `missing`.",
    )
    .header("Last-Event-ID", text(), "`switchboard-check`.")
    .answers_json::<Arrived>(200, "What arrived.", arrived)
    .refuses(&[&BAD_JSON]);
    if takes_body {
        door.body("text/plain", any, false, "Anything, at most 4 KiB.")
    } else {
        door.refuses(&[
            &crate::http::problem::TOO_LARGE,
            &crate::http::problem::TOO_SLOW,
        ])
    }
}

pub(super) fn doors() -> Vec<Door> {
    let number = |least: i32, most: i64| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(least))
            .maximum(Some(most as f64))
    };
    let tick = "event: tick\ndata: {\"n\":0,\"of\":8,\"sent_ms\":1767225600000}\n\n";
    let ticks = ContentBuilder::new()
        .schema(Some(component::<TickEvent>()))
        .description(Some(format!(
            "Each event of the stream, like\n```\n{tick}```"
        )))
        .build();
    let probe = Door::new(
        Get,
        "/probe",
        "probe",
        "path",
        "See whether streams come through",
    )
    .says(PROBE)
    .query(
        "ticks",
        number(1, 100),
        "How many; 8 where nothing is said.",
        Some(json!(2)),
    )
    .query(
        "gap",
        number(50, u32::MAX.into()),
        "How far apart, in milliseconds; 250 where nothing is said.",
        Some(json!(50)),
    )
    .answers_as(200, "The stream.", "text/event-stream", ticks)
    .refuses(&[&BAD_REQUEST, &OVERLOADED]);
    let websocket = Door::new(
        Get,
        "/check/websocket",
        "checkWebSocket",
        "path",
        "Open a WebSocket, for comparison",
    )
    .says(
        "It says one message of at most 64 bytes back and closes, after 10 s in any case. \
             Signaling never uses it.",
    )
    .answers(101, "The handshake's answer (RFC 6455).")
    .refuses(&[&BAD_REQUEST, &OVERLOADED]);
    let demo = page("demo", "/", "The demo page, or commands to paste")
        .says("HTML where `Accept` names `text/html`, else plain text, as curl gets it.")
        .answers_as(
            200,
            "The page.",
            "text/plain",
            plain("Switchboard: WebRTC signaling…"),
        );
    let problem = Door::new(
        Get,
        "/problems/{slug}",
        "problem",
        "service",
        "Read what a problem means",
    )
    .and_head()
    .says("Where the `type` of a problem leads.")
    .answers_as(
        200,
        "What it means.",
        "text/plain",
        plain("ended: This peer's membership has ended (status 410)"),
    )
    .refuses(&[&UNKNOWN_PATH]);
    let document = ContentBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Object)))
        .build();
    let openapi = Door::new(Get, "/openapi.json", "openapi", "service", "This document")
        .and_head()
        .answers_as(200, "OpenAPI 3.1.", "application/json", document);
    vec![
        demo,
        page("checkPage", "/check", "The page that checks the path"),
        page("consolePage", "/console", "The operators' page"),
        probe,
        echo(Get, "checkRequest"),
        echo(Post, "checkPost"),
        echo(Patch, "checkPatch"),
        echo(Delete, "checkDelete"),
        websocket,
        problem,
        health("livez", "/livez", "Is the process up?"),
        health("readyz", "/readyz", "Does it take new peers?").refuses(&[&DRAINING]),
        openapi,
    ]
}
