//! A call between two peers, one of whom meets with a fault.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Answer, Connection, Event, Events, of_json};
use crate::peer::{Kind, Peer};
use crate::watch::Watch;

/// Alice and bob in a room of their own, in a session. Alice watches; bob meets with the fault.
pub struct Scene {
    pub alice: Peer,
    pub bob: Peer,
    pub watch: Watch,
    /// The numbers that were answered with 202, and what the sender was told of bob, counted.
    pub accepted: Vec<u64>,
    pub told: BTreeMap<String, usize>,
    number: u64,
}

/// What bob has got, over all his readers.
#[derive(Debug, Default)]
pub struct Got {
    pub numbers: Vec<u64>,
    pub cursor: String,
    pub opened: u32,
    /// What the last reader said of the resume.
    pub resumed: Option<bool>,
    pub gaps: Vec<String>,
    /// The reason with which the last reader ended.
    pub end: Option<String>,
}

/// An open reader of bob's.
pub enum Open {
    Stream(Box<Events>),
    Poll(Connection),
}

impl Scene {
    pub async fn begin(addr: SocketAddr, room: &str) -> Self {
        let alice = Peer::join(addr, room, "alice").await.expect("alice joins");
        let bob = Peer::join(addr, room, "bob").await.expect("bob joins");
        let watch = Watch::of(&alice).await;
        let mut scene = Self {
            alice,
            bob,
            watch,
            accepted: Vec::new(),
            told: BTreeMap::new(),
            number: 0,
        };
        let offer = json!({"to": "bob", "type": "offer", "session": "s1", "data": 0});
        let answer = scene.alice.signal(&offer).await.expect("an answer");
        scene.count(answer, 0);
        scene
    }

    /// Alice sends the next number.
    pub async fn say(&mut self) {
        let from = self.alice.clone();
        self.say_from(&from, "").await;
    }

    /// Somebody sends the next number, with so much more. Whether it was accepted.
    pub async fn say_from(&mut self, from: &Peer, more: &str) -> bool {
        self.number += 1;
        let number = self.number;
        let signal = json!({"to": "bob", "type": "n", "data": number, "more": more});
        let signal = if more.is_empty() {
            signal
        } else {
            json!({"to": "bob", "type": "n", "data": [number, more]})
        };
        let answer = from.signal(&signal).await.expect("an answer");
        self.count(answer, number)
    }

    pub fn count(&mut self, answer: Answer, number: u64) -> bool {
        let state = &answer.json["results"][0]["to"][0]["state"];
        let told = state.as_str().map_or_else(
            || format!("{} {}", answer.status, answer.slug()),
            str::to_owned,
        );
        *self.told.entry(told).or_default() += 1;
        if answer.status == 202 {
            self.accepted.push(number);
        }
        answer.status == 202
    }

    /// What the sender was told of bob, in words.
    pub fn told(&self) -> String {
        let parts = self
            .told
            .iter()
            .map(|(what, count)| format!("{what} ×{count}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Bob opens a reader at his cursor.
    pub async fn open(&self, addr: SocketAddr, kind: Kind, got: &mut Got) -> io::Result<Open> {
        if got.cursor.is_empty() {
            got.cursor.clone_from(&self.bob.cursor);
        }
        got.opened += 1;
        got.end = None;
        let connection = self.bob.ask(addr, kind, &got.cursor).await?;
        if kind == Kind::Poll {
            return Ok(Open::Poll(connection));
        }
        let opened = Events::of(connection).await?;
        let events = opened.map_err(|answer| io::Error::other(format!("{answer:?}")))?;
        Ok(Open::Stream(Box::new(events)))
    }

    /// Bob reads until he has everything that was accepted, or the reader ends.
    pub async fn read(&self, open: &mut Open, got: &mut Got) -> io::Result<()> {
        while got.numbers.len() < self.accepted.len() {
            if !read_on(open, got).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Bob comes back, and reads until he has everything.
    pub async fn come_back(&self, addr: SocketAddr, kind: Kind, got: &mut Got) {
        let all = async {
            while got.numbers.len() < self.accepted.len() {
                let mut open = self.open(addr, kind, got).await.expect("a reader");
                self.read(&mut open, got).await.expect("what was missed");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all)
            .await
            .expect("in time");
        assert_eq!(got.numbers, self.accepted, "everything, once and in order");
        assert!(got.gaps.is_empty(), "{:?}", got.gaps);
    }
}

/// Takes what comes next; whether the reader goes on.
pub async fn read_on(open: &mut Open, got: &mut Got) -> io::Result<bool> {
    match open {
        Open::Stream(events) => match events.next().await? {
            Some(event) => {
                got.take(&event);
                Ok(true)
            }
            None => Ok(false),
        },
        Open::Poll(connection) => {
            let answer = connection.answer().await?;
            assert_eq!(answer.status, 200, "{answer:?}");
            got.opening(&answer.json);
            for event in answer.json["events"].as_array().expect("events") {
                got.take(&of_json(event));
            }
            let cursor = answer.json["cursor"].as_str().expect("a cursor");
            cursor.clone_into(&mut got.cursor);
            Ok(false)
        }
    }
}

impl Got {
    fn opening(&mut self, said: &serde_json::Value) {
        // A stream says so; a poll that is not resumed holds the peers as of now.
        self.resumed = said["resumed"].as_bool().or(Some(said["peers"].is_null()));
        if let Some(reason) = said["gap"]["reason"].as_str() {
            self.gaps.push(reason.to_owned());
        }
    }

    fn take(&mut self, event: &Event) {
        match event.name.as_str() {
            "ready" => self.opening(&event.data),
            "signal" => {
                let data = &event.data["data"];
                let number = data.as_u64().or_else(|| data[0].as_u64());
                self.numbers.push(number.expect("a number"));
            }
            "end" => self.end = event.data["reason"].as_str().map(str::to_owned),
            _ => {}
        }
        if let Some(id) = &event.id {
            self.cursor.clone_from(id);
        }
    }

    /// How the return went, in words.
    pub fn summary(&self) -> String {
        let how = match self.resumed {
            Some(true) => "resumed",
            Some(false) => "not resumed",
            None => "the same reader",
        };
        format!("{how}: {} of {0}, in order", self.numbers.len())
    }
}

/// How long after `since`, in words.
pub fn after(since: Instant, at: Option<Instant>) -> String {
    at.map_or_else(
        || "–".to_owned(),
        |at| format!("{:.1} s", at.duration_since(since).as_secs_f64()),
    )
}
