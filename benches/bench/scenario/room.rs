//! Broadcasts in a large room.

use std::time::{Duration, Instant};

use crate::net::What;
use crate::peers::{Peers, accepted};
use crate::stage::{ARRIVAL, Outcome, Stage, micros};
use crate::tally::{Tally, number};
use crate::wire::{Door, Message, To, filler};

/// From one broadcast to the next.
const GAP: Duration = Duration::from_millis(50);

/// A broadcast: when it was due, and how many have it.
struct Broadcast {
    due: Instant,
    arrived: usize,
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let count = stage.size.room;
    let peers = Peers::gather(stage, count, count, Door::Events)?;
    let speaker = stage.net.connect(count)?;
    let text = filler(200);
    let mut tally = Tally::new(count);
    let mut broadcasts: Vec<Broadcast> = Vec::new();
    let mut spans = Vec::new();
    let mut is_free = true;
    // Until the room has heard of everybody's coming, and the pings behind it.
    let from = Instant::now() + Duration::from_secs(1);
    let until = from + GAP + stage.size.span;
    let mut due = from + GAP;
    let mut meter = None;
    let mut whole = 0;
    loop {
        let now = Instant::now();
        if now >= from && meter.is_none() {
            meter = Some(stage.meter());
        }
        if now >= due && due < until && is_free {
            let message = Message {
                kind: "note",
                session: None,
                number: broadcasts.len() as u32,
                text: &text,
            };
            let request = stage
                .wire
                .send(&peers.seats[0], To::Others(1, count - 1), message);
            stage.net.send(speaker, &request);
            broadcasts.push(Broadcast { due, arrived: 0 });
            (due, is_free) = (due + GAP, false);
        }
        let is_done = is_free && whole == broadcasts.len();
        if due >= until && (is_done || now > until + ARRIVAL) {
            break;
        }
        let next = if due < until && is_free {
            due
        } else {
            until + ARRIVAL + GAP
        };
        stage.net.turn(&mut stage.turn, next)?;
        for happening in &stage.turn.happenings {
            match &happening.what {
                What::Answer { status, body } => {
                    accepted(*status, stage.turn.text(body))?;
                    is_free = true;
                }
                What::Event { data, .. } => {
                    let Some(number) = number(stage.turn.text(data)) else {
                        continue;
                    };
                    if tally.got(happening.tag, number) {
                        let Some(broadcast) = broadcasts.get_mut(number as usize) else {
                            continue;
                        };
                        broadcast.arrived += 1;
                        if broadcast.arrived + 1 == count {
                            whole += 1;
                            spans.push(micros(broadcast.due, happening.at));
                        }
                    }
                }
                What::Opened => {}
                What::Ended | What::Closed => {
                    anyhow::bail!("the server closed the stream of peer {}", happening.tag)
                }
            }
        }
    }
    let load = meter.map(|meter| meter.stop()).unwrap_or_default();
    anyhow::ensure!(is_free, "a broadcast was not answered");
    for lane in 1..count {
        tally.close(lane, broadcasts.len() as u32);
    }
    let delivered = broadcasts.iter().map(|b| b.arrived as u64).sum();
    outcome.figure("CPU per delivery", "µs", load.micros_each(delivered));
    outcome.percentile("p50 to the last receiver", &mut spans, 0.5);
    outcome.loads.push(load);
    outcome.faults = tally.faults();
    Ok(outcome)
}
