//! What fuzzing comes in by: the whole surface in one process, and thin doors to what reads
//! credentials, signals and headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use actix_web::test::{TestRequest, init_service};
use ipnet::IpNet;

use super::ask::{Ask, Head};
use super::client::{Client, Trust};
use super::token::{Bearer, Keys, Ticket, Use};
use super::{Doors, accept, app, signals};
use crate::access::Access;
use crate::config::{Config, ForwardedBy};
use crate::hub::{Caller, Hub, TicketId};
use crate::proto::{Cursor, Signal};

/// The doors of `hub` with all that stands around them.
pub async fn service(
    config: &Config,
    access: Access,
    hub: Hub,
) -> impl AsyncFn(TestRequest) -> HttpResponse {
    let address = config.listen.to_string();
    let ice = config.ice.servers(Vec::new(), None);
    let metrics = crate::metrics::Metrics::new().expect("names that differ");
    let watched = (Arc::new(metrics), None);
    let doors = Doors::new(
        hub,
        Arc::new(access),
        config,
        b"made",
        ice,
        address,
        watched,
    );
    let service = init_service(app(doors, &config.origins)).await;
    async move |request| {
        let answer = service.call(request.to_request()).await;
        let answer = answer.map(ServiceResponse::map_into_boxed_body);
        match answer {
            Ok(answer) => answer.into_parts().1,
            Err(error) => HttpResponse::from_error(error),
        }
    }
}

/// How deep signals may be nested here.
const DEPTH: usize = 64;

/// The signals of a body, and which of an array could not be understood; none where nothing could.
pub fn signals(body: &str, key: Option<&[u8]>) -> Option<(Vec<Signal>, Option<usize>)> {
    let mut request = TestRequest::post();
    if let Some(value) = key.and_then(|key| HeaderValue::from_bytes(key).ok()) {
        request = request.insert_header((HeaderName::from_static("idempotency-key"), value));
    }
    let request = request.to_http_request();
    let (signals, bad) = signals::understand(DEPTH, &Ask::of(&request), body).ok()?;
    Some((signals, bad.map(|(index, _)| index)))
}

/// Whom the client's address is, as bounds count it.
pub fn client(
    header: ForwardedBy,
    proxies: &[IpNet],
    sender: SocketAddr,
    values: &[&[u8]],
) -> IpAddr {
    let name = match header {
        ForwardedBy::XForwardedFor => "x-forwarded-for",
        ForwardedBy::Forwarded => "forwarded",
    };
    let trust = Trust::new(proxies.to_vec(), header);
    let values = values
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(value).ok());
    let request = values.fold(TestRequest::get().peer_addr(sender), |request, value| {
        request.append_header((HeaderName::from_static(name), value))
    });
    let request = request.to_http_request();
    Client::of(&Ask::of(&request), &trust).0
}

/// Whether these values of `Accept` name `wanted`.
pub fn accepts(values: &[&[u8]], wanted: &str) -> bool {
    let mut headers = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(ACCEPT, value);
        }
    }
    accept::names(Head::Web(&headers), wanted)
}

/// What signs and reads peer tokens and tickets.
pub struct Credentials(Keys);

impl Credentials {
    /// With one secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(Keys::new([secret].into_iter()))
    }

    /// A peer token that says this, whatever it is.
    pub fn signed_token(&self, said: &str) -> String {
        self.0.sign(Use::Peer, said)
    }

    /// A ticket that says this, whatever it is.
    pub fn signed_ticket(&self, said: &str) -> String {
        self.0.sign(Use::Ticket, said)
    }

    /// Whom a peer token names, and until when.
    pub fn token(&self, token: &str) -> Option<(Caller, Option<u64>)> {
        let Bearer { caller, until } = self.0.verify_peer_token(token).ok()?;
        Some((caller, until))
    }

    /// The same token, made anew.
    pub fn token_of(&self, caller: Caller, until: Option<u64>) -> String {
        self.0.peer_token(&Bearer { caller, until })
    }

    /// What a ticket says.
    #[expect(clippy::type_complexity, reason = "a ticket, taken apart")]
    pub fn ticket(&self, ticket: &str) -> Option<(Caller, Option<u64>, TicketId, Option<Cursor>)> {
        let Ticket { bearer, id, cursor } = self.0.verify_ticket(ticket).ok()?;
        Some((bearer.caller, bearer.until, id, cursor))
    }
}
