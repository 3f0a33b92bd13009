//! What the store of shared rooms tells this node unasked.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc::Receiver;

use super::Hub;
use super::common::{Common, TOGETHER, tell};
use super::live::{Live, wake};
use crate::backplane::store::{News, PARTITIONS, Standing, partition};
use crate::proto::{Door, Entry, NodeId, Reason, RoomId, Time};

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
                    Some(heard) => {
                        let hearing = AssertUnwindSafe(|| self.hear(heard));
                        if catch_unwind(hearing).is_err() {
                            tracing::error!("what the store told could not be followed");
                        }
                    }
                    None => return std::future::pending().await,
                },
                _ = look.tick() => {
                    self.forget_unused();
                    self.look_at_late();
                }
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
            News::Missed { partition } => {
                let of = partition.map_or(0..PARTITIONS, |one| one..one + 1);
                self.look_at_heads(common, of);
            }
            News::Lost { room, node } => self.sweep(common, room, node),
            News::Standing(standing) => self.stand(common, standing),
        }
    }

    /// Looks at what could not be had before, unless all is looked at once the store answers.
    pub fn look_at_late(&self) {
        if let Some(common) = &self.inner.shared.common
            && !common.is_cut()
        {
            self.look_at_heads(common, common.put_off().into_iter());
        }
    }

    /// Fetches what is new of the rooms here of some partitions, a few at a time.
    fn look_at_heads(&self, common: &Common, partitions: impl Iterator<Item = u16>) {
        if !common.look_at(partitions) {
            return;
        }
        let hub = self.clone();
        common.spawn(async move {
            let Some(common) = &hub.inner.shared.common else {
                return;
            };
            let _running = scopeguard::guard_on_unwind((), |()| common.looked());
            loop {
                let partitions = common.to_look_at();
                if partitions.is_empty() {
                    return;
                }
                let mut by_partition = BTreeMap::<_, Vec<_>>::new();
                for live in hub.all_live(|live| partitions.contains(&partition(&live.id))) {
                    let of = partition(&live.id);
                    by_partition.entry(of).or_default().push(live);
                }
                for (of, all) in by_partition {
                    for some in all.chunks(HEADS) {
                        hub.look_at_some(common, of, some).await;
                    }
                }
            }
        });
    }

    /// The same for rooms of one partition.
    async fn look_at_some(&self, common: &Common, of: u16, some: &[Arc<Live>]) {
        let ids = some.iter().map(|live| live.id.clone()).collect();
        let Ok(heads) = common.store.heads(ids).await else {
            return common.look_later(of);
        };
        let mut behind = Vec::new();
        for (live, head) in some.iter().zip(heads) {
            let mut state = live.lock();
            if head != state.room.applied() {
                let replica = state.replica();
                replica.wanted = replica.wanted.max(head);
                behind.push(self.clone().caught_up(live.clone()));
            }
        }
        let fetched = stream::iter(behind).buffer_unordered(TOGETHER);
        fetched.collect::<()>().await;
    }

    /// A node is no more: its readers and peers in a room are looked after here from now on.
    fn sweep(&self, common: &Common, room: RoomId, node: NodeId) {
        let hub = self.clone();
        common.spawn(async move {
            let Some(common) = &hub.inner.shared.common else {
                return;
            };
            let Some(_sweep) = common.begin_sweep(&room, node) else {
                return;
            };
            let _one_of_few = common.sweepers.acquire().await;
            hub.swept(common, &room, node).await;
        });
    }

    /// Sweeps a room; what fails is told of again.
    async fn swept(&self, common: &Common, room: &RoomId, node: NodeId) {
        let Ok(live) = self.fetched(common, room).await else {
            return;
        };
        let concerned = |live: &&Arc<Live>| live.lock().has_to_do_with(node);
        if let Some(live) = live.as_ref().filter(concerned) {
            // Whether peers could come before this node did, it does not know.
            let since = common.answers_since(self.now());
            common.be_lenient(since + self.timings().grace);
            let heir = self.node();
            let lost = self.append(live, Entry::Lost { node, heir });
            if lost.await.is_err() {
                return;
            }
        }
        // Whoever changed who is there may have died before it came to tell; a room that is no more
        // is counted no more.
        let (at, members) = live.map_or((0, 0), |live| {
            let state = live.lock();
            (state.room.applied(), state.room.len())
        });
        if common.store.census(room, at, members).await.is_err() {
            return;
        }
        tell(common.store.swept(room, node).await);
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
        let node = self.node();
        for live in self.all_live(|_| true) {
            let mut wakers = Vec::new();
            let mut state = live.lock();
            for (_, member) in state.room.seated() {
                // One that sat down as the lease went is a reader of a node that is no more.
                let of_another = |door| {
                    let reader = member.attendance.reader(door);
                    reader.is_some_and(|reader| reader.node() != node)
                };
                for door in Door::ALL.into_iter().filter(|door| of_another(*door)) {
                    if let Some(slot) = member.seat.slot(door) {
                        slot.end.get_or_insert(Reason::Drain);
                    }
                }
                member.seat.tell_store(answers, fenced, now, &mut wakers);
            }
            live.arm(&mut state, Some(now));
            drop(state);
            wake(wakers);
        }
        if answers {
            self.look_at_heads(common, 0..PARTITIONS);
        }
    }

    /// Forgets rooms that the store has and nobody here has to do with.
    pub fn forget_unused(&self) {
        let now = self.now();
        let node = self.node();
        let (mut released, mut kept) = (Vec::new(), Vec::new());
        let mut unused = Vec::new();
        for live in self.all_live(|_| true) {
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
                continue;
            }
            let replica = state.replica();
            if !replica.waiting.is_empty() || !replica.opening.is_empty() {
                continue;
            }
            if std::mem::take(&mut replica.kept) {
                drop(state);
                released.push(live);
                continue;
            }
            if now.since(replica.used) >= UNUSED {
                unused.push(live.id.clone());
            }
        }
        let mut rooms = self.inner.rooms.write();
        for room in unused {
            // Whoever holds it beside this table works on it.
            if rooms
                .get(&room)
                .is_some_and(|live| Arc::strong_count(live) == 1)
            {
                rooms.remove(&room);
            }
        }
        drop(rooms);
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
