//! A node's lease: taken, renewed, and given up by the node's own clock before it is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::keys::Tag;
use super::link::{Call, jittered};
use super::reply;
use super::script::Script;
use super::{Core, of};
use crate::backplane::store::{Later, News, NodeId, Standing, StoreError};

/// How much earlier than the engine a node takes its lease to be over, at most.
const MARGIN: Duration = Duration::from_secs(2);
/// How often at most a lease is renewed to see whether the engine answers.
const DOUBTS: Duration = Duration::from_secs(1);
/// How soon a lease is asked for again, or renewed again, after that failed.
const AGAIN: Duration = Duration::from_millis(200);

/// A lease that was just given.
pub(super) struct Given {
    node: NodeId,
    asked: Instant,
}

/// What a renewal tells.
struct Renewed {
    /// Whether the lease was there still.
    held: bool,
    /// The engine's time.
    now: u64,
    /// Who is to be swept.
    dying: Vec<NodeId>,
}

/// Asks for an id and a lease once.
pub(super) async fn register(core: &Core) -> Result<Given, StoreError> {
    let asked = Instant::now();
    let nonce = format!("{:08x}{:08x}", super::random(), super::random());
    let mut cmd = Script::Register.on(&[core.keys.nodes(), core.keys.last_id()]);
    cmd.arg(millis(core.lease)).arg(&nonce);
    let value = core.link.call(Call::plain(Tag::Directory, cmd)).await?;
    let (number, now): (u64, u64) = reply::read(value)?;
    let node = reply::node(number)?;
    core.clock.learn(now, asked.into_std());
    *core.name.lock() = format!("{}:{nonce}", node.0);
    core.place.take(node, over(core, asked).into_std());
    Ok(Given { node, asked })
}

/// Keeps a lease for ever; another wherever one is lost.
pub(super) async fn keep(core: Arc<Core>, mut given: Given, dying: watch::Sender<Vec<NodeId>>) {
    loop {
        core.feed.tell(News::Standing(Standing::Joined(given.node)));
        tracing::info!(node = given.node.0, "joined the nodes of the backplane");
        hold(&core, &given, &dying).await;
        core.place.give_up();
        core.feed.tell(News::Standing(Standing::Fenced));
        tracing::warn!(node = given.node.0, "the lease at the backplane is lost");
        dying.send_replace(Vec::new());
        given = loop {
            match register(&core).await {
                Ok(given) => break given,
                Err(error) => tracing::debug!(%error, "no new lease yet"),
            }
            sleep(jittered(AGAIN)).await;
        };
    }
}

/// Renews a lease until it is lost.
async fn hold(core: &Arc<Core>, given: &Given, dying: &watch::Sender<Vec<NodeId>>) {
    let third = core.lease / 3;
    let mut over_at = over(core, given.asked);
    let mut trouble = core.link.trouble.watch();
    let mut cut = false;
    // Since when the engine has answered without a gap. Leases that ran out while it did not are
    // no proof that anyone is dead.
    let (mut steady, mut renewed) = (given.asked, given.asked);
    let mut next = Instant::now() + jittered(third);
    let mut renewing: Option<(Instant, Later<Result<Renewed, StoreError>>)> = None;
    let mut asked_last = given.asked;
    loop {
        let idle = renewing.is_none();
        tokio::select! {
            biased;
            () = sleep_until(over_at) => return,
            answer = of(renewing.as_mut().map(|(_, renewing)| renewing)) => {
                let asked = renewing.take().map_or_else(Instant::now, |(asked, _)| asked);
                let Ok(answer) = answer else {
                    steady = Instant::now();
                    next = steady + jittered(AGAIN);
                    continue;
                };
                if !answer.held {
                    return;
                }
                core.clock.learn(answer.now, asked.into_std());
                over_at = over(core, asked);
                core.place.extend(over_at.into_std());
                if asked.elapsed() > third || asked.duration_since(renewed) > core.lease / 2 {
                    steady = Instant::now();
                }
                renewed = asked;
                next = Instant::now() + jittered(third);
                dying.send_if_modified(|known| {
                    let other = *known != answer.dying;
                    *known = answer.dying;
                    other
                });
                if cut && !*trouble.borrow() {
                    cut = false;
                    core.feed.tell(News::Standing(Standing::Joined(given.node)));
                    tracing::info!("the engine answers again");
                }
            }
            () = sleep_until(next), if idle => {
                let asked = Instant::now();
                asked_last = asked;
                let condemn = asked.duration_since(steady) >= core.lease;
                renewing = Some((asked, Box::pin(renew(Arc::clone(core), condemn))));
            }
            () = core.look.notified() => next = Instant::now(),
            () = core.void.notified() => if !core.place.holds(given.node) {
                return;
            },
            // Whether the engine answers at all is asked at once, but not over and over.
            () = core.link.trouble.doubted(), if idle => next = next.min(asked_last + DOUBTS),
            _ = trouble.changed() => {
                let troubled = *trouble.borrow_and_update();
                if troubled && !cut {
                    cut = true;
                    core.feed.tell(News::Standing(Standing::Cut));
                    tracing::warn!("the engine does not answer");
                } else if cut && !troubled {
                    next = Instant::now();
                }
            }
        }
    }
}

/// When a node takes a lease to be over that it asked for, or renewed, at `asked`.
fn over(core: &Core, asked: Instant) -> Instant {
    asked + core.lease - MARGIN.min(core.lease / 5)
}

async fn renew(core: Arc<Core>, condemn: bool) -> Result<Renewed, StoreError> {
    let mut cmd = Script::Refresh.on(&[core.keys.nodes(), core.keys.dying()]);
    cmd.arg(core.name.lock().as_str())
        .arg(millis(core.lease))
        .arg(u8::from(condemn));
    let value = core.link.call(Call::plain(Tag::Directory, cmd)).await?;
    let (held, now, dying): (u8, u64, Vec<u32>) = reply::read(value)?;
    Ok(Renewed {
        held: held == 1,
        now,
        dying: dying.into_iter().map(NodeId).collect(),
    })
}

/// Gives the lease back.
pub(super) async fn resign(core: Arc<Core>) -> Result<(), StoreError> {
    core.place.give_up();
    let mut cmd = Script::Resign.on(&[core.keys.nodes(), core.keys.dying()]);
    cmd.arg(core.name.lock().as_str()).arg(core.keys.channels());
    core.link.call(Call::plain(Tag::Directory, cmd)).await?;
    Ok(())
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
