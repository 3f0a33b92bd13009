//! The way up: requests, headers, versions, proxies, clocks.

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::LOCATION;
use reqwest::{Client, Method, RequestBuilder, Response, Url, Version};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::facts::{Outcome, Path, millis};
pub(super) use crate::client::answer::why;

const PATIENCE: Duration = Duration::from_secs(5);
const POSTS: usize = 5;
/// No secrets, and the server knows them: so it can say whether they came whole.
const SHOWN: &str = "switchboard-check";

#[derive(Deserialize)]
struct Arrived {
    method: String,
    version: String,
    via: String,
    forwarded: Vec<String>,
    authorization: String,
    last_event_id: String,
    time_ms: i64,
}

struct Trip {
    told: Arrived,
    here: Version,
    took: Duration,
    skew_ms: i64,
}

pub(super) async fn check(client: &Client, base: &str) -> Path {
    let mut path = Path::default();
    match ask(client, base, Method::GET).await {
        Ok(Trip {
            told, here, took, ..
        }) => {
            path.get = Outcome::good(took);
            path.authorization = Some(told.authorization);
            path.last_event_id = Some(told.last_event_id);
            path.version_there = Some(told.version);
            path.version_here = Some(format!("{here:?}"));
            (path.via, path.forwarded) = (told.via, told.forwarded);
        }
        Err(why) => path.get = Outcome::bad(why),
    }
    let arrives = async |method| match ask(client, base, method).await {
        Ok(trip) => Outcome::good(trip.took),
        Err(why) => Outcome::bad(why),
    };
    (path.patch, path.delete) = tokio::join!(arrives(Method::PATCH), arrives(Method::DELETE));
    // One that gets lost can be chance; most of them are no chance.
    let (mut trips, mut lost) = (Vec::new(), Vec::new());
    while trips.len() + lost.len() < POSTS && lost.len() * 2 < POSTS {
        match ask(client, base, Method::POST).await {
            Ok(trip) => trips.push(trip),
            Err(why) => lost.push(why),
        }
    }
    trips.sort_by_key(|trip| trip.took);
    path.posts = (trips.len(), trips.len() + lost.len());
    path.post = match lost.pop() {
        Some(why) if lost.len() * 2 + 2 > POSTS => Outcome::bad(why),
        _ => Outcome::good(trips[trips.len() / 2].took),
    };
    if let Some(quickest) = trips.first() {
        // The quickest trip leaves the least room for an error.
        path.skew_ms = Some(quickest.skew_ms);
        path.skew_doubt_ms = millis(quickest.took / 2);
    }
    path
}

/// Where a server of `http://` sends everybody on to its `https://`, as proxies do: that address.
pub(super) async fn moved(client: &Client, base: &str) -> Option<String> {
    const DOOR: &str = "/check/request";
    let request = client.get(format!("{base}{DOOR}")).timeout(PATIENCE);
    let response = send(request).await.ok()?;
    let there = location(&response)?;
    let (from, to) = (Url::parse(base).ok()?, Url::parse(&there).ok()?);
    let same = from.scheme() == "http" && to.scheme() == "https" && from.host() == to.host();
    let there = there.strip_suffix(DOOR).filter(|_| same)?;
    Some(there.to_owned())
}

fn location(response: &Response) -> Option<String> {
    let there = response.headers().get(LOCATION)?;
    let there = there.to_str().ok()?;
    response.status().is_redirection().then(|| there.to_owned())
}

async fn ask(client: &Client, base: &str, method: Method) -> Result<Trip, String> {
    let request = client
        .request(method.clone(), format!("{base}/check/request"))
        .bearer_auth(SHOWN)
        .header("last-event-id", SHOWN)
        .timeout(PATIENCE);
    let request = if method == Method::GET {
        request
    } else {
        request.body("check")
    };
    let (began, at) = (Instant::now(), now_ms());
    let response = send(request).await?;
    let here = response.version();
    let told: Arrived = json(response).await?;
    let took = began.elapsed();
    if told.method != method.as_str() {
        return Err("something on the way changed it".into());
    }
    let half = i64::try_from(took.as_millis() / 2).unwrap_or(i64::MAX);
    let skew_ms = told.time_ms.saturating_sub(at.saturating_add(half));
    Ok(Trip {
        told,
        here,
        took,
        skew_ms,
    })
}

pub(super) async fn send(request: RequestBuilder) -> Result<Response, String> {
    request.send().await.map_err(|error| why(&error))
}

/// An answer that is not what was hoped for.
pub(super) struct Odd {
    /// In a few words.
    pub(super) why: String,
    /// The status, where it is a refusal of the server's own.
    pub(super) refused: Option<u16>,
}

impl From<String> for Odd {
    fn from(why: String) -> Self {
        Self { why, refused: None }
    }
}

impl From<Odd> for String {
    fn from(odd: Odd) -> Self {
        odd.why
    }
}

/// An answer as JSON; anything else comes from something on the way.
pub(super) async fn json<T: DeserializeOwned>(mut response: Response) -> Result<T, Odd> {
    /// More than any answer to a check has, in bytes.
    const MOST: usize = 256 * 1024;
    const INSTEAD: &str = "something on the way answered in the server's place";
    let status = response.status();
    if let Some(there) = location(&response) {
        let status = status.as_u16();
        return Err(format!("HTTP {status}: it sends you on to {there}").into());
    }
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|error| why(&error))? {
        body.extend_from_slice(&bytes);
        if body.len() > MOST {
            return Err(INSTEAD.to_owned().into());
        }
    }
    let value: serde_json::Value = serde_json::from_slice(&body).map_err(|_| {
        if status.is_success() {
            INSTEAD.to_owned()
        } else {
            format!("HTTP {}, not from this server", status.as_u16())
        }
    })?;
    if !status.is_success() {
        let title = value["title"].as_str().unwrap_or("refused");
        let name = value["type"].as_str().unwrap_or_default();
        return Err(Odd {
            why: format!("HTTP {}: {title}", status.as_u16()),
            refused: name.starts_with("/problems/").then_some(status.as_u16()),
        });
    }
    let told = serde_json::from_value(value);
    told.map_err(|_| "the answer is none of a Switchboard".to_owned().into())
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
