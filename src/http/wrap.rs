//! What stands around every door: CORS, and a problem for whatever failed without one.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CONTENT_TYPE, HeaderName, ORIGIN, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, Error, HttpResponse, ResponseError as _};
use actix_web_lab::middleware::CatchPanic;

use super::ask::Head;
use super::auth::check_url;
use super::problem::{self, Problem};
use super::request_id;
use super::unread::Unread;
use super::{Doors, routes};
use crate::wire::{Answer, Block};

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// How long a browser may keep a preflight's answer, in seconds.
const PREFLIGHT_AGE: usize = 7200;

/// The public surface with all that stands around it.
pub(crate) fn app(
    doors: Arc<Doors>,
    origins: &[String],
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + 'static + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .configure(routes(doors))
        .wrap(CatchPanic::default())
        .wrap(from_fn(inner))
        .wrap(cors(origins))
        // What the CORS rules refuse gets no further in.
        .wrap(from_fn(problems))
        .wrap(from_fn(unread))
        .wrap(from_fn(timing))
        .wrap(from_fn(request_id::named))
        .wrap(DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")))
}

/// What a page of another origin may ask with.
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PATCH", "DELETE"];
/// And the headers that it may send.
static HEADERS: [HeaderName; 5] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
];
/// What the answers depend on.
const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The CORS rules: any origin where none is named, never credentials.
fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(HEADERS.iter().cloned())
        .expose_headers([RETRY_AFTER])
        .max_age(PREFLIGHT_AGE)
        .block_on_origin_mismatch(false);
    if origins.is_empty() {
        return cors.allow_any_origin().send_wildcard();
    }
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// The lines that all this adds to an answer, for answers that do not pass here.
pub(super) fn lines(readable: Option<Readable>) -> Block {
    static BY_ALL: LazyLock<String> = LazyLock::new(|| block(Some("*")));
    static BY_NONE: LazyLock<String> = LazyLock::new(|| block(None));
    match readable {
        Some(Readable::ByAll) => Cow::Borrowed(BY_ALL.as_str()),
        Some(Readable::By(origin)) => block(Some(&origin)).into(),
        None => Cow::Borrowed(BY_NONE.as_str()),
    }
}

fn block(readable: Option<&str>) -> String {
    common(readable) + "access-control-expose-headers: retry-after\r\n"
}

/// Those of them that a preflight's answer has too.
fn common(readable: Option<&str>) -> String {
    let mut lines = format!("x-content-type-options: nosniff\r\nvary: {VARY}\r\n");
    if let Some(origin) = readable {
        for name in ["access-control-allow-origin", "timing-allow-origin"] {
            lines.extend([name, ": ", origin, "\r\n"]);
        }
    }
    lines
}

/// By whom an answer may be read.
pub(super) enum Readable {
    ByAll,
    By(Box<str>),
}

/// By whom an answer to `origin` may be read.
pub(super) fn readable(origins: &[String], origin: &str) -> Option<Readable> {
    if origins.is_empty() {
        return Some(Readable::ByAll);
    }
    let listed = origins.iter().any(|listed| listed == origin);
    listed.then(|| Readable::By(origin.into()))
}

/// The answer to a preflight that the CORS rules let pass; none for any other request.
pub(super) fn preflight(origins: &[String], head: Head<'_>) -> Option<Answer> {
    let readable = readable(origins, head.text(&ORIGIN, "")?)?;
    let method = head.text(&ACCESS_CONTROL_REQUEST_METHOD, "")?;
    let asked = head.text(&ACCESS_CONTROL_REQUEST_HEADERS, "?");
    let is_known = |name: &str| {
        HEADERS
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_str()))
    };
    let all_known = asked.is_none_or(|names| names.split(',').map(str::trim).all(is_known));
    if !METHODS.contains(&method) || !all_known {
        return None;
    }
    let headers: Vec<_> = HEADERS.iter().map(HeaderName::as_str).collect();
    let mut answer = Answer::new(StatusCode::OK)
        .with("access-control-allow-methods", METHODS.join(", "))
        .with("access-control-allow-headers", headers.join(", "))
        .with("access-control-max-age", PREFLIGHT_AGE.to_string());
    answer.block = match readable {
        Readable::ByAll => common(Some("*")),
        Readable::By(origin) => common(Some(&origin)),
    }
    .into();
    Some(answer)
}

/// The same as [`problems`] for what the CORS rules let in, whose URL must hold no credential.
async fn inner(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(doors) = req.app_data::<Data<Doors>>().cloned() else {
        return problems(req, next).await;
    };
    let id = request_id::of(req.request());
    let answer = match check_url(req.query_string(), &doors) {
        Ok(()) => problems(req, next).await,
        // Not as an error, which what stands around this would not see.
        Err(problem) => Ok(req.into_response(HttpResponse::from_error(problem))),
    };
    let error = match &answer {
        Ok(answer) => answer.response().error(),
        Err(error) => Some(error),
    };
    if let Some(problem) = error.and_then(|error| error.as_error::<Problem>()) {
        doors.refused(problem, id.as_ref());
    }
    answer
}

/// Gives a body to refusals that come without one: a refused preflight, or a panic that was caught.
/// A request whose head is no HTTP is refused below this, with a bare 400, 408 or 431.
pub(crate) async fn problems(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match next.call(req).await {
        Ok(response) => {
            let status = response.status();
            let ours = response.headers().contains_key(CONTENT_TYPE);
            if status.as_u16() < 400 || ours {
                return Ok(response.map_into_boxed_body());
            }
            let problem = of_status(status);
            Ok(response
                .into_response(problem.error_response())
                .map_into_boxed_body())
        }
        Err(error) if error.as_error::<Problem>().is_some() => Err(error),
        Err(error) => Err(of_status(error.as_response_error().status_code()).into()),
    }
}

/// Shows pages that may read an answer also which HTTP version its way has.
async fn timing(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(req).await?;
    if let Some(whose) = answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned() {
        answer.headers_mut().insert(TIMING_ALLOW_ORIGIN, whose);
    }
    Ok(answer)
}

/// Has what was left unread of a body held until the answer is out.
pub(crate) async fn unread(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let unread = Unread::of(&mut req);
    let answer = next.call(req).await?.map_into_boxed_body();
    Ok(match unread {
        Some(unread) => answer.map_body(|_, body| unread.held_by(body)),
        None => answer,
    })
}

fn of_status(status: StatusCode) -> Problem {
    match status.as_u16() {
        404 => super::unknown_path(),
        408 => Problem::new(&problem::TOO_SLOW, "send the request without pauses"),
        413 => Problem::new(&problem::TOO_LARGE, "send less at a time"),
        500.. => {
            tracing::error!(%status, "a request failed inside the server");
            Problem::new(&problem::INTERNAL, "try again; the server's log says more")
        }
        _ => Problem::new(&problem::BAD_REQUEST, "the request cannot be understood"),
    }
}

#[cfg(test)]
mod panics;

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::{TestRequest, call_service, init_service, read_body_json};

    use super::*;
    use crate::access::{Access, Options};
    use crate::backplane::Memory;
    use crate::config::Config;
    use crate::hub::{Clock, Hub};
    use crate::proto::Time;

    #[actix_web::test]
    async fn a_refused_preflight_is_a_problem_too() {
        let config = Config::standard();
        let clock = Clock::machine(Time(0));
        let hub = Hub::new(config.bounds.limits(), config.timings(), clock, Memory);
        let access = Access::new(Options::default()).expect("no keys");
        let ice = config.ice.servers(Vec::new(), None);
        let metrics = crate::metrics::Metrics::new().expect("names that differ");
        let doors = Doors::new(
            hub,
            Arc::new(access),
            &config,
            b"secret",
            ice,
            String::new(),
            (Arc::new(metrics), None),
        );
        let app = init_service(app(doors, &[])).await;
        let preflight = TestRequest::with_uri("/rooms/demo/peers")
            .method(Method::OPTIONS)
            .insert_header(("origin", "https://page.example"))
            .insert_header(("access-control-request-method", "PUT"));
        let answer = call_service(&app, preflight.to_request()).await;
        assert_eq!(answer.status(), 422);
        let kind = answer.headers().get(CONTENT_TYPE).expect("a type");
        assert_eq!(kind, "application/problem+json");
        let told: serde_json::Value = read_body_json(answer).await;
        assert_eq!(told["type"], "/problems/bad-request");
    }
}
