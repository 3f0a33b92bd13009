//! Everybody comes at once.

use crate::peers::Peers;
use crate::stage::{Outcome, Stage};
use crate::wire::Door;

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let meter = stage.meter();
    let peers = Peers::gather(stage, stage.size.peers, 2, Door::Events)?;
    let load = meter.stop();
    let count = peers.seats.len() as u64;
    outcome.figure("CPU per join and open", "µs", load.micros_each(count));
    outcome.figure("joins and opens", "/s", load.per_second(count));
    outcome.loads.push(load);
    Ok(outcome)
}
