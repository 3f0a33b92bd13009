//! Request bodies: read whole, within a size and a time, as UTF-8 text under any Content-Type.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, Payload};
use actix_web::{FromRequest, HttpRequest, dev};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::auth::doors;
use super::problem::{self, Problem};
use crate::proto::Json;

/// A body of at most `MOST` bytes.
pub(super) struct Body<const MOST: usize>(Bytes);

impl<const MOST: usize> FromRequest for Body<MOST> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let announced = req.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let coded = req.headers().get(CONTENT_ENCODING);
        let coded =
            coded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        let payload = Payload::from_request(req, payload).into_inner();
        let most_time = doors(req).map_or(Duration::ZERO, |doors| doors.body_timeout);
        let most_time = if most_time.is_zero() {
            Duration::MAX
        } else {
            most_time
        };
        Box::pin(async move {
            if announced.is_some_and(|length| length > MOST as u64) {
                return Err(too_large(MOST));
            }
            // Nothing is unpacked: a small body could stand for any amount.
            if coded {
                let detail = "send the body as it is, without Content-Encoding";
                return Err(Problem::new(&problem::BAD_REQUEST, detail));
            }
            let payload = payload.map_err(|_| not_json("the body cannot be read"))?;
            let read = tokio::time::timeout(most_time, payload.to_bytes_limited(MOST)).await;
            match read {
                Ok(Ok(Ok(bytes))) => Ok(Self(bytes)),
                Ok(Ok(Err(_))) => Err(not_json("the body broke off")),
                Ok(Err(_)) => Err(too_large(MOST)),
                Err(_) => Err(Problem::new(
                    &problem::TOO_SLOW,
                    "send the body without pauses",
                )),
            }
        })
    }
}

impl<const MOST: usize> Body<MOST> {
    /// How many bytes came.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The body as text.
    pub(super) fn text(&self) -> Result<&str, Problem> {
        text(&self.0)
    }

    /// The body as a JSON object of known shape; an empty body is the empty object.
    pub(super) fn object<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        object(self.text()?)
    }
}

/// A body as a JSON object of known shape; an empty body is the empty object.
pub(super) fn object<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    parse_object(text, &problem::BAD_REQUEST)
}

/// Reads a JSON object; an array with the right elements is none.
pub(super) fn parse_object<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
    shape: &'static problem::Slug,
) -> Result<T, Problem> {
    if text.trim_ascii_start().starts_with('[') {
        // Whether it is JSON at all comes first.
        parse::<serde::de::IgnoredAny>(text, shape)?;
        return Err(Problem::new(shape, "expected an object, not an array"));
    }
    parse(text, shape)
}

/// Reads JSON: what is none is `bad-json`, what has another shape is `shape`.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
    shape: &'static problem::Slug,
) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        // Its words name fields and types; quoted values are cut off, since they are the peers'.
        let place = format!("at line {} column {}", error.line(), error.column());
        if error.is_data() {
            let said = error.to_string();
            let told = said
                .split([',', '`', '"'])
                .next()
                .unwrap_or_default()
                .trim();
            let field = said
                .split('`')
                .nth(1)
                .filter(|_| !said.starts_with("invalid"));
            let field = field.map_or_else(String::new, |field| format!(" \"{field}\""));
            return Problem::new(shape, format!("{told}{field} {place}"));
        }
        Problem::new(&problem::BAD_JSON, format!("not JSON {place}"))
    })
}

/// Takes a JSON value, nested at most `depth` deep, to be passed on as it is; what is deeper is `shape`.
pub(super) fn passed_on(
    raw: &RawValue,
    depth: usize,
    shape: &'static problem::Slug,
) -> Result<Json, Problem> {
    let json = Json::compact(raw.get());
    if json.is_deeper_than(depth) {
        let detail = format!("JSON here is nested at most {depth} deep");
        return Err(Problem::new(shape, detail));
    }
    Ok(json)
}

/// A body as text.
pub(super) fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|_| not_json("JSON is UTF-8 text"))
}

fn not_json(detail: &'static str) -> Problem {
    Problem::new(&problem::BAD_JSON, detail)
}

fn too_large(most: usize) -> Problem {
    Problem::new(
        &problem::TOO_LARGE,
        format!("a body here is at most {most} bytes"),
    )
}
