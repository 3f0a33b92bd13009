//! What curl gets at `/`: commands to paste, for this very server; and what a problem means.

use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderName, VARY};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::problem::{Problem, SLUGS};
use super::{Doors, random, unknown_path};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The page; `{BASE}` and `{ROOM}` are filled in for each request.
const PAGE: &str = include_str!("help.txt");

/// `GET /`, for who does not ask for HTML.
pub(super) async fn text(doors: Data<Doors>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let room = format!("demo-{:05x}", random::number()? & 0xf_ffff);
    let page = PAGE
        .replace("{BASE}", &base(&req, &doors))
        .replace("{ROOM}", &room);
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "accept"))
        .content_type("text/plain; charset=utf-8")
        .body(page))
}

/// `GET /problems/{slug}`
pub(super) async fn problem(slug: Path<String>) -> Result<HttpResponse, Problem> {
    let found = SLUGS.iter().find(|known| known.name == slug.as_str());
    let known = found.ok_or_else(unknown_path)?;
    let text = format!(
        "{}: {} (status {})\n\nThe field \"detail\" of the answer says what to do.\n",
        known.name, known.title, known.status
    );
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(text))
}

/// The address under which the caller reached this server.
fn base(req: &HttpRequest, doors: &Doors) -> String {
    let header = |name| {
        req.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".:-[]".contains(&b);
    let host = header(HOST).filter(|host| !host.is_empty() && host.bytes().all(plain));
    let secure = doors.secure || header(FORWARDED_PROTO) == Some("https");
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{}", host.unwrap_or(&doors.address))
}
