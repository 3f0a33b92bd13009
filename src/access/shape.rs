//! What an access token looks like, for who only wants to know whether a text is one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether a text looks like a JWT, signed (RFC 7515) or encrypted (RFC 7516), of whomever: three or
/// five parts of base64url, the first of which begins as a JSON object.
pub(crate) fn is_jwt(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let decoded = |part: &&str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
    let header = parts.first().and_then(decoded).unwrap_or_default();
    let names = header.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let is_header = text.starts_with("eyJ") || names.is_some_and(|names| names.starts_with(b"\""));
    matches!(parts.len(), 3 | 5)
        && is_header
        && parts.iter().all(|part| part.bytes().all(is_base64url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_told_from_other_texts_with_dots() {
        let pretty = URL_SAFE_NO_PAD.encode("{\n  \"alg\": \"HS256\"\n}");
        for jwt in [
            "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiKiJ9.c2lnbmF0dXJl",
            "eyJhbGciOiJub25lIn0.eyJyb29tIjoiKiJ9.",
            "eyJhbGciOiJIUzI1NiJ9=.eyJyb29tIjoiKiJ9==.c2lnbmF0dXJl",
            "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d",
            "eyJ.b.c",
            &format!("{pretty}.e30.c2lnbmF0dXJl"),
        ] {
            assert!(is_jwt(jwt), "{jwt}");
        }
        for other in [
            "",
            "eyJ",
            "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiKiJ9",
            "eye.of.storm",
            "class.7.a",
            "192.0.2.1",
            "eyJhbGciOiJIUzI1NiJ9.two words.x",
            "sp1.eyJhbGciOiJIUzI1NiJ9.x",
        ] {
            assert!(!is_jwt(other), "{other}");
        }
    }
}
