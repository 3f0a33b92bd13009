//! What the answers hold. These types are never made: the doors write their JSON themselves, and
//! tests/contract holds it against what is said here.
#![expect(
    dead_code,
    reason = "they describe, field by field, what is written elsewhere"
)]

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::events::Event;
use super::ids::{Id, Position, Why, words};
use crate::http::problem::SLUGS;
use crate::proto::Presence;

/// Whether a peer is reached at once.
pub(super) struct State;

impl ToSchema for State {}

impl PartialSchema for State {
    fn schema() -> RefOr<Schema> {
        let all = [Presence::Live, Presence::Queued, Presence::Away];
        let mut schema = words(all.map(Presence::as_str));
        let text = "`live`: a reader of its events is open. `queued`: none is now. `away`: it gave \
                    no sign of life for a while, and its grace is running. What is sent is kept in \
                    all three.";
        schema.description = Some(text.into());
        RefOr::T(schema.into())
    }
}

/// The `type` of a problem.
pub(super) struct ProblemType;

impl ToSchema for ProblemType {}

impl PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        let mut schema = words(SLUGS.iter().map(|slug| format!("/problems/{}", slug.name)));
        schema.description = Some("Stable: this is what to branch on. GET it to read it.".into());
        RefOr::T(schema.into())
    }
}

/// A refusal (RFC 9457).
#[derive(ToSchema)]
#[schema(example = json!({
    "type": "/problems/ended", "title": "This peer's membership has ended", "status": 410,
    "detail": "join again to come back", "reason": "timeout"
}))]
pub(super) struct Problem {
    #[schema(rename = "type")]
    #[schema(value_type = ProblemType)]
    kind: String,
    /// What sort of refusal it is, in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What to do.
    detail: String,
    /// Why the membership or the session ended, or why the credential is not taken.
    #[schema(value_type = Why, required = false)]
    reason: String,
    /// In how many seconds to ask again, as the header `Retry-After`.
    #[schema(required = false)]
    retry_after: u32,
    /// The bound that was reached, where waiting alone does not help.
    #[schema(required = false, pattern = "^sessions$")]
    limit: String,
}

/// Everything that a peer needs.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Membership {
    #[schema(value_type = Id)]
    room: String,
    #[schema(value_type = Id)]
    peer: String,
    /// Its place in the order of joins: of two peers the one with the lower order offers.
    order: u64,
    /// The credential for all that follows. It stands in no log and no URL.
    #[schema(pattern = r"^sp1\.")]
    token: String,
    /// Where reading begins.
    #[schema(value_type = Position)]
    cursor: String,
    /// For a first EventSource, within 60 s.
    #[schema(pattern = r"^st1\.")]
    ticket: String,
    /// The others.
    peers: Vec<Peer>,
    ice_servers: Vec<IceServer>,
    /// For how long the ICE servers may be used, in seconds.
    ttl: u32,
    /// When the credential runs out (RFC 3339); an open relay goes on. None without a TURN server.
    #[schema(required = false, rename = "expires_at", format = DateTime)]
    expires_at: String,
    /// The credential for the TURN servers once more, as older clients take it.
    #[schema(required = false)]
    username: String,
    #[schema(required = false)]
    password: String,
    #[schema(required = false)]
    uris: Vec<String>,
    /// Said in rooms whose peers talk through relays alone, as `RTCPeerConnection` takes it.
    #[schema(required = false, pattern = "^relay$")]
    ice_transport_policy: String,
    /// The longest silence on a stream, in milliseconds.
    #[schema(rename = "heartbeat_ms")]
    heartbeat_ms: u64,
    /// How long after a lost connection the membership ends, in milliseconds.
    #[schema(rename = "grace_ms")]
    grace_ms: u64,
    /// Those who run the server want to be told how connections stand.
    #[schema(required = false)]
    reports: bool,
}

/// A peer as the others see it.
#[derive(ToSchema)]
pub(super) struct Peer {
    #[schema(value_type = Id)]
    peer: String,
    /// What it says about itself.
    meta: Value,
    #[schema(value_type = State)]
    state: String,
    /// Its place in the order of joins.
    order: u64,
}

/// The same, in a list of who is there.
#[derive(ToSchema)]
pub(super) struct PeerInList {
    #[schema(value_type = Id)]
    peer: String,
    /// What it says about itself.
    meta: Value,
    #[schema(value_type = State)]
    state: String,
    /// Its place in the order of joins.
    order: u64,
    /// How long it has been here, in milliseconds.
    joined_ms_ago: u64,
}

/// Who is in a room, in the order of joins.
#[derive(ToSchema)]
pub(super) struct Peers {
    peers: Vec<PeerInList>,
}

/// A server as `RTCPeerConnection` takes it.
#[derive(ToSchema)]
pub(super) struct IceServer {
    urls: Vec<String>,
    /// Of a TURN server: `EXPIRY:ID`, the time in seconds since 1970.
    #[schema(required = false)]
    username: String,
    #[schema(required = false)]
    credential: String,
}

/// The list for an `RTCPeerConnection`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct IceServers {
    ice_servers: Vec<IceServer>,
    /// For how long they may be used, in seconds.
    ttl: u32,
    /// When the credential runs out (RFC 3339); an open relay goes on. None without a TURN server.
    #[schema(required = false, rename = "expires_at", format = DateTime)]
    expires_at: String,
    /// The credential for the TURN servers once more, as older clients take it.
    #[schema(required = false)]
    username: String,
    #[schema(required = false)]
    password: String,
    #[schema(required = false)]
    uris: Vec<String>,
    /// Said in rooms whose peers talk through relays alone, as `RTCPeerConnection` takes it.
    #[schema(required = false, pattern = "^relay$")]
    ice_transport_policy: String,
}

/// What became of a send. A `202` is a promise: what it lists will be delivered, or the loss told.
#[derive(ToSchema)]
pub(super) struct Receipts {
    /// One for each accepted signal, in order.
    results: Vec<Receipt>,
    #[schema(required = false)]
    refused: RefusedSignal,
}

/// What became of one accepted signal.
#[derive(ToSchema)]
pub(super) struct Receipt {
    #[schema(value_type = Id, required = false)]
    id: String,
    /// The signal's session, also where the server made its id.
    #[schema(value_type = Id, required = false)]
    session: String,
    to: Vec<Recipient>,
    /// There where this is a repeat: nothing was delivered again.
    #[schema(required = false)]
    duplicate: bool,
}

/// One recipient, as it was when the signal was accepted.
#[derive(ToSchema)]
pub(super) struct Recipient {
    #[schema(value_type = Id)]
    peer: String,
    #[schema(value_type = State)]
    state: String,
    /// Of a broadcast: `mailbox-full`, it was left out.
    #[schema(required = false, pattern = "^mailbox-full$")]
    refused: String,
}

/// The first signal of an array that was not accepted. Those behind it were not looked at.
#[derive(ToSchema)]
pub(super) struct RefusedSignal {
    #[schema(minimum = 1, maximum = 99)]
    index: u32,
    problem: Problem,
}

/// A complete poll.
#[derive(ToSchema)]
pub(super) struct Polled {
    events: Vec<Event>,
    /// What to present next time.
    #[schema(value_type = Position)]
    cursor: String,
    /// There is more at this cursor already: ask again at once.
    more: bool,
    /// How long to wait before asking again, in milliseconds.
    retry_ms: u64,
    /// A newer reader took over: stop.
    #[schema(required = false)]
    superseded: bool,
    #[schema(required = false)]
    gap: Gap,
    /// The others, where the answer does not go on from a cursor.
    #[schema(required = false)]
    peers: Vec<Peer>,
    /// One's own open sessions, where the answer does not go on from a cursor.
    #[schema(required = false)]
    sessions: Vec<Session>,
}

/// Something is missing before what follows.
#[derive(ToSchema)]
pub(super) struct Gap {
    reason: GapReason,
    /// How many events, where that is known.
    #[schema(required = false)]
    lost: u64,
}

/// Why something is missing.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(super) enum GapReason {
    /// The cursor was too old.
    Evicted,
    /// The cursor was of another incarnation, or ahead of all.
    Reset,
    /// More presence and ends came than were kept.
    Overflow,
    /// The cursor could not be read.
    BadCursor,
}

/// An offer/answer exchange, as one of its parties sees it.
#[derive(ToSchema)]
pub(super) struct Session {
    #[schema(value_type = Id)]
    session: String,
    /// The other party.
    #[schema(value_type = Id)]
    peer: String,
    state: SessionState,
    #[schema(value_type = Why, required = false)]
    reason: String,
    #[schema(required = false)]
    ended_ms_ago: u64,
}

/// How far a session has come.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub(super) enum SessionState {
    /// There was an offer.
    Offered,
    /// There was an answer.
    Answered,
    /// It is over.
    Ended,
}

/// A peer's sessions, ended ones included for 10 minutes.
#[derive(ToSchema)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

/// A credential for one stream.
#[derive(ToSchema)]
pub(super) struct NewTicket {
    /// To be shown as `?ticket=` within 60 s, once.
    #[schema(pattern = r"^st1\.")]
    ticket: String,
}

/// The rooms that there are.
#[derive(ToSchema)]
pub(super) struct Rooms {
    rooms: Vec<RoomSize>,
}

/// A room as an operator sees it.
#[derive(ToSchema)]
pub(super) struct RoomSize {
    #[schema(value_type = Id)]
    room: String,
    /// How many are in it.
    #[schema(minimum = 1)]
    peers: u64,
}
