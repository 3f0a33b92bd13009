//! A peer of a room of its own, or of one that is named: joins, opens the real stream, polls, leaves.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde::Deserialize;

use super::facts::{Outcome, millis};
use super::ice::Server;
use super::path::{json, send, why};
use crate::ice::IceUrl;

const PATIENCE: Duration = Duration::from_secs(6);
/// As long as the browser client gives a stream to prove itself, and a second for its start.
const STREAM: Duration = Duration::from_secs(4);
const LONG_POLL: Duration = Duration::from_secs(25);
/// An answer that comes so much sooner was not held for its whole time.
const EARLY_MS: u64 = 1000;
/// What a full server says of itself.
pub(super) const BUSY: &str = "the server is full";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Joined {
    peer: String,
    token: String,
    #[serde(rename = "heartbeat_ms")]
    heartbeat_ms: u64,
    ice_servers: Vec<Named>,
}

/// Addresses of STUN and TURN servers that are asked of those that the server names; each makes
/// requests of its own.
const MOST_ICE: usize = 8;

/// As an `RTCIceServer` names it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Named {
    urls: Urls,
    username: String,
    credential: String,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl Default for Urls {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Deserialize)]
struct Polled {
    #[serde(rename = "events")]
    _events: Vec<serde::de::IgnoredAny>,
}

impl Joined {
    pub(super) fn servers(&self) -> Vec<Server> {
        let servers = self.ice_servers.iter().flat_map(|named| {
            let urls = match &named.urls {
                Urls::One(url) => std::slice::from_ref(url),
                Urls::Many(urls) => urls,
            };
            urls.iter().filter_map(|url| {
                let (username, credential) = (named.username.clone(), named.credential.clone());
                Some(Server {
                    url: IceUrl::parse(url).ok()?,
                    username,
                    credential,
                })
            })
        });
        servers.take(MOST_ICE).collect()
    }
}

pub(super) struct Member<'a> {
    client: &'a Client,
    own: String,
    told: Joined,
    pub(super) joined: Outcome,
    pub(super) heartbeat_ms: u64,
}

impl<'a> Member<'a> {
    /// Joins this room, or one of its own.
    pub(super) async fn join(
        client: &'a Client,
        base: &str,
        room: Option<&str>,
        access: Option<&str>,
    ) -> Self {
        let own = || format!("check-{}", uuid::Uuid::new_v4().simple());
        let room = room.map_or_else(own, str::to_owned);
        let room = format!("{base}/rooms/{room}/peers");
        let began = Instant::now();
        let joining = async {
            let mut request = client.post(&room).body("{}").timeout(PATIENCE);
            if let Some(token) = access {
                request = request.bearer_auth(token);
            }
            json::<Joined>(send(request).await?).await
        };
        let (told, joined) = match joining.await {
            Ok(told) if told.token.is_empty() || told.peer.is_empty() => (
                Joined::default(),
                Outcome::bad("the answer is none of a Switchboard"),
            ),
            Ok(told) => (told, Outcome::good(began.elapsed())),
            Err(odd) => {
                let refused = odd.refused;
                let joined = Outcome {
                    refused,
                    ..Outcome::bad(odd)
                };
                (Joined::default(), joined)
            }
        };
        let (own, heartbeat_ms) = (format!("{room}/{}", told.peer), told.heartbeat_ms);
        Self {
            client,
            own,
            told,
            joined,
            heartbeat_ms,
        }
    }

    /// The STUN and TURN servers that peers are told of.
    pub(super) fn ice_servers(&self) -> Vec<Server> {
        self.told.servers()
    }

    /// One after the other: the newer reader takes the place of the older.
    pub(super) async fn stream_and_poll(&self) -> (Outcome, Outcome) {
        if !self.joined.ok {
            let not = Outcome::bad("not tried, for want of a join");
            return (not.clone(), not);
        }
        let began = Instant::now();
        let stream = match tokio::time::timeout(STREAM, self.proved()).await {
            Ok(Ok(first)) => Outcome::good(first.duration_since(began)),
            Ok(Err(why)) => Outcome::bad(why),
            Err(_) => Outcome::bad("held back: the first two events did not come in time"),
        };
        (stream, self.poll(Duration::from_secs(1)).await)
    }

    /// Waits for the event that shows a stream to pass; the time of the first.
    async fn proved(&self) -> Result<Instant, String> {
        /// More than the beginning of a stream in an empty room, in bytes.
        const MOST: usize = 16 * 1024;
        let request = self
            .client
            .get(format!("{}/events", self.own))
            .bearer_auth(&self.told.token);
        let mut response = send(request.header("accept", "text/event-stream")).await?;
        if !response.status().is_success() {
            return Err(format!("HTTP {}", response.status().as_u16()));
        }
        let (mut seen, mut first) = (Vec::new(), None);
        while let Some(bytes) = response.chunk().await.map_err(|error| why(&error))? {
            seen.extend_from_slice(&bytes);
            let has = |wanted: &[u8]| seen.windows(wanted.len()).any(|part| part == wanted);
            if has(br#""reason":"busy""#) {
                return Err(BUSY.into());
            }
            if has(b"event: ready") {
                first.get_or_insert_with(Instant::now);
            }
            if let (Some(first), true) = (first, has(b"event: ping")) {
                return Ok(first);
            }
            if seen.len() > MOST {
                break;
            }
        }
        Err("it ended at once".into())
    }

    /// Nobody is there who could make it end early.
    pub(super) async fn long_poll(&self) -> Outcome {
        let poll = self.poll(LONG_POLL).await;
        if poll.ok && poll.ms < Some(millis(LONG_POLL) - EARLY_MS) {
            return Outcome {
                ms: poll.ms,
                ..Outcome::bad("answered too early")
            };
        }
        poll
    }

    async fn poll(&self, wait: Duration) -> Outcome {
        let url = format!("{}/poll?wait={}", self.own, wait.as_secs());
        let request = self
            .client
            .get(url)
            .bearer_auth(&self.told.token)
            .timeout(wait + PATIENCE);
        let began = Instant::now();
        let polled = async { json::<Polled>(send(request).await?).await };
        match polled.await {
            Ok(_) => Outcome::good(began.elapsed()),
            Err(why) => Outcome {
                ms: Some(millis(began.elapsed())),
                ..Outcome::bad(why)
            },
        }
    }

    /// By POST, which passes where DELETE does not. Where it fails the membership runs out.
    pub(super) async fn leave(&self) {
        if self.joined.ok {
            let request = self
                .client
                .post(format!("{}/leave", self.own))
                .timeout(PATIENCE);
            let _ = send(request.body(self.told.token.clone())).await;
        }
    }
}
