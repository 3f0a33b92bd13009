//! Many readers to whom nothing is said but the heartbeat.

use std::time::{Duration, Instant};

use crate::net::What;
use crate::peers::{Peers, accepted};
use crate::proc;
use crate::stage::{Outcome, Stage};
use crate::wire::Door;

pub(super) fn play(stage: &mut Stage, door: Door) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let before = proc::pss(stage.pid)?;
    let mut peers = Peers::gather(stage, stage.size.peers, 2, door)?;
    let count = peers.seats.len() as f64;
    // The first pings come 300 ms after the opening.
    let settled = Duration::from_secs(1).min(stage.size.heartbeat / 2);
    watch(stage, &mut peers, settled)?;
    let meter = stage.meter();
    let (span, sign) = match door {
        Door::Events | Door::Notices => (stage.size.heartbeat, "heartbeats per stream"),
        Door::Poll => (stage.size.hold, "answers per poll"),
    };
    let signs = watch(stage, &mut peers, span)?;
    let load = meter.stop();
    let open = proc::pss(stage.pid)?;
    peers.cut(stage);
    watch(stage, &mut peers, stage.size.afterwards)?;
    let left = proc::pss(stage.pid)?;
    outcome.figure("PSS before", "KiB", before);
    outcome.figure("PSS per stream", "KiB", (open - before) / count);
    outcome.figure(
        "CPU per stream and second",
        "µs",
        load.server * 1e6 / load.seconds / count,
    );
    outcome.figure(sign, "", signs as f64 / count);
    outcome.figure("PSS left when all are gone", "KiB", left - before);
    outcome.loads.push(load);
    Ok(outcome)
}

/// Reads for a while; how many pings or answers to polls came.
fn watch(stage: &mut Stage, peers: &mut Peers, span: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + span;
    let mut signs = 0;
    while Instant::now() < until {
        stage.net.turn(&mut stage.turn, until)?;
        let happenings = std::mem::take(&mut stage.turn.happenings);
        for happening in &happenings {
            match &happening.what {
                What::Event { name, .. } => signs += u64::from(stage.turn.text(name) == b"ping"),
                What::Answer { status, body } => {
                    let body = stage.turn.text(body).to_vec();
                    accepted(*status, &body)?;
                    peers.poll_again(stage, happening.tag, &body)?;
                    signs += 1;
                }
                What::Opened => {}
                What::Ended | What::Closed => {
                    anyhow::bail!("the server closed the reader of peer {}", happening.tag)
                }
            }
        }
        stage.turn.happenings = happenings;
    }
    Ok(signs)
}
