//! Sending: what a signal is, and what its sender is told.

use serde_json::{Value, json};
use utoipa::openapi::HttpMethod::Post;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AnyOfBuilder, Array, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::answers::Receipts;
use super::door::{Door, component, text};
use super::ids::{Id, words};
use crate::config::fixed::ARRAY_LENGTH;
use crate::http::problem::{
    BAD_ID, BAD_SIGNAL, IDEMPOTENCY_CONFLICT, MAILBOX_FULL, OVERLOADED, PEER_LEFT, RATE_LIMITED,
    SESSION_OVER, SESSION_TAKEN, UNKNOWN_PEER, UNKNOWN_SESSION,
};

const SEND: &str = "\
One signal, or an array of up to 100, of which all before the first that is refused are accepted. \
`202` is a promise: the event stands in the recipient's mailbox and will be delivered to that \
incarnation if it reads before it ends, or the loss is announced.

Give each signal an `id`, and repeat it when the answer was lost: for 5 minutes the first answer \
comes again, and nothing is delivered twice. For a single signal the header `Idempotency-Key` does \
the same.

An `offer` opens a session, an `answer` answers it, a `bye` ends it. Where there are two peers, the \
one with the lower `order` offers.";

/// An id within bounds, since those of a quoted one's length are others.
const KEY: &str = "[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}|[.][A-Za-z0-9_~-][A-Za-z0-9._~-]{0,62}|\
                   [.][.][A-Za-z0-9._~-]{1,62}";

/// A signal as its sender gives it.
pub(super) struct Signal;

impl ToSchema for Signal {}

/// A property that may be null, which is the same as left out.
fn or_null(schema: impl Into<RefOr<Schema>>) -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(SchemaType::new(Type::Null));
    let either = OneOfBuilder::new().item(null).item(schema);
    RefOr::T(either.build().into())
}

impl PartialSchema for Signal {
    fn schema() -> RefOr<Schema> {
        let known = words(["offer", "answer", "bye"]);
        let not_known = json!({"enum": ["offer", "answer", "bye"]});
        let other = text()
            .extensions(Some([("not", not_known)].into_iter().collect()))
            .pattern(Some("^[a-z0-9-]{1,32}$"))
            .description(Some("`candidate`, or a word of your own."));
        let parts = |kind: RefOr<Schema>, to: RefOr<Schema>| {
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .property("type", kind)
                .property("to", to)
                .property("session", or_null(component::<Id>()))
                .property("data", Value::schema())
                .property("id", or_null(component::<Id>()))
                .required("type")
        };
        let of_two = parts(known.into(), component::<Id>().into())
            .required("to")
            .title(Some("in a session of two"))
            .description(Some(
                "`offer`, `answer` and `bye` name the peer that they are for.",
            ));
        let to_any = parts(other.into(), or_null(component::<Id>()))
            .title(Some("any other"))
            .description(Some("Without `to` it is for every other peer of the room."));
        let text = "`data` is any JSON, at most 64 KiB, which the server never looks into. Who it is \
                    from is known from the token: a `from` is refused.";
        let either = AnyOfBuilder::new()
            .item(of_two)
            .item(to_any)
            .extensions(Some(
                [("not", json!({"required": ["from"]}))]
                    .into_iter()
                    .collect(),
            ));
        RefOr::T(either.description(Some(text)).build().into())
    }
}

pub(super) fn doors() -> Vec<Door> {
    let mut list = Array::new(component::<Signal>());
    list.min_items = Some(1);
    list.max_items = Some(ARRAY_LENGTH as usize);
    let body = OneOfBuilder::new().item(component::<Signal>()).item(list);
    let offer = json!({"to": "bob", "type": "offer", "session": "s1", "data": {"sdp": "v=0"}, "id": "m-17"});
    let candidate =
        json!({"to": "bob", "type": "candidate", "session": "s1", "data": {"candidate": "a"}});
    let hello = json!({"type": "hello", "data": "to everybody"});
    let accepted = json!({"results": [
        {"id": "m-17", "session": "s1", "to": [{"peer": "bob", "state": "live"}]}
    ]});
    let send = Door::new(
        Post,
        "/rooms/{room}/peers/{peer}/signals",
        "send",
        "signals",
        "Send signals",
    )
    .says(SEND)
    .of_a_member()
    .header(
        "Idempotency-Key",
        text().pattern(Some(format!(r#"^("({KEY})"|{KEY})$"#))),
        "The `id` of a single signal that has none, bare or quoted.",
    )
    .json_body(
        RefOr::T(body.build().into()),
        true,
        "A signal, or an array of them; at most 256 KiB.",
        &[
            ("offer", offer),
            ("broadcast", hello.clone()),
            ("several", json!([candidate, hello])),
        ],
    )
    .answers_json::<Receipts>(202, "What was accepted, and what was not.", accepted)
    .refuses(&[
        &BAD_SIGNAL,
        &BAD_ID,
        &IDEMPOTENCY_CONFLICT,
        &UNKNOWN_PEER,
        &UNKNOWN_SESSION,
        &SESSION_TAKEN,
        &PEER_LEFT,
        &SESSION_OVER,
        &MAILBOX_FULL,
        &RATE_LIMITED,
        &OVERLOADED,
    ]);
    vec![send]
}
