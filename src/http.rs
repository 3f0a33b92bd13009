//! The doors: the route table, read this first. HTTP in, hub calls out; it knows no store.

mod accept;
mod alive;
mod ask;
mod assets;
mod auth;
mod body;
mod check;
mod client;
mod encode;
mod events;
mod express;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod health;
mod help;
mod history;
mod ice_servers;
mod join;
mod limits;
mod metrics;
mod notices;
mod openapi;
mod operator;
mod peers;
mod places;
mod poll;
mod probe;
pub mod problem;
mod query;
mod random;
mod reports;
mod request_id;
mod sessions;
mod shared;
mod signals;
mod stream;
mod tickets;
mod token;
mod unread;
mod watched;
mod wrap;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::guard::{self, Guard};
use actix_web::web::{self, Data, ServiceConfig};

use crate::access::Access;
use crate::config::{Config, fixed};
use crate::history::History;
use crate::hub::{Caller, Hub, Refused};
use crate::ice::IceServers;
use crate::metrics::{Metrics, Outside};
use ask::Head;
use client::{Client, Trust};
use limits::Limits;
use places::Taken;
use problem::Problem;
use query::Reading;
use request_id::RequestId;
use shared::room_resource;
use token::Keys;
use watched::Watched;

pub(crate) use express::Express;
pub(crate) use problem::refusal_name;
pub(crate) use random::{epoch, fraction, secret};
pub(crate) use token::{is_peer_token, is_ticket, key_id};
pub(crate) use wrap::{app, problems, unread};

/// What every door has at hand.
pub struct Doors {
    hub: Hub,
    keys: Keys,
    access: Arc<Access>,
    trust: Trust,
    limits: Limits,
    operator_token: Option<String>,
    ice: Arc<IceServers>,
    /// How deep what peers send may be nested; 0 is no bound.
    json_depth: usize,
    /// A body must have come within this; zero is no bound.
    body_timeout: Duration,
    /// The address served on, for who sends no `Host`.
    address: String,
    /// It is served within TLS.
    secure: bool,
    /// What the doors of the check hold open.
    places: check::Places,
    /// What is counted.
    metrics: Arc<Metrics>,
    /// What is looked up elsewhere, when figures are asked for.
    outside: OnceLock<Box<dyn Fn() -> Outside + Send + Sync>>,
    /// What operators look at.
    watched: Watched,
}

impl Doors {
    /// The doors of `hub`, as `config` wants them; `made` is the secret where it gives none.
    pub fn new(
        hub: Hub,
        access: Arc<Access>,
        config: &Config,
        made: &[u8],
        ice: IceServers,
        address: String,
        (metrics, history): (Arc<Metrics>, Option<Arc<History>>),
    ) -> Arc<Self> {
        let given = config.secrets.iter().map(String::as_bytes);
        let secrets: Vec<&[u8]> = if config.secrets.is_empty() {
            vec![made]
        } else {
            given.collect()
        };
        Arc::new(Self {
            hub,
            keys: Keys::new(secrets.into_iter()),
            access,
            trust: Trust::new(config.trusted_proxies.clone(), config.forwarded_by),
            limits: Limits::new(&config.bounds, fixed::ARRAY_LENGTH),
            operator_token: config.operator_token.clone(),
            ice: Arc::new(ice),
            json_depth: config.bounds.max_json_depth,
            body_timeout: config.bounds.body_timeout,
            address,
            secure: config.tls_cert.is_some(),
            places: check::Places::default(),
            metrics,
            outside: OnceLock::new(),
            watched: Watched::new(history),
        })
    }

    /// Has figures that the doors know nothing of looked up by `look`; once only.
    pub fn look_outside(&self, look: impl Fn() -> Outside + Send + Sync + 'static) {
        // A second one is never asked.
        let _ = self.outside.set(Box::new(look));
    }
}

impl Doors {
    /// Gives a reader its place among those of its address. One that takes the place of another of
    /// the same peer has it in any case: where a path has broken, the server may not know it yet.
    fn seat(&self, reading: &mut Reading) -> Result<(), Refused> {
        let replaces = self.hub.has_reader(&reading.caller, reading.attach.door);
        // Who is to go away is told so, and not that there is no place.
        let replaces = replaces || self.hub.is_draining();
        let place = self.limits.reader(reading.client, replaces)?;
        reading.attach.place = place.into_place();
        Ok(())
    }

    /// A connection from `sender`, which counts for as long as what this gives is kept; none where
    /// that address has too many. Those of proxies that are trusted are not counted.
    fn connected(&self, sender: IpAddr) -> Option<Option<Taken>> {
        let sender = sender.to_canonical();
        if self.trust.trusts(sender) {
            return Some(None);
        }
        self.limits.connection(Client::at(sender)).map(Some)
    }

    /// A request within a connection of HTTP/2, which counts as one more.
    pub(crate) fn asked_within(&self, sender: IpAddr) -> Option<impl Send + use<>> {
        self.connected(sender)
    }

    /// What a caller is told whose request cannot be understood: that, unless its membership is
    /// over. The request counts as a sign of life all the same.
    fn refuse(&self, caller: &Caller, problem: Problem) -> Problem {
        self.refuse_of(caller, true, problem)
    }

    /// The same; not a sign of life unless `heard`, for a credential that alone would not be one.
    fn refuse_of(&self, caller: &Caller, heard: bool, problem: Problem) -> Problem {
        let found = self.found(caller, heard);
        found.err().map_or(problem, Problem::from)
    }

    /// Counts a request that is refused, and says so in the log.
    fn refused(&self, problem: &Problem, id: Option<&RequestId>) {
        self.metrics.refused(problem.name());
        if let Some(id) = id {
            tracing::debug!(%id, slug = problem.name(), "refused");
        }
    }

    /// Whether the caller is present; where it is `heard`, that is a sign of life.
    fn found(&self, caller: &Caller, heard: bool) -> Result<(), Refused> {
        if heard {
            self.hub.check(caller)
        } else {
            self.hub.find(caller)
        }
    }
}

/// The whole public surface.
fn routes(doors: Arc<Doors>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(Data::from(doors))
            .service(
                resource("/", "GET, HEAD")
                    .route(web::route().guard(get()).guard(html()).to(assets::demo))
                    .route(web::route().guard(get()).to(help::text)),
            )
            .service(
                room_resource("/rooms/{room}/peers", "GET, POST")
                    .route(web::post().to(join::join))
                    .route(web::get().to(peers::list)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}", "PATCH, DELETE")
                    .route(web::patch().to(peers::set_meta))
                    .route(web::delete().to(peers::delete)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/meta", "POST")
                    .route(web::post().to(peers::set_meta)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/leave", "POST")
                    .route(web::post().to(peers::leave)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/signals", "POST")
                    .route(web::post().to(signals::send)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/events", "GET")
                    .route(web::get().to(events::events)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/poll", "GET, POST")
                    .route(web::get().to(poll::poll))
                    .route(web::post().to(poll::posted)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/notices", "GET")
                    .route(web::get().to(notices::notices)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/sessions", "GET")
                    .route(web::get().to(sessions::all)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/sessions/{session}", "GET")
                    .route(web::get().to(sessions::one)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/alive", "POST")
                    .route(web::post().to(alive::alive)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/reports", "POST")
                    .route(web::post().to(reports::report)),
            )
            .service(
                room_resource("/rooms/{room}/peers/{peer}/tickets", "POST")
                    .route(web::post().to(tickets::issue)),
            )
            .service(resource("/ice-servers", "GET").route(web::get().to(ice_servers::ice_servers)))
            .service(resource("/probe", "GET").route(web::get().to(probe::probe)))
            .service(
                resource("/check", "GET, HEAD").route(web::route().guard(get()).to(assets::check)),
            )
            .service(
                resource("/console", "GET, HEAD")
                    .route(web::route().guard(get()).to(assets::console)),
            )
            .service(
                resource("/check/request", "GET, POST, PATCH, DELETE")
                    .route(web::get().to(check::request))
                    .route(web::post().to(check::request))
                    .route(web::patch().to(check::request))
                    .route(web::delete().to(check::request)),
            )
            .service(resource("/check/websocket", "GET").route(web::get().to(check::websocket)))
            .service(resource("/rooms", "GET").route(web::get().to(operator::rooms)))
            .service(
                room_resource("/rooms/{room}", "DELETE").route(web::delete().to(operator::close)),
            )
            .service(resource("/history", "GET").route(web::get().to(history::all)))
            .service(
                room_resource("/rooms/{room}/history", "GET")
                    .route(web::get().to(history::of_room)),
            )
            .service(resource("/metrics", "GET").route(web::get().to(metrics::metrics)))
            .service(
                resource("/problems/{slug}", "GET, HEAD")
                    .route(web::route().guard(get()).to(help::problem)),
            )
            .configure(health_routes)
            .default_service(web::to(assets::asset));
    }
}

/// What is served on the second address too.
pub(crate) fn admin_routes(doors: Arc<Doors>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        app.app_data(Data::from(doors))
            .configure(health_routes)
            .service(resource("/metrics", "GET").route(web::get().to(metrics::admin)))
            .default_service(web::to(|| async { Err::<&str, _>(unknown_path()) }));
    }
}

fn health_routes(app: &mut ServiceConfig) {
    app.service(resource("/livez", "GET, HEAD").route(web::route().guard(get()).to(health::livez)))
        .service(
            resource("/readyz", "GET, HEAD").route(web::route().guard(get()).to(health::readyz)),
        )
        .service(
            resource("/openapi.json", "GET, HEAD")
                .route(web::route().guard(get()).to(openapi::openapi)),
        );
}

/// A path that refuses the methods it does not take, and names those that it does.
fn resource(path: &str, allow: &'static str) -> actix_web::Resource {
    let refuse = move || async move { Err::<&str, _>(Problem::wrong_method(allow)) };
    web::resource(path).default_service(web::to(refuse))
}

fn get() -> impl Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

fn html() -> impl Guard {
    guard::fn_guard(|ctx| accept::names(Head::Web(ctx.head().headers()), "text/html"))
}

fn unknown_path() -> Problem {
    Problem::new(
        &problem::UNKNOWN_PATH,
        "GET / with curl shows what there is",
    )
}
