//! The words and texts that stand for things: ids, cursors, reasons.

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::proto::id::MAX_ID;
use crate::proto::{CandidateKind, Reason};

/// One of these, as they stand on the wire.
pub(super) fn words<T: Into<Value>>(all: impl IntoIterator<Item = T>) -> Object {
    let all: Vec<Value> = all.into_iter().map(Into::into).collect();
    let kind = match all.first() {
        Some(Value::Number(_)) => Type::Integer,
        _ => Type::String,
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::new(kind))
        .enum_values(Some(all))
        .build()
}

/// The room's, peer's, session's and signal's ids.
pub(in crate::http) struct Id;

/// Neither `.` nor `..`, said without looking ahead, which not all tools can.
const ID: &str = r"^(\.{0,2}[A-Za-z0-9_~-][A-Za-z0-9._~-]*|\.{3}[A-Za-z0-9._~-]*)$";

impl ToSchema for Id {}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(ID))
            .min_length(Some(1))
            .max_length(Some(MAX_ID))
            .description(Some(
                "1 to 64 of `A-Z a-z 0-9 . _ ~ -`, but not `.` or `..`.",
            ))
            .examples(["alice"]);
        RefOr::T(schema.into())
    }
}

/// Kinds of candidates.
pub(in crate::http) struct Kinds;

impl ToSchema for Kinds {}

impl PartialSchema for Kinds {
    fn schema() -> RefOr<Schema> {
        let all = words(CandidateKind::ALL.map(CandidateKind::as_str));
        let schema = ArrayBuilder::new().items(all);
        RefOr::T(schema.into())
    }
}

/// A position in a mailbox.
pub(in crate::http) struct Position;

/// Of a number that surely fits 64 bits.
pub(super) const POSITION: &str = "^[0-9a-f]{16}-(0|[1-9][0-9]{0,18})$";

impl ToSchema for Position {
    fn name() -> Cow<'static, str> {
        "Cursor".into()
    }
}

impl PartialSchema for Position {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(POSITION))
            .description(Some(
                "A position in a mailbox. Opaque: keep the last one, and present it when you read \
                 again. Only a cursor that is presented acknowledges.",
            ))
            .examples(["6f0f2bd5c9a3e714-3"]);
        RefOr::T(schema.into())
    }
}

/// Why something ended.
pub(super) struct Why;

impl ToSchema for Why {
    fn name() -> Cow<'static, str> {
        "Reason".into()
    }
}

impl PartialSchema for Why {
    fn schema() -> RefOr<Schema> {
        let mut schema = words(Reason::ALL.map(Reason::as_str));
        schema.description =
            Some("Why something ended. The table stands in docs/protocol.md, \"Ends\".".into());
        RefOr::T(schema.into())
    }
}

/// What a reader should do after its end.
pub(super) struct Again;

impl ToSchema for Again {
    fn name() -> Cow<'static, str> {
        "Retry".into()
    }
}

impl PartialSchema for Again {
    fn schema() -> RefOr<Schema> {
        let mut all: Vec<_> = Reason::ALL.iter().map(|why| why.retry().as_str()).collect();
        all.sort_unstable();
        all.dedup();
        let mut schema = words(all);
        schema.description =
            Some("Read again at once, after a while, or not at all: it is over.".into());
        RefOr::T(schema.into())
    }
}
