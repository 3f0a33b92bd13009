//! A peer's outbox: one signal, or an array of them.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::ask::Ask;
use super::auth::Peer;
use super::body::{Body, parse, parse_object, passed_on};
use super::client::Client;
use super::encode::write_results;
use super::problem::{self, Problem};
use super::{Doors, random};
use crate::config::fixed::{ARRAY_LENGTH, DATA_BYTES, REQUEST_BYTES};
use crate::hub::{Caller, Hub, Sending};
use crate::proto::{Kind, PeerId, Sent, SessionId, Signal, SignalId};
use crate::wire::Answer;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A signal as it comes; unknown fields are ignored.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    to: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    session: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(default)]
    from: Seen,
}

/// A text, which is copied only where it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Whether a field is there, whatever it holds.
#[derive(Default)]
struct Seen(bool);

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Seen(true))
    }
}

/// `POST …/signals`
pub(super) async fn send(
    doors: Data<Doors>,
    req: HttpRequest,
    Peer(caller): Peer,
    body: Result<Body<REQUEST_BYTES>, Problem>,
) -> Result<HttpResponse, Problem> {
    let body = body.map_err(|problem| doors.refuse(&caller, problem))?;
    let understood = prepare(&doors, &Ask::of(&req), &caller, body.text())?;
    Ok(start(&doors.hub, &caller, understood)?.await?.into())
}

/// Understands what is to be sent, and counts it.
pub(super) fn prepare(
    doors: &Doors,
    ask: &Ask<'_>,
    caller: &Caller,
    text: Result<&str, Problem>,
) -> Result<Understood, Problem> {
    let understood = text.and_then(|text| understand(doors.json_depth, ask, text));
    let (signals, bad) = understood.map_err(|problem| doors.refuse(caller, problem))?;
    let count = u32::try_from(signals.len()).unwrap_or(u32::MAX);
    let client = Client::of(ask, &doors.trust);
    doors
        .limits
        .signals(client, caller, count)
        .map_err(|problem| doors.refuse(caller, problem))?;
    Ok((signals, bad))
}

/// An answer on its way.
pub(super) struct Posted {
    /// None where there was nothing to send.
    sending: Option<Sending>,
    bad: Option<(usize, Problem)>,
}

/// Sends it.
pub(super) fn start(
    hub: &Hub,
    caller: &Caller,
    (signals, bad): Understood,
) -> Result<Posted, Problem> {
    let sending = if signals.is_empty() {
        hub.check(caller)?;
        None
    } else {
        Some(hub.send(caller, signals)?)
    };
    Ok(Posted { sending, bad })
}

impl Future for Posted {
    type Output = Result<Answer, Problem>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (sent, refused) = match &mut self.sending {
            Some(sending) => ready!(Pin::new(sending).poll(cx))?,
            None => (Vec::new(), None),
        };
        let refused = refused.map(|(index, refusal)| (index, Problem::from(refusal)));
        Poll::Ready(told(&sent, refused.or_else(|| self.bad.take())))
    }
}

fn told(sent: &[Sent], refused: Option<(usize, Problem)>) -> Result<Answer, Problem> {
    let mut json = String::with_capacity(256);
    json.push_str(r#"{"results":"#);
    write_results(&mut json, sent);
    match refused {
        Some((_, problem)) if sent.is_empty() => return Err(problem),
        Some((index, problem)) => {
            let problem = problem.to_json();
            json.push_str(&format!(
                r#","refused":{{"index":{index},"problem":{problem}}}"#
            ));
        }
        None => {}
    }
    json.push('}');
    Ok(Answer::new(StatusCode::ACCEPTED)
        .with("cache-control", "no-store")
        .with("content-type", "application/json")
        .body(json))
}

pub(super) fn understand(depth: usize, ask: &Ask<'_>, text: &str) -> Result<Understood, Problem> {
    if text.trim_ascii_start().starts_with('[') {
        return array(depth, text);
    }
    let mut signal = one(depth, text)?;
    if signal.id.is_none() {
        signal.id = idempotency_key(ask)?;
    }
    Ok((vec![signal], None))
}

/// The signals of an array up to the first that cannot be understood, and why that one cannot.
pub(super) type Understood = (Vec<Signal>, Option<(usize, Problem)>);

fn array(depth: usize, text: &str) -> Result<Understood, Problem> {
    let items: Vec<&RawValue> = parse(text, &problem::BAD_SIGNAL)?;
    if items.is_empty() {
        return Err(Problem::new(&problem::BAD_SIGNAL, "the array is empty"));
    }
    if items.len() > ARRAY_LENGTH as usize {
        let detail = format!("an array holds at most {ARRAY_LENGTH} signals");
        return Err(Problem::new(&problem::TOO_LARGE, detail));
    }
    let mut signals = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match one(depth, item.get()) {
            Ok(signal) => signals.push(signal),
            Err(problem) => return Ok((signals, Some((index, problem)))),
        }
    }
    Ok((signals, None))
}

fn one(depth: usize, text: &str) -> Result<Signal, Problem> {
    let envelope: Envelope<'_> = parse_object(text, &problem::BAD_SIGNAL)?;
    let bad = |detail: &'static str| Problem::new(&problem::BAD_SIGNAL, detail);
    if envelope.from.0 {
        return Err(bad(
            "leave \"from\" out: the server says who a signal is from",
        ));
    }
    let kind = Kind::parse(&envelope.kind)
        .ok_or_else(|| bad("\"type\" is offer, answer, candidate, bye, or 1 to 32 of a-z 0-9 -"))?;
    let to = envelope.to.as_deref().map(PeerId::parse).transpose()?;
    if to.is_none() && kind.needs_to() {
        return Err(bad("offer, answer and bye need \"to\""));
    }
    let session = envelope
        .session
        .as_deref()
        .map(SessionId::parse)
        .transpose()?;
    let id = envelope.id.as_deref().map(SignalId::parse).transpose()?;
    let data = envelope
        .data
        .map(|data| passed_on(data, depth, &problem::BAD_SIGNAL))
        .transpose()?;
    if data
        .as_ref()
        .is_some_and(|data| data.as_str().len() > DATA_BYTES)
    {
        let detail = format!("a signal's data is at most {DATA_BYTES} bytes");
        return Err(Problem::new(&problem::TOO_LARGE, detail));
    }
    let spare = if kind == Kind::Offer && session.is_none() {
        Some(random::session()?)
    } else {
        None
    };
    Ok(Signal {
        to,
        kind,
        session,
        data,
        id,
        spare,
    })
}

/// The key of the header, bare or as a quoted string (RFC 8941).
fn idempotency_key(ask: &Ask<'_>) -> Result<Option<SignalId>, Problem> {
    let Some(key) = ask.head.text(&IDEMPOTENCY_KEY, "") else {
        return Ok(None);
    };
    let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    Ok(Some(SignalId::parse(bare.unwrap_or(key))?))
}
