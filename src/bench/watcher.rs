//! One peer that reads, and says what came.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::tally::Tally;
use crate::client::event::Event;
use crate::client::membership::{Membership, Wish};
use crate::client::reader::{Reader, Told};
use crate::client::reading::{Mode, READING, Settings};
use crate::client::source::Door;
use crate::client::{Failure, Server};

/// How long a reader is tried to be opened.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Signal {
    data: Numbered,
}

#[derive(Deserialize)]
struct Numbered {
    n: usize,
}

/// Reads for as long as there is something to read; what comes is of the lane `from`.
pub(super) async fn watch(
    server: Server,
    member: Membership,
    (wish, access): (Wish, Option<String>),
    mode: Mode,
    from: usize,
    tally: Arc<Tally>,
) {
    let settings = Settings {
        mode,
        patience: PATIENCE,
        ..Settings::default()
    };
    let access = Box::new(move || access.clone());
    let mut reader = Reader::new(&server, member, wish, access, Door::Events, settings);
    let mut is_open = false;
    loop {
        match reader.next().await {
            Ok(Told::Event(event)) => {
                if let Some(number) = number(&event) {
                    tally.arrive(from, number, Instant::now());
                }
            }
            Ok(Told::Note(text)) if !is_open && text.starts_with(READING) => {
                is_open = true;
                tally.opened();
            }
            Ok(Told::Note(_)) => {}
            Err(Failure::Refused(refusal)) if refusal.is_expired() => {
                return tally.expire(*refusal);
            }
            Err(_) => return tally.reader_lost(),
        }
    }
}

fn number(event: &Event) -> Option<usize> {
    if event.name != "signal" {
        return None;
    }
    let signal: Signal = serde_json::from_str(event.data.get()).ok()?;
    Some(signal.data.n)
}
