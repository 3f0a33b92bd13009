//! What clients tell of their connections, which only they see: for operators, not for other peers.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Doors;
use super::ask::Ask;
use super::auth::Peer;
use super::body::{Body, parse_object};
use super::client::Client;
use super::openapi::{Id, Kinds};
use super::problem::{self, Problem};
use crate::proto::{CandidateKind, IceState, Report, SessionId, Way};

/// A report's body.
#[derive(Deserialize, ToSchema)]
#[schema(as = Report)]
pub(super) struct Told {
    /// The session that set the connection up.
    #[schema(value_type = Option<Id>)]
    session: Option<String>,
    /// How it stands with ICE.
    #[schema(pattern = "^(checking|connected|completed|disconnected|failed|closed)$")]
    ice: String,
    /// How it runs, where it does.
    #[schema(pattern = "^(direct|stun|relay-udp|relay-tcp|relay-tls)$")]
    way: Option<String>,
    /// Of which kinds this side has found candidates, each once: most telling where it does not run.
    #[schema(value_type = Option<Kinds>)]
    found: Option<Vec<String>>,
}

/// `POST …/reports`
pub(super) async fn report(
    doors: Data<Doors>,
    req: HttpRequest,
    Peer(caller): Peer,
    body: Result<Body<1024>, Problem>,
) -> Result<HttpResponse, Problem> {
    let understood = body.and_then(|body| of(&body));
    let client = Client::of(&Ask::of(&req), &doors.trust);
    let bounded = understood.and_then(|report| {
        doors.limits.signals(client, &caller, 1)?;
        Ok(report)
    });
    let report = bounded.map_err(|problem| doors.refuse(&caller, problem))?;
    doors.hub.report(&caller, report).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn of(body: &Body<1024>) -> Result<Report, Problem> {
    let told: Told = parse_object(body.text()?, &problem::BAD_REQUEST)?;
    let session = told.session.as_deref().map(SessionId::parse).transpose()?;
    let ice = named(IceState::ALL, IceState::as_str, &told.ice).ok_or_else(|| {
        bad("ice is checking, connected, completed, disconnected, failed or closed")
    })?;
    let way = told.way.as_deref().map(|way| {
        named(Way::ALL, Way::as_str, way)
            .ok_or_else(|| bad("way is direct, stun, relay-udp, relay-tcp or relay-tls"))
    });
    let way = way.transpose()?;
    let found = told.found.map(|kinds| found(&kinds)).transpose()?;
    Ok(Report {
        session,
        ice,
        way,
        found,
    })
}

/// Each once, in the order of their names here, whatever the client's.
fn found(kinds: &[String]) -> Result<Vec<CandidateKind>, Problem> {
    let all = CandidateKind::ALL;
    let is_known = |kind: &String| named(all, CandidateKind::as_str, kind).is_some();
    if !kinds.iter().all(is_known) {
        return Err(bad(
            "found lists host, srflx and relay, each where it is so",
        ));
    }
    let is_told = |one: &CandidateKind| kinds.iter().any(|kind| one.as_str() == kind);
    Ok(all.into_iter().filter(is_told).collect())
}

fn named<T: Copy, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
    text: &str,
) -> Option<T> {
    all.into_iter().find(|one| name(*one) == text)
}

fn bad(detail: &'static str) -> Problem {
    Problem::new(&problem::BAD_REQUEST, detail)
}
