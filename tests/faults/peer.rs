//! A peer that has joined, by its token.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Answer, Connection, Events};

/// How a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sse,
    Ndjson,
    Poll,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sse => "SSE",
            Self::Ndjson => "NDJSON",
            Self::Poll => "poll",
        }
    }
}

/// One incarnation, as its client knows it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub addr: SocketAddr,
    pub room: String,
    pub name: String,
    pub token: String,
    pub cursor: String,
}

impl Peer {
    pub async fn join(addr: SocketAddr, room: &str, name: &str) -> io::Result<Self> {
        let mut connection = Connection::open(addr).await?;
        // With a key the join may be repeated when its answer is lost.
        let body = json!({ "peer": name, "key": format!("{room} {name}") }).to_string();
        let path = format!("/rooms/{room}/peers");
        let answer = connection.call("POST", &path, "", &body).await?;
        if answer.status != 201 && answer.status != 200 {
            return Err(io::Error::other(format!("{answer:?}")));
        }
        Ok(Self::of(addr, &answer.json))
    }

    /// The peer of a join's answer.
    pub fn of(addr: SocketAddr, joined: &Value) -> Self {
        let text = |field: &str| joined[field].as_str().expect("a text").to_owned();
        Self {
            addr,
            room: text("room"),
            name: text("peer"),
            token: text("token"),
            cursor: text("cursor"),
        }
    }

    pub fn path(&self, tail: &str) -> String {
        format!("/rooms/{}/peers/{}{tail}", self.room, self.name)
    }

    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// A request on a connection of its own.
    pub async fn call(&self, method: &str, tail: &str, body: &str) -> io::Result<Answer> {
        let mut connection = Connection::open(self.addr).await?;
        connection
            .call(method, &self.path(tail), &self.bearer(), body)
            .await
    }

    pub async fn signal(&self, signal: &Value) -> io::Result<Answer> {
        self.call("POST", "/signals", &signal.to_string()).await
    }

    /// Asks for what a reader of this kind gets, after the peer's cursor.
    pub async fn ask(&self, addr: SocketAddr, kind: Kind, cursor: &str) -> io::Result<Connection> {
        let mut connection = Connection::open(addr).await?;
        let accept = match kind {
            Kind::Ndjson => "Accept: application/x-ndjson\r\n",
            Kind::Sse | Kind::Poll => "",
        };
        let tail = if kind == Kind::Poll {
            "/poll"
        } else {
            "/events"
        };
        let headers = format!("{}{accept}Last-Event-ID: {cursor}\r\n", self.bearer());
        connection
            .send("GET", &self.path(tail), &headers, "")
            .await?;
        Ok(connection)
    }

    /// Opens a stream after this cursor, or says why not.
    pub async fn events(&self, kind: Kind, cursor: &str) -> io::Result<Result<Events, Answer>> {
        Events::of(self.ask(self.addr, kind, cursor).await?).await
    }
}
