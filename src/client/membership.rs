//! A membership in a room: joining, sending, proofs of life, leaving.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Server;
use super::answer::{self, Trouble};

/// How long any answer may take that nothing is waited for at.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a peer wants of a join.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) room: String,
    pub(crate) peer: Option<String>,
    pub(crate) meta: Option<Box<RawValue>>,
    /// The client's own random word, by which a join may be repeated.
    pub(crate) key: String,
}

/// A place in a room.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) room: String,
    pub(crate) peer: String,
    pub(crate) token: String,
    /// The address that its doors stand under.
    own: String,
    /// Where its mailbox is read from first.
    pub(crate) cursor: Option<String>,
    pub(crate) heartbeat: Option<Duration>,
    /// The others, as the join was answered with them.
    pub(crate) others: Vec<Value>,
}

#[derive(Deserialize)]
struct Joined {
    peer: String,
    token: String,
    cursor: String,
    heartbeat_ms: u64,
    peers: Vec<Value>,
}

impl Wish {
    /// A wish whose join may be repeated.
    pub(crate) fn new(room: &str, peer: Option<String>) -> Self {
        Self {
            room: room.to_owned(),
            peer,
            meta: None,
            key: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    /// Joins. With the token of a membership that is to go on, its access is renewed.
    ///
    /// # Errors
    /// [`Trouble`], where it may be tried again with the same wish.
    pub(crate) async fn join(
        &self,
        server: &Server,
        access: Option<&str>,
        token: Option<&str>,
    ) -> Result<Membership, Trouble> {
        let mut body = json!({ "key": self.key });
        if let Some(peer) = &self.peer {
            body["peer"] = json!(peer);
        }
        if let Some(token) = token {
            body["token"] = json!(token);
        }
        let mut body = body.to_string();
        if let (Some(meta), None) = (&self.meta, token) {
            // As it was written, also where it has more digits than a number holds.
            body.pop();
            body.push_str(r#","meta":"#);
            body.push_str(meta.get());
            body.push('}');
        }
        let url = server.peers(&self.room);
        let mut request = server.http.post(&url).body(body).timeout(PATIENCE);
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        let joined: Joined = answer::json(answer::send(request).await?).await?;
        Ok(Membership {
            room: self.room.clone(),
            own: format!("{url}/{}", joined.peer),
            peer: joined.peer,
            token: joined.token,
            cursor: Some(joined.cursor),
            heartbeat: Some(Duration::from_millis(joined.heartbeat_ms)),
            others: joined.peers,
        })
    }
}

impl Membership {
    /// A membership that was joined elsewhere.
    pub(crate) fn existing(server: &Server, room: &str, peer: &str, token: String) -> Self {
        Self {
            room: room.to_owned(),
            peer: peer.to_owned(),
            own: format!("{}/{peer}", server.peers(room)),
            token,
            cursor: None,
            heartbeat: None,
            others: Vec::new(),
        }
    }

    /// A request at one of its doors.
    pub(crate) fn get(&self, server: &Server, door: &str) -> RequestBuilder {
        let url = format!("{}{door}", self.own);
        server.http.get(url).bearer_auth(&self.token)
    }

    /// The same with a body.
    pub(crate) fn post(&self, server: &Server, door: &str, body: String) -> RequestBuilder {
        let url = format!("{}{door}", self.own);
        let request = server.http.post(url).bearer_auth(&self.token);
        request.body(body)
    }

    /// Sends one signal, or an array of them.
    ///
    /// # Errors
    /// [`Trouble`], where it may be repeated if it has an id.
    pub(crate) async fn send(&self, server: &Server, signals: String) -> Result<Value, Trouble> {
        let request = self.post(server, "/signals", signals).timeout(PATIENCE);
        answer::json(answer::send(request).await?).await
    }

    /// Shows that the peer is still there.
    pub(crate) async fn alive(&self, server: &Server) {
        let request = self.post(server, "/alive", String::new());
        let _ = answer::send(request.timeout(PATIENCE)).await;
    }

    /// Leaves; where that does not pass, the membership runs out.
    pub(crate) async fn leave(&self, server: &Server) {
        let request = server.http.delete(&self.own).bearer_auth(&self.token);
        if answer::send(request.timeout(PATIENCE)).await.is_err() {
            // Some paths refuse the method.
            let url = format!("{}/leave", self.own);
            let request = server.http.post(url).body(self.token.clone());
            let _ = answer::send(request.timeout(PATIENCE)).await;
        }
    }
}
