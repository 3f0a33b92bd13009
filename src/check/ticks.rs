//! The server's ticks: does a stream arrive as it is written, and how long a silence survives?

use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;

use super::facts::{Fate, Silence, Ticks, millis};
use super::path::{now_ms, send, why};

const TICKS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(8);
/// Ticks that came one by one are spread over more than this, and no more than some come at once.
const SPREAD_MS: i64 = 1000;
const MOMENT_MS: i64 = 20;
const BUNCH: usize = 3;

const SILENCES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];

#[derive(Deserialize)]
struct Tick {
    sent_ms: i64,
}

pub(super) async fn check(client: &Client, base: &str, skew_ms: i64) -> Ticks {
    let (mut ticks, began, at) = (Ticks::default(), Instant::now(), now_ms());
    let read = read(
        client,
        format!("{base}/probe"),
        &mut ticks,
        |ticks, sent| {
            ticks.sent_ms.push(sent - skew_ms - at);
            ticks
                .arrived_ms
                .push(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
        },
    );
    ticks.why = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(())) if ticks.arrived_ms.len() < TICKS => Some(format!(
            "ended after {} of {TICKS} ticks",
            ticks.arrived_ms.len()
        )),
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some("not all came in time".into()),
    };
    let delays = ticks
        .arrived_ms
        .iter()
        .zip(&ticks.sent_ms)
        .map(|(arrived, sent)| arrived - sent);
    let (least, most) = (delays.clone().min().unwrap_or(0), delays.max().unwrap_or(0));
    ticks.held_ms = most.abs_diff(least);
    ticks.passes = passes(&ticks.arrived_ms);
    ticks
}

fn passes(arrived: &[i64]) -> bool {
    let spread = arrived
        .last()
        .zip(arrived.first())
        .map_or(0, |(last, first)| last - first);
    let alone = |time: &i64| {
        arrived
            .iter()
            .filter(|other| (*other - time).abs() < MOMENT_MS)
            .count()
            <= BUNCH
    };
    arrived.len() >= TICKS && spread >= SPREAD_MS && arrived.iter().all(alone)
}

/// Some silences at once, each on a connection of its own.
pub(super) async fn silences(client: &Client, base: &str) -> Vec<Silence> {
    let [one, two, three, four] = SILENCES.map(|wanted| silence(client, base, wanted));
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    vec![one, two, three, four]
}

/// Two ticks with nothing between them.
async fn silence(client: &Client, base: &str, wanted: Duration) -> Silence {
    let url = format!("{base}/probe?ticks=2&gap={}", wanted.as_millis());
    let (began, mut came) = (Instant::now(), Ticks::default());
    let read = read(client, url, &mut came, |came, sent| came.sent_ms.push(sent));
    let read = tokio::time::timeout(wanted + PATIENCE, read).await;
    let fate = match (&read, came.sent_ms.len()) {
        (Ok(Ok(())), 2) => Fate::Kept,
        (Err(_), _) => Fate::Dark,
        // A gateway that gives up on a response answers in the server's place: that is its cut.
        (Ok(Err(why)), _)
            if why.starts_with("HTTP ") && !["HTTP 502", "HTTP 504"].contains(&why.as_str()) =>
        {
            Fate::Refused
        }
        (Ok(_), _) => Fate::Cut,
    };
    let wanted_ms = millis(wanted);
    let for_ms = if fate == Fate::Kept {
        wanted_ms
    } else {
        millis(began.elapsed())
    };
    Silence {
        wanted_ms,
        fate,
        for_ms: for_ms.min(wanted_ms),
    }
}

async fn read(
    client: &Client,
    url: String,
    ticks: &mut Ticks,
    came: impl Fn(&mut Ticks, i64),
) -> Result<(), String> {
    /// More than all ticks of a check together, in bytes.
    const MOST: usize = 64 * 1024;
    // A browser would take these encodings too.
    let request = client
        .get(url)
        .header(ACCEPT, "text/event-stream")
        .header(ACCEPT_ENCODING, "gzip, deflate, br");
    let mut response = send(request).await?;
    if !response.status().is_success() {
        return Err(format!("HTTP {}", response.status().as_u16()));
    }
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    ticks.encoding = header(CONTENT_ENCODING).filter(|encoding| encoding != "identity");
    ticks.content_type = header(CONTENT_TYPE).filter(|kind| !kind.starts_with("text/event-stream"));
    let (mut rest, mut seen) = (Vec::new(), 0);
    while let Some(bytes) = response.chunk().await.map_err(|error| why(&error))? {
        seen += bytes.len();
        if seen > MOST {
            return Err("something on the way answered in the server's place".into());
        }
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data:") {
                let tick: Tick =
                    serde_json::from_slice(data).map_err(|_| "the stream came garbled")?;
                came(ticks, tick.sent_ms);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticks_that_came_one_by_one_pass() {
        let even: Vec<i64> = (0..8).map(|n| n * 250).collect();
        assert!(passes(&even));
        assert!(!passes(&even[..7]), "one is missing");
        assert!(!passes(&[1750; 8]), "held to the end");
        let bunched: Vec<i64> = (0..8).map(|n| n / 4 * 1500).collect();
        assert!(!passes(&bunched), "held in two lots");
    }
}
