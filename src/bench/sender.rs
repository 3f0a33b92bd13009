//! One peer that sends at its pace: one request after the other, since only so there is an order.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::tally::Tally;
use crate::client::Server;
use crate::client::answer::Trouble;
use crate::client::membership::Membership;

/// How long a signal whose answer got lost is sent again.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(200);

/// When signals are due.
pub(super) struct Pace {
    pub(super) first: Instant,
    pub(super) gap: Duration,
    pub(super) until: Instant,
}

/// Sends to `to` until the time is over, whatever becomes of the signals.
pub(super) async fn send(
    server: Server,
    member: Membership,
    lane: usize,
    to: String,
    pace: Pace,
    size: usize,
    tally: Arc<Tally>,
) {
    let mut due = pace.first;
    while due < pace.until {
        sleep_until(due).await;
        let number = tally.sending(lane, due, Instant::now());
        let signal = signal(&to, number, size);
        let until = Instant::now() + PATIENCE;
        loop {
            match member.send(&server, signal.clone()).await {
                Ok(_) => tally.accept(lane, number),
                Err(Trouble::Refused(refusal)) if refusal.is_expired() => {
                    return tally.expire(refusal);
                }
                Err(Trouble::Refused(refusal)) => tally.refuse(&refusal.slug),
                Err(Trouble::Lost(_) | Trouble::Unreached(_)) if Instant::now() < until => {
                    sleep(AGAIN).await;
                    continue;
                }
                Err(Trouble::Lost(_) | Trouble::Unreached(_)) => tally.unanswered(),
            }
            break;
        }
        due += pace.gap;
    }
}

/// A signal with so many bytes of data, or a few more.
fn signal(to: &str, number: usize, size: usize) -> String {
    let data = json!({ "n": number });
    // `,"pad":""` is what the padding itself takes.
    let pad = size.saturating_sub(data.to_string().len() + 9);
    let data = json!({ "n": number, "pad": "x".repeat(pad) });
    json!({ "to": to, "type": "bench", "id": format!("b{number}"), "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_the_size_that_was_asked_for() {
        for (number, size) in [(0, 32), (7, 400), (123_456, 65_536)] {
            let signal: serde_json::Value =
                serde_json::from_str(&signal("bob", number, size)).expect("JSON");
            assert_eq!(signal["data"].to_string().len(), size);
        }
    }
}
