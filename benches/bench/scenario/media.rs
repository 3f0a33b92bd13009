//! Messages at a steady pace, while the relay of the same server passes on all the media that it can;
//! and the same beside an idle relay, with as many packets made that go nowhere.

use super::relay;
use crate::flood::Flood;
use crate::stage::{Outcome, Stage};

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let flooded = stage
        .relay
        .filter(|relay| relay.busy)
        .map(|relay| relay.addr);
    let flood = Flood::start(flooded, stage.size.relays)?;
    stage.helper = Some(flood.pid());
    let mut outcome = relay::steadily(stage)?;
    let busy = outcome
        .loads
        .iter()
        .map(|load| 100.0 * load.server / load.seconds);
    let busy = busy.sum::<f64>();
    outcome.figure("CPU of the server", "%", busy);
    let flooded = flood.end()?;
    if stage.relay.is_some_and(|relay| relay.busy) {
        let each = |count: u64| count as f64 / flooded.seconds;
        outcome.figure("packets sent to the relay", "/s", each(flooded.sent));
        outcome.figure("packets through two relays", "/s", each(flooded.received));
        anyhow::ensure!(flooded.received > 0, "nothing came through the relay");
    }
    Ok(outcome)
}
