//! What the store of shared rooms tells this node unasked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;

use super::Hub;
use super::common::{Common, tell};
use super::live::{Live, wake};
use crate::backplane::store::{News, Standing, partition};
use crate::proto::{Door, Entry, NodeId, RoomId, Time};

/// A room that nobody here reads or looks after is forgotten after this; the store has it.
const UNUSED: Duration = Duration::from_secs(60);
/// The store forgets rooms in which nothing happens for a day, unless it is told of their members.
const TELL: Duration = Duration::from_secs(6 * 3600);
/// How often that is looked after.
const LOOK: Duration = Duration::from_secs(10);
/// Heads that are asked for in one go.
const HEADS: usize = 500;

impl Hub {
    /// Follows what the store tells, for as long as it is polled.
    pub async fn follow(&self, mut news: Receiver<News>) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                heard = news.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => return std::future::pending().await,
                },
                _ = look.tick() => self.forget_unused(),
            }
        }
    }

    /// Does what a piece of news asks for.
    pub fn hear(&self, news: News) {
        let Some(common) = &self.inner.shared.common else {
            return;
        };
        match news {
            News::Entry {
                room,
                prev,
                at,
                entry,
            } => {
                let Some(live) = self.room(&room) else { return };
                let (taken, missing) = live.hear(prev, at, entry.as_ref());
                self.follow_up(&live, taken, false);
                if missing {
                    self.catch_up(&live);
                }
            }
            News::Missed { partition } => self.look_at_heads(common, partition),
            News::Lost { room, node } => self.sweep(common, room, node),
            News::Standing(standing) => self.stand(common, standing),
        }
    }

    /// Fetches what is new of all rooms here, or of those of a partition.
    fn look_at_heads(&self, common: &Common, of: Option<u16>) {
        let all = self.all_live(|live| of.is_none_or(|of| partition(&live.id) == of));
        for some in all.chunks(HEADS) {
            let ids = some.iter().map(|live| live.id.clone()).collect();
            let heads = common.store.heads(ids);
            let (hub, some) = (self.clone(), some.to_vec());
            common.spawn(async move {
                // Where the store does not answer now, it says again later that something was missed.
                let Ok(heads) = heads.await else { return };
                for (live, head) in some.iter().zip(heads) {
                    if head != live.lock().room.applied() {
                        hub.catch_up(live);
                    }
                }
            });
        }
    }

    /// A node is no more: its readers and peers in a room are looked after here from now on.
    fn sweep(&self, common: &Common, room: RoomId, node: NodeId) {
        let (hub, store) = (self.clone(), common.store.clone());
        common.spawn(async move {
            let Some(common) = &hub.inner.shared.common else {
                return;
            };
            // What fails is told of again.
            let Ok(live) = hub.fetched(common, &room).await else {
                return;
            };
            let concerned = |live: &&Arc<Live>| live.lock().has_to_do_with(node);
            let of_it = live.as_ref().filter(concerned);
            if let Some(live) = of_it {
                // Whether peers could come before this node did, it does not know.
                let since = common.answers_since(hub.now());
                common.be_lenient(since + hub.timings().grace);
                let heir = hub.node();
                let lost = hub.append(live, Entry::Lost { node, heir });
                if lost.await.is_err() {
                    return;
                }
            }
            // Whoever changed who is there may have died before it came to tell.
            let told = live.map(|live| {
                let state = live.lock();
                (state.room.applied(), state.room.len())
            });
            if let Some((at, members)) = told
                && common.store.census(&room, at, members).await.is_err()
            {
                return;
            }
            tell(store.swept(&room, node).await);
        });
    }

    /// Where this node stands with the store has changed.
    fn stand(&self, common: &Common, standing: Standing) {
        let new = common.stands(standing);
        match standing {
            Standing::Joined(node) => tracing::info!(node = node.0, "sharing rooms"),
            Standing::Cut => tracing::warn!("the store of shared rooms does not answer"),
            Standing::Fenced => tracing::warn!("the lease of this node is over"),
        }
        let answers = matches!(standing, Standing::Joined(_));
        if answers {
            common.answers_since(self.now());
        }
        if answers && new {
            // Peers could not come while it was away.
            common.be_lenient(self.now() + self.timings().grace);
        }
        let fenced = standing == Standing::Fenced;
        if !new && !fenced {
            return;
        }
        let now = self.now();
        for live in self.all_live(|_| true) {
            let mut wakers = Vec::new();
            let mut state = live.lock();
            for (_, member) in state.room.seated() {
                member.seat.tell_store(answers, fenced, now, &mut wakers);
            }
            live.arm(&mut state, Some(now));
            drop(state);
            wake(wakers);
        }
        if answers {
            self.look_at_heads(common, None);
        }
    }

    /// Forgets rooms that the store has and nobody here has to do with.
    pub fn forget_unused(&self) {
        let now = self.now();
        let node = self.node();
        let (mut released, mut kept) = (Vec::new(), Vec::new());
        let mut rooms = self.inner.rooms.write();
        rooms.retain(|_, live| {
            let mut state = live.lock();
            if state.has_to_do_with(node) || state.has_slots() {
                let (members, applied) = (state.room.len(), state.room.applied());
                let replica = state.replica();
                replica.used = now;
                if replica.told == Time::default() {
                    replica.told = now;
                } else if now.since(replica.told) >= TELL {
                    replica.told = now;
                    kept.push((live.clone(), applied, members));
                }
                return true;
            }
            let replica = state.replica();
            if !replica.waiting.is_empty() || !replica.opening.is_empty() {
                return true;
            }
            if std::mem::take(&mut replica.kept) {
                released.push(live.clone());
                return true;
            }
            let old = now.since(replica.used) >= UNUSED;
            drop(state);
            // Whoever holds it beside this table works on it.
            !(old && Arc::strong_count(live) == 1)
        });
        drop(rooms);
        released.sort_unstable_by(|a: &Arc<Live>, b| a.id.cmp(&b.id));
        let Some(common) = &self.inner.shared.common else {
            return;
        };
        for (live, applied, members) in kept {
            let store = common.store.clone();
            common.spawn(async move { tell(store.census(&live.id, applied, members).await) });
        }
        for live in released {
            let hub = self.clone();
            common.spawn(async move {
                if !hub.release(&live).await {
                    live.lock().replica().kept = true;
                }
            });
        }
    }

    /// Tells the store that nobody is looked after here any more; whether it has taken that. It does not
    /// where the log goes on meanwhile.
    async fn release(&self, live: &Arc<Live>) -> bool {
        let Some(common) = &self.inner.shared.common else {
            return true;
        };
        if self.fetched(common, &live.id).await.is_err() {
            return false;
        }
        let (concerned, applied, members) = {
            let mut state = live.lock();
            let concerned = state.has_to_do_with(self.node());
            (concerned, state.room.applied(), state.room.len())
        };
        if concerned {
            return false;
        }
        let store = &common.store;
        // Whoever changed who is here may not have come to tell.
        let counted = store.census(&live.id, applied, members).await;
        let released = store.release(&live.id, applied).await;
        let heads = store.heads(vec![live.id.clone()]).await;
        counted.is_ok() && released.is_ok() && heads.is_ok_and(|heads| heads == [applied])
    }

    /// The node goes away: what it looked after is looked after by others from now on.
    pub async fn resign(&self) {
        if let Some(common) = &self.inner.shared.common {
            tell(common.store.resign().await);
        }
    }
}

impl super::live::State {
    /// Whether that node looks after anyone here, or anyone reads there.
    pub(super) fn has_to_do_with(&mut self, node: NodeId) -> bool {
        self.room.seated().any(|(_, member)| {
            let attendance = &member.attendance;
            let reads = |door| attendance.reader(door).is_some_and(|r| r.node() == node);
            attendance.keeper() == node || reads(Door::Events) || reads(Door::Notices)
        })
    }

    fn has_slots(&mut self) -> bool {
        let mut seated = self.room.seated();
        seated.any(|(_, member)| member.seat.slots().next().is_some())
    }
}
