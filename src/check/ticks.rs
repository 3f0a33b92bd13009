//! The server's ticks: does a stream arrive as it is written, and how long a silence survives?

use std::cell::Cell;
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;

use super::facts::{Fate, Silence, Ticks, millis};
use super::path::{now_ms, send, why};

const TICKS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(8);
/// A connection that ends sooner, without a word, ends for something else than its silence.
const SOONEST_CUT: Duration = Duration::from_secs(1);
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

/// What a browser would take; the stream is measured as such an answer comes.
const ENCODINGS: &str = "gzip, deflate";

/// `client` undoes what a stream is compressed with, `plain` does not.
pub(super) async fn check(client: &Client, plain: &Client, base: &str, skew_ms: i64) -> Ticks {
    let (mut ticks, began, at) = (Ticks::default(), Instant::now(), now_ms());
    let read = read(
        client,
        format!("{base}/probe"),
        ENCODINGS,
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
    ticks.busy = ticks.why.as_deref() == Some("HTTP 503");
    ticks.encoding = encoding(plain, base).await;
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

/// How a stream is compressed for who can undo it.
async fn encoding(plain: &Client, base: &str) -> Option<String> {
    let request = plain
        .get(format!("{base}/probe?ticks=1"))
        .header(ACCEPT, "text/event-stream")
        .header(ACCEPT_ENCODING, ENCODINGS)
        .timeout(PATIENCE);
    let response = send(request).await.ok()?;
    let encoding = response.headers().get(CONTENT_ENCODING)?.to_str().ok()?;
    (encoding != "identity").then(|| encoding.to_owned())
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
    let first = Cell::new(None);
    let read = read(client, url, "identity", &mut came, |came, sent| {
        came.sent_ms.push(sent);
        first.set(first.get().or(Some(Instant::now())));
    });
    let read = tokio::time::timeout(wanted + PATIENCE, read).await;
    let (ended, silent) = match &read {
        Ok(ended) => (
            Some(ended.as_ref().map_err(String::as_str).copied()),
            first.get().unwrap_or(began).elapsed(),
        ),
        Err(_) => (None, wanted),
    };
    let fate = fate(ended, came.sent_ms.len(), silent);
    let wanted_ms = millis(wanted);
    let for_ms = if fate == Fate::Kept {
        wanted_ms
    } else {
        millis(silent)
    };
    Silence {
        wanted_ms,
        fate,
        for_ms: for_ms.min(wanted_ms),
    }
}

/// What became of a connection that was silent for so long: how it ended, if it did, after how many
/// ticks.
fn fate(ended: Option<Result<(), &str>>, ticks: usize, silent: Duration) -> Fate {
    match (ended, ticks) {
        (Some(Ok(())), 2) => Fate::Kept,
        (None, _) => Fate::Dark,
        // A gateway that gives up on a response answers in the server's place: that is its cut.
        (Some(Err(why)), _)
            if why.starts_with("HTTP ") && why != "HTTP 502" && why != "HTTP 504" =>
        {
            Fate::Unmeasured
        }
        (Some(_), _) if silent < SOONEST_CUT => Fate::Unmeasured,
        (Some(_), _) => Fate::Cut,
    }
}

async fn read(
    client: &Client,
    url: String,
    encodings: &str,
    ticks: &mut Ticks,
    came: impl Fn(&mut Ticks, i64),
) -> Result<(), String> {
    /// More than all ticks of a check together, in bytes.
    const MOST: usize = 64 * 1024;
    let request = client
        .get(url)
        .header(ACCEPT, "text/event-stream")
        .header(ACCEPT_ENCODING, encodings);
    let mut response = send(request).await?;
    if !response.status().is_success() {
        return Err(format!("HTTP {}", response.status().as_u16()));
    }
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok());
    ticks.content_type = kind
        .filter(|kind| !kind.starts_with("text/event-stream"))
        .map(str::to_owned);
    let (mut rest, mut seen) = (Vec::new(), 0);
    while let Some(bytes) = response.chunk().await.map_err(|error| why(&error))? {
        seen += bytes.len();
        if seen > MOST {
            return Err("something on the way answered in the server's place".into());
        }
        whole_lines(&mut rest, &bytes, |sent| came(ticks, sent))?;
    }
    Ok(())
}

/// Reads the lines that `bytes` completes, and leaves in `rest` what is none yet.
pub(super) fn whole_lines(
    rest: &mut Vec<u8>,
    bytes: &[u8],
    mut came: impl FnMut(i64),
) -> Result<(), String> {
    rest.extend_from_slice(bytes);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = rest.drain(..=end).collect();
        if let Some(data) = line.strip_prefix(b"data:") {
            let tick: Tick = serde_json::from_slice(data).map_err(|_| "the stream came garbled")?;
            came(tick.sent_ms);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_itself_counts_as_the_cause_of_a_cut() {
        let long = Duration::from_secs(5);
        assert_eq!(fate(Some(Ok(())), 2, long), Fate::Kept);
        assert_eq!(fate(None, 1, long), Fate::Dark);
        assert_eq!(fate(Some(Ok(())), 1, long), Fate::Cut);
        // Where a path holds what is written, not even the first tick comes.
        assert_eq!(
            fate(Some(Err("the connection failed: reset")), 0, long),
            Fate::Cut
        );
        assert_eq!(fate(Some(Err("HTTP 504")), 0, long), Fate::Cut);
        let soon = Duration::from_millis(25);
        assert_eq!(
            fate(Some(Err("cannot connect: refused")), 0, soon),
            Fate::Unmeasured
        );
        assert_eq!(fate(Some(Ok(())), 1, soon), Fate::Unmeasured);
        assert_eq!(fate(Some(Err("HTTP 503")), 0, soon), Fate::Unmeasured);
    }

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
