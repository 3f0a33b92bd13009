//! Answers: what the server says, what it refuses, and what was said in its place.

use std::fmt;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{certificate, names, plain};

/// More than any answer has, in bytes.
const MOST: usize = 8 * 1024 * 1024;

/// A refusal of the server's (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// Its stable name.
    pub slug: String,
    /// What that means.
    pub(crate) title: String,
    /// What to do.
    pub(crate) detail: String,
    /// Why a membership or session has ended.
    pub reason: Option<String>,
    /// When it may be tried again.
    pub retry_after: Option<Duration>,
    /// A bound that waiting alone does not change.
    pub(crate) limit: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    r#type: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    reason: Option<String>,
    limit: Option<String>,
}

impl Refusal {
    /// A refusal by its status and name alone.
    pub(crate) fn of(status: u16, slug: &str) -> Self {
        Self {
            status,
            slug: slug.into(),
            ..Self::default()
        }
    }

    fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Option<Self> {
        let problem: Problem = serde_json::from_slice(body).ok()?;
        Some(Self {
            status,
            slug: problem.r#type.strip_prefix("/problems/")?.to_owned(),
            title: problem.title,
            detail: problem.detail,
            reason: problem.reason,
            retry_after,
            limit: problem.limit,
        })
    }

    /// Whether the same may be taken later.
    pub fn is_passing(&self) -> bool {
        (self.status == 429 && self.limit.is_none()) || self.status >= 500 || self.status == 408
    }

    /// Why the membership has ended, where it has.
    pub fn ended(&self) -> Option<&str> {
        match self.slug.as_str() {
            "ended" => Some(self.reason.as_deref().unwrap_or("unknown")),
            "unknown-room" | "unknown-peer" => Some("unknown"),
            _ => None,
        }
    }

    /// Whether it is a matter of an access token that has run out.
    pub fn is_expired(&self) -> bool {
        self.slug == "bad-token" && self.reason.as_deref() == Some("expired")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            slug,
            title,
            detail,
            reason,
            ..
        } = self;
        write!(f, "{} ({status})", plain(slug))?;
        if !title.is_empty() {
            write!(f, ": {}", plain(title))?;
        }
        if let Some(reason) = reason {
            write!(f, ", reason {}", plain(reason))?;
        }
        if !detail.is_empty() {
            write!(f, "; {}", plain(detail))?;
        }
        Ok(())
    }
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No connection came about.
    Unreached(String),
    /// The answer got lost, or something else answered.
    Lost(String),
    /// The server refused.
    Refused(Refusal),
}

impl Trouble {
    fn lost(text: impl Into<String>) -> Self {
        Self::Lost(text.into())
    }

    /// Of what a request or its answer died.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unreached(why(error))
        } else {
            Self::Lost(why(error))
        }
    }
}

/// What failed, without the address that it failed at.
pub(crate) fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    if let Some(why) = certificate::untrusted(error) {
        return why;
    }
    if let Some(why) = names::unresolved(error) {
        return why;
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    let what = if error.is_connect() {
        "cannot connect"
    } else {
        "the connection failed"
    };
    format!("{what}: {source}")
}

/// Sends a request; an answer that is none of success is trouble.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, Trouble> {
    let response = request.send().await.map_err(|error| Trouble::of(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(trouble(response).await)
}

/// An answer's body as JSON.
pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> Result<T, Trouble> {
    let body = body(response).await?;
    serde_json::from_slice(&body)
        .map_err(|_| Trouble::lost("something on the way answered in the server's place"))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(bytes) = response
        .chunk()
        .await
        .map_err(|error| Trouble::of(&error))?
    {
        body.extend_from_slice(&bytes);
        if body.len() > MOST {
            return Err(Trouble::lost(
                "something on the way answered in the server's place",
            ));
        }
    }
    Ok(body)
}

async fn trouble(response: Response) -> Trouble {
    let status = response.status();
    let header = |name| {
        let value = response.headers().get(name);
        value.and_then(|value| value.to_str().ok().map(str::to_owned))
    };
    if let Some(there) = header(LOCATION).filter(|_| status.is_redirection()) {
        return Trouble::lost(format!(
            "HTTP {}: it sends you on to {}",
            status.as_u16(),
            plain(&there)
        ));
    }
    let after = header(RETRY_AFTER).and_then(|text| text.parse().ok());
    let after = after.map(Duration::from_secs);
    match body(response).await {
        Ok(body) => match Refusal::read(status.as_u16(), after, &body) {
            Some(refusal) => Trouble::Refused(refusal),
            None => Trouble::lost(format!("HTTP {}, not from this server", status.as_u16())),
        },
        Err(trouble) => trouble,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Option<Refusal> {
        Refusal::read(status, None, body.as_bytes())
    }

    #[test]
    fn a_refusal_says_its_name_first_and_hides_no_control_characters() {
        let text = r#"{"type":"/problems/peer-left","title":"The peer has left","detail":"wait\u001b[2J","reason":"timeout"}"#;
        let said = read(410, text).expect("a refusal").to_string();
        assert_eq!(
            said,
            "peer-left (410): The peer has left, reason timeout; wait\u{fffd}[2J"
        );
        assert_eq!(read(410, "<html>"), None);
        assert_eq!(read(410, r#"{"type":"about:blank"}"#), None);
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        let full = read(429, r#"{"type":"/problems/mailbox-full"}"#).expect("a refusal");
        assert!(full.is_passing());
        let limit = r#"{"type":"/problems/rate-limited","limit":"sessions"}"#;
        assert!(!read(429, limit).expect("a refusal").is_passing());
        assert!(Refusal::of(503, "draining").is_passing());
        assert!(!Refusal::of(409, "peer-exists").is_passing());
        assert_eq!(Refusal::of(404, "unknown-room").ended(), Some("unknown"));
        assert_eq!(Refusal::of(403, "not-allowed").ended(), None);
    }
}
