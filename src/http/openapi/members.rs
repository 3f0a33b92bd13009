//! A peer in its room: what it says about itself, that it is alive, and that it leaves.

use serde_json::{Value, json};
use utoipa::openapi::HttpMethod::{Delete, Patch, Post};
use utoipa::{PartialSchema as _, openapi::HttpMethod};

use super::door::{Credential, Door, plain};
use super::ids::words;
use super::rooms::detail;
use crate::http::problem::{BAD_ID, BAD_JSON, BAD_REQUEST, BAD_TOKEN, NOT_ALLOWED, RATE_LIMITED};
use crate::proto::lease::CLOSING;

fn leaving() -> String {
    let seconds = CLOSING.as_secs();
    format!(
        "The body is the peer token itself, as `navigator.sendBeacon` can send it, under any \
         Content-Type. `204` also where the membership has ended before.\n\n\
         With `if=closed` the page may be about to close: where its reader is lost within \
         {seconds} s, the peer has left after `--away-after` instead of being away. Whatever it \
         asks for next takes that back. A `detail` does not go with it."
    )
}

fn meta(method: HttpMethod, path: &'static str, id: &'static str) -> Door {
    Door::new(method, path, id, "peers", "Replace a peer's meta")
        .says("The others are told by `peer-updated`.")
        .of_a_member()
        .json_body(
            Value::schema(),
            true,
            "The new meta: any JSON, at most 4 KiB.",
            &[("meta", json!({"name": "Alice"}))],
        )
        .answers(204, "It is replaced.")
        .refuses(&[&BAD_REQUEST, &RATE_LIMITED])
}

pub(super) fn doors() -> Vec<Door> {
    let patch = meta(Patch, "/rooms/{room}/peers/{peer}", "setMeta");
    let post = meta(Post, "/rooms/{room}/peers/{peer}/meta", "postMeta");
    let delete = Door::new(
        Delete,
        "/rooms/{room}/peers/{peer}",
        "delete",
        "peers",
        "Leave, or kick a peer",
    )
    .says(
        "With the peer's own token it leaves (`left`); with an operator's, it is removed \
         (`kicked`). `204` also where the membership has ended before.",
    )
    .takes(&[Credential::Peer, Credential::Operator, Credential::Access])
    .answers(204, "The peer is not in the room any more.")
    .refuses(&[&BAD_ID, &BAD_REQUEST, &BAD_TOKEN, &NOT_ALLOWED]);
    let leave = Door::new(
        Post,
        "/rooms/{room}/peers/{peer}/leave",
        "leave",
        "peers",
        "Leave as a page goes away",
    )
    .says(&leaving())
    .query(
        "if",
        words(["closed"]),
        "Leave once the reader is lost, not now.",
        None,
    )
    .body("text/plain", plain("sp1.…"), true, "The peer token.")
    .answers(204, "It has left, or will.")
    .refuses(&[&BAD_ID, &BAD_JSON, &BAD_REQUEST, &BAD_TOKEN, &NOT_ALLOWED]);
    let alive = Door::new(
        Post,
        "/rooms/{room}/peers/{peer}/alive",
        "alive",
        "peers",
        "Prove to be alive",
    )
    .says(
        "Who has once asked for this must make some request every 90 s from then on, or its \
         readers end, reason `silent`: behind some proxies a connection stays open although \
         nobody is there.",
    )
    .of_a_member()
    .answers(204, "Heard.");
    vec![patch, post, detail(delete), detail(leave), alive]
}
