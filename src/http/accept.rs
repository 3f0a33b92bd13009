//! What a client asks for by name (RFC 9110, section 12.5.1).

use actix_web::http::header::ACCEPT;

use super::ask::{Head, text};

/// Whether an `Accept` header names this very type, and not with `q=0`. Ranges like `*/*` name none.
pub(super) fn names(head: Head<'_>, wanted: &str) -> bool {
    let values = head.all(&ACCEPT).filter_map(text);
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_wanted = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        is_wanted && !parts.any(is_refused)
    })
}

fn is_refused(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or_default();
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn only_the_very_type_is_named() {
        for (accept, named) in [
            (&["text/html,application/xhtml+xml,*/*;q=0.8"][..], true),
            (&["Text/HTML;level=1;q=0.5"], true),
            (&["*/*", "text/html"], true),
            (&["*/*"], false),
            (&["text/*"], false),
            (&["text/html;q=0"], false),
            (&["text/html; Q=0.0, text/plain"], false),
            (&["text/htmlx"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(names(Head::Web(&headers), "text/html"), named, "{accept:?}");
        }
    }
}
