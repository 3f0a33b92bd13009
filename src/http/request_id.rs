//! What a request is called, in its answer and in the log: as its client or a proxy has called it, or
//! by a name of our own.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::Error;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest};
use tracing::Instrument as _;

use super::ask::Head;

/// The header that carries it, both ways.
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How long a name may be that others have given.
const MOST: usize = 64;

/// The name of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestId {
    /// The `X-Request-Id` that came, or the trace of the `traceparent`.
    Given(Box<str>),
    /// A number that no other request of any server is likely to have.
    Made(u64),
}

impl RequestId {
    /// The name of a request with this head.
    pub(super) fn of(head: Head<'_>) -> Self {
        let given = head.text(&X_REQUEST_ID, "").filter(|id| is_name(id));
        let trace = || trace(traceparent(head)?);
        match given.or_else(trace) {
            Some(name) => Self::Given(name.into()),
            None => Self::Made(next()),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::Made(number) => write!(f, "{number:016x}"),
        }
    }
}

/// The trace that a request belongs to, as it came.
pub(super) fn traceparent(head: Head<'_>) -> Option<&str> {
    head.text(&TRACEPARENT, "")
}

/// Whether a name may stand in a header and in a log as it came.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:=+/".contains(&b);
    (1..=MOST).contains(&text.len()) && text.bytes().all(plain)
}

/// The trace-id of a `traceparent` (W3C Trace Context, section 3.2.2).
fn trace(text: &str) -> Option<&str> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        text.len() == digits && text.bytes().all(is_hex)
    };
    let nothing = |text: &str| text.bytes().all(|b| b == b'0');
    let known = version != "00" || parts.next().is_none();
    let good = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16);
    (known && good && hex(flags, 2) && !nothing(trace) && !nothing(parent)).then_some(trace)
}

/// The next number: each once, in an order that tells nothing.
fn next() -> u64 {
    static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // A bijection, so that no two are the same.
    let mut z = FIRST.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The name of a request that the web server has read.
pub(super) fn of(req: &HttpRequest) -> Option<RequestId> {
    req.extensions().get::<RequestId>().cloned()
}

/// Names a request, and has its answer say the name; what is logged meanwhile has it too.
pub(super) async fn named(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId::of(Head::Web(req.headers()));
    let text = id.to_string();
    let span = tracing::debug_span!("request", id = text, method = %req.method());
    crate::log::follow(&span, traceparent(Head::Web(req.headers())));
    req.extensions_mut().insert(id);
    let mut answer = next.call(req).instrument(span).await?;
    // A name is a header's value.
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().insert(X_REQUEST_ID.clone(), value);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderMap;

    use super::*;

    fn named(lines: &[(&HeaderName, &str)]) -> RequestId {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).expect("a value");
            map.append((*name).clone(), value);
        }
        RequestId::of(Head::Web(&map))
    }

    #[test]
    fn a_name_that_came_is_kept_where_it_is_harmless() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let given = |name: &str| RequestId::Given(name.into());
        let id = &X_REQUEST_ID;
        assert_eq!(named(&[(id, "a.b:c/1+2=3_4-5")]), given("a.b:c/1+2=3_4-5"));
        assert_eq!(
            named(&[(&TRACEPARENT, trace)]),
            given("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        assert_eq!(named(&[(&TRACEPARENT, trace), (id, "mine")]), given("mine"));
        let long = "x".repeat(MOST + 1);
        for bad in ["", " ", "a b", "a\"b", "naïve", &long] {
            assert!(matches!(named(&[(id, bad)]), RequestId::Made(_)), "{bad}");
        }
        for bad in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(matches!(named(&[(&TRACEPARENT, bad)]), RequestId::Made(_)));
        }
    }

    #[test]
    fn no_two_requests_are_called_the_same() {
        let made: std::collections::HashSet<_> =
            (0..10_000).map(|_| named(&[]).to_string()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|name| name.len() == 16));
    }
}
