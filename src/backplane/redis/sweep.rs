//! The dead: nothing of theirs is taken any more, and the rooms where they kept peers are told of.
//!
//! All of it may be done twice, and by a node that is dead itself without knowing it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Core;
use super::keys::Tag;
use super::lease::millis;
use super::link::{Call, jittered};
use super::reply;
use super::script::Script;
use crate::backplane::store::{News, NodeId, PARTITIONS, StoreError};
use crate::proto::RoomId;

/// How many rooms of a partition are told of in one round.
const ROOMS: usize = 4096;
/// How long the dead are remembered; far longer than a machine is suspended.
const DEAD: Duration = Duration::from_secs(7 * 24 * 3600);

/// Sweeps whoever is dying, for ever.
pub(super) async fn sweep(core: Arc<Core>, mut dying: watch::Receiver<Vec<NodeId>>) {
    loop {
        let dead = dying.borrow_and_update().clone();
        let more = !dead.is_empty();
        for node in dead {
            match round(&core, node).await {
                // Whether the engine has kept that shows by whether it still tells of the node.
                Ok(true) => core.look.notify_one(),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, node = node.0, "a sweep was cut short"),
            }
        }
        let changed = if more {
            timeout(jittered(core.lease / 5), dying.changed()).await
        } else {
            Ok(dying.changed().await)
        };
        if let Ok(Err(_)) = changed {
            return;
        }
    }
}

/// Fences a dead node everywhere and tells of the rooms that are left. Gives whether none is.
async fn round(core: &Arc<Core>, dead: NodeId) -> Result<bool, StoreError> {
    let me = core.place.node();
    let call = |tag, cmd| {
        let call = Call {
            holder: Some(me),
            ..Call::plain(tag, cmd)
        };
        core.link.call(call)
    };
    let mut claim = Script::Claim.on(&[core.keys.claim(dead)]);
    claim.arg(me.0).arg(millis(core.lease));
    if reply::read::<u8>(call(Tag::Directory, claim).await?)? != 1 {
        return Ok(false);
    }
    let fences = (0..PARTITIONS).map(Tag::Partition).map(|tag| {
        let mut cmd = Script::Fence.on(&[core.keys.dead(tag), core.keys.kept(tag, dead)]);
        cmd.arg(dead.0).arg(ROOMS).arg(millis(DEAD));
        call(tag, cmd)
    });
    let mut left = 0;
    for rooms in try_join_all(fences).await? {
        let rooms: Vec<String> = reply::read(rooms)?;
        left += rooms.len();
        for room in rooms.iter().filter_map(|room| RoomId::parse(room).ok()) {
            let lost = News::Lost { room, node: dead };
            if !core.feed.tell(lost) {
                return Ok(false);
            }
        }
    }
    if left > 0 {
        return Ok(false);
    }
    let forgotten = (0..PARTITIONS).map(Tag::Partition).map(|tag| {
        let mut cmd = redis::cmd("HDEL");
        cmd.arg(core.keys.bells(tag)).arg(dead.0);
        call(tag, cmd)
    });
    try_join_all(forgotten).await?;
    let mut done = redis::cmd("ZREM");
    done.arg(core.keys.dying()).arg(dead.0);
    call(Tag::Directory, done).await?;
    tracing::info!(node = dead.0, "a dead node was swept");
    Ok(true)
}
