//! Reads an SSE stream, and heeds each rule of it.

use futures_util::StreamExt as _;
use reqwest::RequestBuilder;
use serde_json::Value;

use super::PATIENCE;

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
    pub raw: String,
}

/// An open SSE stream.
pub struct Stream {
    pub headers: reqwest::header::HeaderMap,
    body: std::pin::Pin<
        Box<dyn futures_util::Stream<Item = reqwest::Result<actix_web::web::Bytes>> + Send>,
    >,
    buffer: String,
    pub retries: Vec<u64>,
    pub comments: usize,
}

impl Stream {
    pub async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{:?}", response.headers());
        let headers = response.headers().clone();
        let body = Box::pin(response.bytes_stream());
        Self {
            headers,
            body,
            buffer: String::new(),
            retries: Vec::new(),
            comments: 0,
        }
    }

    /// The next event, pings included; none at the end of the stream.
    pub async fn any(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .expect("an event in time")
    }

    /// The next event that is no ping.
    pub async fn next(&mut self) -> Event {
        self.maybe_next().await.expect("an event, not the end")
    }

    pub async fn maybe_next(&mut self) -> Option<Event> {
        loop {
            let event = self.any().await?;
            if event.name != "ping" {
                return Some(event);
            }
        }
    }

    /// The next event that is no ping, which must have this name.
    pub async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await;
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// The data of the next event that is no ping, as it was written; the event has this name.
    pub async fn raw(&mut self, name: &str) -> String {
        let event = self.next().await;
        assert_eq!(event.name, name);
        event.raw
    }

    /// Skips to the next event of this name.
    pub async fn skip_to(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name {
                return event;
            }
        }
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some(at) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..at + 2).collect();
                if let Some(event) = self.parse(&block) {
                    return Some(event);
                }
                continue;
            }
            let bytes = self.body.next().await?.ok()?;
            self.buffer
                .push_str(std::str::from_utf8(&bytes).expect("whole characters"));
        }
    }

    fn parse(&mut self, block: &str) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, String::new(), Vec::new());
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("event", text)) => name = text.to_owned(),
                Some(("data", text)) => data.push(text),
                Some(("retry", text)) => self.retries.push(text.parse().expect("a number")),
                _ if line.starts_with(':') => self.comments += 1,
                _ => assert_eq!(line, "", "an unknown field"),
            }
        }
        if name.is_empty() && data.is_empty() {
            return None;
        }
        assert_eq!(data.len(), 1, "one data line an event: {block:?}");
        // What is too deep, or no text, for this parser is looked at as it was written.
        let value = serde_json::from_str(data[0]).unwrap_or(Value::Null);
        Some(Event {
            id,
            name,
            data: value,
            raw: data[0].to_owned(),
        })
    }
}
