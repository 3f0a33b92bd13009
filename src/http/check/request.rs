//! What is left of a request when it arrives: its method, version, and the headers that signaling
//! needs. Values that a client did not make up for this very check are never told.

use actix_web::http::Version;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderName, VIA};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::body::Body;
use crate::http::tickets::calendar;

/// More than this nobody needs to send here, in bytes.
const MOST: usize = 4096;
/// What a check shows as credential and as cursor: no secret, so whether it came whole can be said.
const AUTHORIZATION_SHOWN: &str = "Bearer switchboard-check";
const LAST_EVENT_ID_SHOWN: &str = "switchboard-check";
/// How much of a `Via` is told, in bytes.
const VIA_BYTES: usize = 300;

/// Headers by which proxies say that they were there; that they came is told, not what they hold,
/// which is addresses.
const FORWARDING: [&str; 8] = [
    "cf-ray",
    "fly-client-ip",
    "forwarded",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// What arrived of a request.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Arrived<'a> {
    method: &'a str,
    /// As the last connection to this server spoke it.
    version: &'static str,
    /// The proxies on the way, as they name themselves.
    via: String,
    /// Which headers came by which proxies say that they were there.
    forwarded: Vec<&'static str>,
    /// Each `kept`, `changed` or `missing`, by what a check shows.
    #[schema(pattern = "^(kept|changed|missing)$")]
    authorization: &'static str,
    #[schema(pattern = "^(kept|changed|missing)$")]
    last_event_id: &'static str,
    body_bytes: usize,
    /// The server's clock, in milliseconds of Unix time.
    time_ms: u64,
}

/// `GET`, `POST`, `PATCH`, `DELETE /check/request`
pub(in crate::http) async fn request(req: HttpRequest, body: Body<MOST>) -> HttpResponse {
    let headers = req.headers();
    let version = match req.version() {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    };
    let arrived = Arrived {
        method: req.method().as_str(),
        version,
        via: via(headers),
        forwarded: FORWARDING
            .into_iter()
            .filter(|name| headers.contains_key(*name))
            .collect(),
        authorization: kept(headers, &AUTHORIZATION, AUTHORIZATION_SHOWN),
        last_event_id: kept(
            headers,
            &HeaderName::from_static("last-event-id"),
            LAST_EVENT_ID_SHOWN,
        ),
        body_bytes: body.len(),
        time_ms: calendar(),
    };
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store, no-cache, no-transform"))
        .json(arrived)
}

/// The proxies on the way, as they name themselves (RFC 9110, section 7.6.3).
fn via(headers: &HeaderMap) -> String {
    let all: Vec<_> = headers
        .get_all(VIA)
        .filter_map(|value| value.to_str().ok())
        .collect();
    let mut all = all.join(", ");
    // What `to_str` takes is ASCII: any place in it is a boundary.
    all.truncate(VIA_BYTES);
    all
}

fn kept(headers: &HeaderMap, name: &HeaderName, shown: &str) -> &'static str {
    match headers.get(name) {
        Some(value) if value == shown => "kept",
        Some(_) => "changed",
        None => "missing",
    }
}
