//! Figures for Prometheus: for operators, and for whoever reaches the second address.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Doors;
use super::operator::operator_of_all;
use super::problem::{self, Problem};
use crate::metrics::Outside;
use crate::proto::Transport;

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`
pub(super) async fn metrics(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    operator_of_all(&req, &doors)?;
    of(&doors)
}

/// The same on the second address, which only operators reach.
pub(super) async fn admin(doors: Data<Doors>) -> Result<HttpResponse, Problem> {
    of(&doors)
}

fn of(doors: &Doors) -> Result<HttpResponse, Problem> {
    let hub = &doors.hub;
    let readers = Transport::ALL.map(|how| (how.as_str(), hub.readers_by(how)));
    let now = Outside {
        rooms: hub.room_count(),
        peers: hub.peers_in_all(),
        readers: readers.to_vec(),
        held: hub.held(),
        draining: hub.is_draining(),
        store: hub.is_shared().then(|| hub.has_store()),
        ..doors.outside.get().map(|look| look()).unwrap_or_default()
    };
    let text = doors.metrics.text(&now).map_err(|error| {
        tracing::error!(%error, "the figures cannot be written");
        Problem::new(&problem::INTERNAL, "the server's log says more")
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type(TEXT)
        .body(text))
}
