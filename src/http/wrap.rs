//! What stands around every door: CORS, and a problem for whatever failed without one.

use actix_cors::Cors;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};

use super::problem::{self, Problem};
use super::unread::Unread;

/// How long a browser may keep a preflight's answer, in seconds.
const PREFLIGHT_AGE: usize = 7200;

/// The CORS rules: any origin where none is named, never credentials.
pub(crate) fn cors(origins: &[String]) -> Cors {
    let headers = [
        AUTHORIZATION,
        CONTENT_TYPE,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("traceparent"),
    ];
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PATCH", "DELETE"])
        .allowed_headers(headers)
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

/// Gives a body to refusals that come without one: a refused preflight, or a panic that was caught.
/// A request whose head is no HTTP is refused below this, with a bare 400, 408 or 431.
pub(crate) async fn problems(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let unread = Unread::of(&mut req);
    let answer = answered(req, next).await?;
    Ok(match unread {
        Some(unread) => answer.map_body(|_, body| unread.held_by(body)),
        None => answer,
    })
}

async fn answered(
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
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};
    use actix_web_lab::middleware::CatchPanic;

    use super::*;

    async fn panics() -> HttpResponse {
        panic!("on purpose")
    }

    #[actix_web::test]
    async fn a_panic_is_a_problem_of_that_request_and_of_no_other() {
        let app = App::new()
            .route("/panics", web::get().to(panics))
            .route("/works", web::get().to(|| async { "ok" }))
            .wrap(CatchPanic::default())
            .wrap(from_fn(problems));
        let app = test::init_service(app).await;
        for _ in 0..3 {
            let request = test::TestRequest::get().uri("/panics").to_request();
            let error = test::try_call_service(&app, request).await;
            let response = error.expect_err("a panic").error_response();
            assert_eq!(response.status(), 500);
            let kind = response.headers().get(CONTENT_TYPE).expect("a type");
            assert_eq!(kind, "application/problem+json");
            let request = test::TestRequest::get().uri("/works").to_request();
            assert_eq!(test::call_service(&app, request).await.status(), 200);
        }
    }
}
