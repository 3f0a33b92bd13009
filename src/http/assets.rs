//! The pages and the browser client, out of the binary.

use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, VARY,
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

/// A page of this server, and what a browser lets it do.
struct Page {
    file: &'static str,
    /// Its own modules, styles and pictures and nothing else; no script or style within the page, no text made code.
    content: &'static str,
    /// What is asked of the user or of the machine; what is not named is as the browser has it.
    permissions: &'static str,
}

/// The call.
const DEMO: Page = Page {
    file: "index.html",
    content: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'",
    permissions: "camera=(self), microphone=(self), clipboard-write=(self), autoplay=(self), \
        display-capture=(), geolocation=(), midi=(), payment=(), usb=(), serial=(), hid=(), \
        accelerometer=(), gyroscope=(), magnetometer=(), xr-spatial-tracking=()",
};

/// The check of a network, which also tries a WebSocket; not every browser counts one as `'self'`.
const CHECK: Page = Page {
    file: "check/index.html",
    content: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'",
    permissions: "camera=(), microphone=(), clipboard-write=(self), autoplay=(), \
        display-capture=(), geolocation=(), midi=(), payment=(), usb=(), serial=(), hid=(), \
        accelerometer=(), gyroscope=(), magnetometer=(), xr-spatial-tracking=()",
};

/// What happens here, for operators. It asks nothing of the machine; what it shows is behind the operator's token.
const CONSOLE: Page = Page {
    file: "console/index.html",
    content: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'",
    permissions: CHECK.permissions,
};

/// Pages of other origins import the client.
const SHARED: &str = "client/";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// `GET /`, for browsers.
pub(super) async fn demo(req: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&req, &DEMO)
}

/// `GET /check`
pub(super) async fn check(req: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&req, &CHECK)
}

/// `GET /console`
pub(super) async fn console(req: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&req, &CONSOLE)
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

fn page(req: &HttpRequest, page: &Page) -> Result<HttpResponse, Problem> {
    let mut response = serve(req, page.file)?;
    // Also with a 304, by which a browser keeps the page that it has and takes these anew.
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, page.content),
        (REFERRER_POLICY, "no-referrer"),
        (PERMISSIONS_POLICY, page.permissions),
        (OPENER_POLICY, "same-origin"),
        (VARY, "accept"),
    ] {
        response
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    Ok(response)
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
        return Ok(response
            .insert_header((ETAG, etag))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .finish());
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
        .insert_header((
            RESOURCE_POLICY,
            if path.starts_with(SHARED) {
                "cross-origin"
            } else {
                "same-origin"
            },
        ));
    Ok(response.body(file.data.into_owned()))
}
