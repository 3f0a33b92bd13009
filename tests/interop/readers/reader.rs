//! Reads event streams with a parser from crates.io: a request a line comes in, what was seen goes
//! out as a line.

use std::io::{BufRead as _, Write as _};
use std::panic::AssertUnwindSafe;

use eventsource_stream::Eventsource as _;
use futures_util::{FutureExt as _, StreamExt as _};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use sse_stream::SseByteStream;

#[derive(Deserialize)]
struct Request {
    url: String,
    headers: std::collections::HashMap<String, String>,
}

/// An event's name, its data, and the id of the last event that had one.
type Seen = (String, String, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let parser = std::env::args().nth(1).unwrap_or_default();
    // Asked for though nothing here is encrypted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .build()
        .map_err(std::io::Error::other)?;
    // That a parser panics is told in its answer.
    std::panic::set_hook(Box::new(|_| {}));
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let mut seen = Vec::new();
        let reading = AssertUnwindSafe(read(&parser, &client, request, &mut seen)).catch_unwind();
        let outcome = reading.await.unwrap_or_else(|_| Err("panic".to_owned()));
        let answer = json!({"seen": seen, "error": outcome.err()});
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

async fn read(
    parser: &str,
    client: &Client,
    request: Request,
    seen: &mut Vec<Seen>,
) -> Result<(), String> {
    match parser {
        "eventsource-stream" => with_eventsource_stream(client, request, seen).await,
        "sse-stream" => with_sse_stream(client, request, seen).await,
        _ => Err("no such parser".to_owned()),
    }
}

async fn with_eventsource_stream(
    client: &Client,
    request: Request,
    seen: &mut Vec<Seen>,
) -> Result<(), String> {
    let mut events = open(client, request).await?.bytes_stream().eventsource();
    while let Some(event) = events.next().await {
        let event = event.map_err(|_| "a broken stream")?;
        seen.push((event.event, event.data, event.id));
    }
    Ok(())
}

async fn with_sse_stream(
    client: &Client,
    request: Request,
    seen: &mut Vec<Seen>,
) -> Result<(), String> {
    let mut events = SseByteStream::new(open(client, request).await?.bytes_stream());
    // It tells each event's own id, and also blocks without data; the rest is its user's to do.
    let mut last = String::new();
    while let Some(event) = events.next().await {
        let event = event.map_err(|_| "a broken stream")?;
        last = event.id.unwrap_or(last);
        if let Some(data) = event.data {
            let name = event.event.filter(|name| !name.is_empty());
            seen.push((
                name.unwrap_or_else(|| "message".to_owned()),
                data,
                last.clone(),
            ));
        }
    }
    Ok(())
}

async fn open(client: &Client, request: Request) -> Result<reqwest::Response, String> {
    let mut get = client
        .get(request.url)
        .header("Accept", "text/event-stream");
    for (name, value) in request.headers {
        get = get.header(name, value);
    }
    get.send().await.map_err(|_| "no answer".to_owned())
}
