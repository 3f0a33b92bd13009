//! What a reader is given, one event after the other, each within its time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use serde_json::Value;
use switchboard::hub::{Flow, Opening, Reader, Sink};
use switchboard::proto::{Cursor, Frame, Reason};
use tokio::time::{Instant, timeout};

use super::house::PATIENCE;

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<Cursor>,
    pub name: String,
    pub data: Value,
}

/// What came of a pull.
#[derive(Default)]
struct Pulled {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Pulled {
    fn take(&mut self, id: Option<Cursor>, frame: &Frame) {
        self.bytes += frame.cost();
        let name = String::from_utf8(frame.name().to_vec()).expect("a name");
        // How a stream shows that it is there, and whether the store answers, come in their own time.
        if name == "ping" || name == "store" {
            return;
        }
        let data = serde_json::from_slice(frame.data()).expect("a JSON text");
        self.events.push_back(Event { id, name, data });
    }
}

impl Sink for Pulled {
    fn event(&mut self, id: Cursor, frame: &Frame) {
        self.take(Some(id), frame);
    }

    fn control(&mut self, frame: &Frame) {
        self.take(None, frame);
    }

    fn len(&self) -> usize {
        self.bytes
    }
}

/// An open reader. Dropped, its connection is lost.
pub struct Reading {
    reader: Reader,
    pub opening: Opening,
    events: VecDeque<Event>,
}

impl Reading {
    pub fn new(reader: Reader, opening: Opening) -> Self {
        let events = VecDeque::new();
        Self {
            reader,
            opening,
            events,
        }
    }

    /// Up to where it was given events.
    pub fn cursor(&self) -> Cursor {
        self.reader.cursor()
    }

    /// Waits for more; why it is over, if it is.
    async fn pull(&mut self) -> Result<(), Reason> {
        let mut pulled = Pulled::default();
        let pull = poll_fn(|cx| self.reader.poll_pull(cx, &mut pulled));
        let flow = timeout(PATIENCE, pull).await.expect("something in time");
        self.events.extend(pulled.events);
        match flow {
            Flow::Wrote | Flow::More => Ok(()),
            Flow::Ended(reason) => Err(reason),
        }
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the event never comes");
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let over = self.pull().await.err();
            assert!(over.is_none() || !self.events.is_empty(), "{over:?}");
        }
    }

    /// The next event is this.
    pub async fn hears(&mut self, name: &str, data: Value) -> Event {
        let event = self.next().await;
        assert_eq!((event.name.as_str(), &event.data), (name, &data));
        event
    }

    /// The next events have these names.
    pub async fn hears_of(&mut self, names: &[&str]) {
        for name in names {
            assert_eq!(self.next().await.name, *name);
        }
    }

    /// Nothing follows but the end.
    pub async fn ends(&mut self) -> Reason {
        loop {
            let over = self.pull().await;
            assert_eq!(self.events, []);
            if let Err(reason) = over {
                return reason;
            }
        }
    }

    /// Leaves its place as the end of a poll does.
    pub async fn leave(&self) {
        if let Some(leaving) = self.reader.leave() {
            leaving.await;
        }
    }
}

/// What a poll is answered.
#[derive(Debug)]
pub struct Answer {
    pub opening: Opening,
    pub events: Vec<Event>,
    pub cursor: Cursor,
    pub ended: Option<Reason>,
}

/// Waits for the answer of a poll.
pub async fn answer(mut poll: Reading, wait: Duration) -> Answer {
    let mut pulled = Pulled::default();
    let pull = poll_fn(|cx| poll.reader.poll_pull(cx, &mut pulled));
    let flow = timeout(wait, pull).await;
    poll.leave().await;
    let ended = match flow {
        Ok(Flow::Ended(reason)) => Some(reason),
        Ok(Flow::Wrote | Flow::More) | Err(_) => None,
    };
    Answer {
        events: pulled.events.into(),
        cursor: poll.cursor(),
        opening: poll.opening,
        ended,
    }
}
