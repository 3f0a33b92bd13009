//! Rooms: join, see who is there, and what an operator may do.

use serde_json::json;
use utoipa::openapi::HttpMethod::{Delete, Get, Post};

use super::answers::{IceServers, Membership, Peers, Rooms};
use super::door::{Credential, Door, component, text};
use crate::http::join::Wish;
use crate::http::problem::{
    BAD_ID, BAD_REQUEST, BAD_TOKEN, DRAINING, ENDED, NOT_ALLOWED, OVERLOADED, PEER_EXISTS,
    RATE_LIMITED, ROOM_FULL, UNKNOWN_PATH, UNKNOWN_ROOM,
};

const JOIN: &str = "\
A room begins with its first peer. The answer holds everything that a peer needs: the token for \
all that follows, the others, ICE servers, and where to begin reading.

A peer id that is present needs its `token` (in the body, or as the bearer token), or the `key` \
that it joined with: then it is the same membership again, `200`. With `fresh` the older one ends \
and a new one begins. An empty body joins under an id that the server makes.

Where the server has access keys, the bearer token is an access token with the right `join`; \
otherwise anybody may join.";

const LIST: &str = "\
A room that does not exist is one without peers. Where the server has access keys, this needs an \
access token with the right `list`, or a peer token of the room; otherwise anybody may ask. A peer \
that shows its own token gives a sign of life.";

/// What a member may do next.
const NEXT: [&str; 11] = [
    "setMeta",
    "postMeta",
    "send",
    "events",
    "poll",
    "postPoll",
    "notices",
    "sessions",
    "alive",
    "issueTicket",
    "leave",
];

/// How the end of a membership or a room may be commented on.
pub(super) fn detail(door: Door) -> Door {
    let bounded = text().max_length(Some(256));
    let told = "Told to the readers that this ends, with their `end`; at most 256 bytes.";
    door.query("detail", bounded, told, Some("it is late".into()))
}

pub(super) fn doors() -> Vec<Door> {
    let path = "/rooms/{room}/peers";
    let joined = json!({
        "room": "demo", "peer": "alice", "order": 1, "token": "sp1.…",
        "cursor": "6f0f2bd5c9a3e714-0", "ticket": "st1.…",
        "peers": [{"peer": "bob", "meta": {"name": "Bob"}, "state": "live", "order": 0}],
        "iceServers": [{"urls": ["stun:stun.example.org:3478"]}], "ttl": 3600,
        "heartbeat_ms": 15000, "grace_ms": 30000
    });
    let join = Door::new(Post, path, "join", "rooms", "Join a room")
        .says(JOIN)
        .takes(&[Credential::None, Credential::Access, Credential::Peer])
        .json_body(
            component::<Wish>(),
            false,
            "What the peer wants; all of it may be left out. At most 16 KiB.",
            &[
                ("named", json!({"peer": "alice", "meta": {"name": "Alice"}})),
                (
                    "repeatable",
                    json!({"key": "a random word of the client's own"}),
                ),
            ],
        )
        .answers_json::<Membership>(201, "A new membership.", joined.clone())
        .answers_json::<Membership>(200, "The same membership again.", joined)
        .leads_to(201, &["room"], &["list", "closeRoom"])
        .leads_to(201, &["room", "peer"], &NEXT)
        .leads_to(200, &["room", "peer"], &["poll", "send", "delete"])
        .refuses(&[
            &BAD_ID,
            &BAD_REQUEST,
            &BAD_TOKEN,
            &NOT_ALLOWED,
            &PEER_EXISTS,
            &ROOM_FULL,
            &ENDED,
            &RATE_LIMITED,
            &OVERLOADED,
            &DRAINING,
        ]);
    let present = json!({"peers": [
        {"peer": "bob", "meta": {}, "state": "live", "order": 0, "joined_ms_ago": 5120}
    ]});
    let list = Door::new(Get, path, "list", "rooms", "See who is in a room")
        .says(LIST)
        .takes(&[Credential::None, Credential::Access, Credential::Peer])
        .answers_json::<Peers>(200, "Who is there.", present)
        .refuses(&[&BAD_ID, &BAD_TOKEN, &NOT_ALLOWED, &ENDED]);
    let ice = Door::new(
        Get,
        "/ice-servers",
        "iceServers",
        "rooms",
        "Get fresh ICE servers",
    )
    .says(
        "The same list as a join brings, for a call that goes on beyond its `ttl`. Streams of \
         events are told of a new one by themselves, as `ice-servers`, after four fifths of it.",
    )
    .takes(&[Credential::Peer, Credential::Access])
    .answers_json::<IceServers>(
        200,
        "The servers.",
        json!({
            "iceServers": [{
                "urls": ["turn:turn.example.org:3478?transport=udp"],
                "username": "1795955000:9f2c61d08be4a357", "credential": "…",
            }],
            "ttl": 3600, "expires_at": "2026-11-29T12:23:20Z",
            "username": "1795955000:9f2c61d08be4a357", "password": "…",
            "uris": ["turn:turn.example.org:3478?transport=udp"],
        }),
    )
    .refuses(&[&BAD_TOKEN, &NOT_ALLOWED, &ENDED]);
    let operators = &[Credential::Operator, Credential::Access];
    let rooms = Door::new(Get, "/rooms", "rooms", "operator", "List the rooms")
        .says(
            "With an access token: those that it may `operate`. Where the server has neither an \
             operator's token nor access keys, there is nothing at this path.",
        )
        .takes(operators)
        .answers_json::<Rooms>(
            200,
            "The rooms that have peers, by name.",
            json!({"rooms": [{"room": "demo", "peers": 2}]}),
        )
        .refuses(&[&BAD_TOKEN, &NOT_ALLOWED, &UNKNOWN_PATH]);
    let close = Door::new(
        Delete,
        "/rooms/{room}",
        "closeRoom",
        "operator",
        "Close a room",
    )
    .says("Every membership in it ends, reason `room-closed`.")
    .takes(operators)
    .answers(204, "It is closed.")
    .refuses(&[
        &BAD_ID,
        &BAD_REQUEST,
        &BAD_TOKEN,
        &NOT_ALLOWED,
        &UNKNOWN_PATH,
        &UNKNOWN_ROOM,
    ]);
    vec![join, list, ice, rooms, detail(close)]
}
