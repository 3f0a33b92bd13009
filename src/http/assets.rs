//! The pages and the browser client, out of the binary.

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::Problem;
use super::unknown_path;

#[derive(RustEmbed)]
#[folder = "web/"]
#[include = "*.html"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
#[exclude = "*/node_modules/*"]
struct Web;

/// What a page may do: load its own modules, styles and pictures, and talk to any server.
const PAGE_POLICY: &str = "default-src 'self'; connect-src *; img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; object-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self)";

/// `GET /`, for browsers.
pub(super) async fn demo(req: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&req, "index.html")
}

/// `GET /check`
pub(super) async fn check(req: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&req, "check/index.html")
}

/// Every path that nothing else is at.
pub(super) async fn asset(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = req.path().trim_start_matches('/');
    let page = path.ends_with(".html");
    if page || Web::get(path).is_none() {
        return Err(unknown_path());
    }
    if *req.method() != Method::GET && *req.method() != Method::HEAD {
        return Err(Problem::wrong_method("GET, HEAD"));
    }
    serve(&req, path)
}

fn serve(req: &HttpRequest, path: &str) -> Result<HttpResponse, Problem> {
    let file: EmbeddedFile = Web::get(path).ok_or_else(unknown_path)?;
    let hash: String = file
        .metadata
        .sha256_hash()
        .iter()
        .take(12)
        .map(|b| format!("{b:02x}"))
        .collect();
    let etag = format!("\"{hash}\"");
    let known = req
        .headers()
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|tag| tag.trim().ends_with(&etag))) {
        let mut response = HttpResponse::NotModified();
        return Ok(response.insert_header((ETAG, etag)).finish());
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_().as_str() {
        "text" => format!("{}; charset=utf-8", kind.essence_str()),
        _ => kind.essence_str().to_owned(),
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((ETAG, etag))
        // Asked for again each time, answered by 304: a new binary brings its own client.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if path.ends_with(".html") {
        response
            .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((PERMISSIONS_POLICY, PERMISSIONS))
            .insert_header(("vary", "accept"));
    }
    Ok(response.body(file.data.into_owned()))
}
