//! What readers are told: the events, on a stream and in a poll.
#![expect(
    dead_code,
    reason = "they describe, field by field, what is written elsewhere"
)]

use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::answers::{Gap, IceServers, Peer, Session};
use super::door::{component, text};
use super::ids::{Again, Id, Position, Why, words};

/// Every event by its name, with its data.
fn all() -> Vec<(&'static str, Ref)> {
    vec![
        ("ready", component::<Ready>()),
        ("ping", component::<Ping>()),
        ("signal", component::<SignalSeen>()),
        ("peer-joined", component::<PeerSeen>()),
        ("peer-updated", component::<PeerSeen>()),
        ("peer-away", component::<PeerAway>()),
        ("peer-back", component::<PeerBack>()),
        ("peer-left", component::<PeerLeft>()),
        ("session-ended", component::<SessionEnded>()),
        ("wake", component::<Wake>()),
        ("ice-servers", component::<IceServers>()),
        ("store", component::<StoreSeen>()),
        ("end", component::<End>()),
    ]
}

/// An event as a poll's answer holds it, and as a line of NDJSON.
pub(super) struct Event;

impl ToSchema for Event {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        add::<Ready>(schemas);
        add::<Ping>(schemas);
        add::<SignalSeen>(schemas);
        add::<PeerSeen>(schemas);
        add::<PeerAway>(schemas);
        add::<PeerBack>(schemas);
        add::<PeerLeft>(schemas);
        add::<SessionEnded>(schemas);
        add::<Wake>(schemas);
        add::<IceServers>(schemas);
        add::<StoreSeen>(schemas);
        add::<End>(schemas);
    }
}

/// A component, with those that it names.
pub(super) fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into(), T::schema()));
    T::schemas(schemas);
}

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        let event = |(name, data)| {
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .title(Some(name))
                .property("id", component::<Position>())
                .property("event", words([name]))
                .property("data", data)
                .required("event")
                .required("data")
                .build()
        };
        let one = all().into_iter().map(event);
        let schema = one.fold(OneOfBuilder::new(), OneOfBuilder::item);
        let text =
            "Without an `id` it is no position: nothing of it is repeated to a later reader.";
        RefOr::T(schema.description(Some(text)).build().into())
    }
}

/// One event of a `text/event-stream`, as its fields.
pub(super) struct StreamEvent;

impl ToSchema for StreamEvent {}

impl PartialSchema for StreamEvent {
    fn schema() -> RefOr<Schema> {
        let names = all().into_iter().map(|(name, _)| name);
        let mut event = words(names);
        event.description = Some("Which event it is; `data` is that of the same `Event`.".into());
        let data = text()
            .content_media_type("application/json")
            .description(Some("The event's data: JSON on one line."));
        fields(event, data)
            .property("id", component::<Position>())
            .into()
    }
}

/// One tick of the probe, as the fields of its event.
pub(super) struct TickEvent;

impl ToSchema for TickEvent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        add::<Tick>(schemas);
    }
}

impl PartialSchema for TickEvent {
    fn schema() -> RefOr<Schema> {
        let data = text()
            .content_media_type("application/json")
            .content_schema(Some(component::<Tick>()));
        fields(words(["tick"]), data).into()
    }
}

pub(super) fn fields(event: impl Into<RefOr<Schema>>, data: ObjectBuilder) -> ObjectBuilder {
    let retry = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .description(Some(
            "How long an EventSource waits before it reconnects, in ms.",
        ));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("event", event)
        .property("data", data)
        .property("retry", retry)
        .required("event")
        .required("data")
}

/// The first event of a stream.
#[derive(ToSchema)]
struct Ready {
    #[schema(value_type = Id)]
    room: String,
    #[schema(value_type = Id)]
    peer: String,
    /// The position from which this stream begins.
    #[schema(value_type = Position)]
    cursor: String,
    /// It goes on exactly where the cursor stood.
    resumed: bool,
    /// How many events follow at once.
    replayed: u64,
    heartbeat_ms: u64,
    grace_ms: u64,
    /// With `?clock=1`: the server's clock, in milliseconds of Unix time.
    #[schema(required = false)]
    sent_ms: u64,
    #[schema(required = false)]
    gap: Gap,
    /// The others, unless it is resumed.
    #[schema(required = false)]
    peers: Vec<Peer>,
    /// One's own open sessions, unless it is resumed.
    #[schema(required = false)]
    sessions: Vec<Session>,
}

/// Nothing happened: the stream is alive.
#[derive(ToSchema)]
struct Ping {
    /// With `?clock=1`: the server's clock, in milliseconds of Unix time.
    #[schema(required = false)]
    sent_ms: u64,
}

/// A signal, as the server gives it on.
#[derive(ToSchema)]
struct SignalSeen {
    /// Who sent it, as the server knows.
    #[schema(value_type = Id)]
    from: String,
    #[schema(rename = "type")]
    #[schema(pattern = "^[a-z0-9-]{1,32}$")]
    kind: String,
    #[schema(value_type = Id, required = false)]
    session: String,
    /// What was sent; null where nothing was.
    data: Value,
    #[schema(value_type = Id, required = false)]
    id: String,
}

/// A peer joined, or replaced its meta.
#[derive(ToSchema)]
struct PeerSeen {
    #[schema(value_type = Id)]
    peer: String,
    meta: Value,
    order: u64,
}

/// A peer has no reader and gave no sign of life.
#[derive(ToSchema)]
struct PeerAway {
    #[schema(value_type = Id)]
    peer: String,
    /// When it will have left, counted from the loss.
    grace_ms: u64,
}

/// A peer that was away is back.
#[derive(ToSchema)]
struct PeerBack {
    #[schema(value_type = Id)]
    peer: String,
}

/// A peer's membership ended, and its sessions with it.
#[derive(ToSchema)]
struct PeerLeft {
    #[schema(value_type = Id)]
    peer: String,
    #[schema(value_type = Why)]
    reason: String,
}

/// A session ended.
#[derive(ToSchema)]
struct SessionEnded {
    #[schema(value_type = Id)]
    session: String,
    /// The other party.
    #[schema(value_type = Id)]
    peer: String,
    #[schema(value_type = Why)]
    reason: String,
    /// The data of the `bye`.
    #[schema(required = false)]
    data: Value,
    /// There where the data found no room.
    #[schema(required = false)]
    data_lost: bool,
}

/// Where several nodes share their rooms: whether their store answers. While it does not, what is
/// sent is refused and nothing new is told; nothing is lost by it.
#[derive(ToSchema)]
struct StoreSeen {
    available: bool,
}

/// Signals wait at the peer's other reader; told at `/notices` only.
#[derive(ToSchema)]
struct Wake {
    /// How many.
    pending: u64,
}

/// The last event of a reader.
#[derive(ToSchema)]
struct End {
    #[schema(value_type = Why)]
    reason: String,
    #[schema(value_type = Again)]
    retry: String,
    /// What who ended it said.
    #[schema(required = false)]
    detail: String,
}

/// One tick of the probe.
#[derive(ToSchema)]
struct Tick {
    /// Which, from 0.
    n: u32,
    /// How many there will be.
    of: u32,
    /// The server's clock when it was written, in milliseconds of Unix time.
    sent_ms: u64,
}
