//! The way between a node and the engine: each call takes its time, its answer may be lost and asked
//! for again, and what the engine tells may come late, twice, or never.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::mpsc::Receiver;

use super::net::{Net, Slot};
use super::truth::Truths;
use super::*;
use crate::backplane::model;
use crate::backplane::store::{Append, Later, News, RoomsPage, Standing, StoreError, Tail};

/// A call that is not answered within this is not answered at all, in milliseconds; as a rule.
const PATIENCE: u64 = 6_000;
/// What is not answered is asked again after this.
const AGAIN: u64 = 300;
/// A bell that was lost is found to be within this.
const FOUND: u64 = 10_000;

/// A node's handle of the engine.
pub(super) struct Way {
    node: Mutex<Option<Arc<model::Node>>>,
    net: Net,
    truths: Truths,
    /// How much the node's clock is ahead of the engine's, in milliseconds.
    skew: u64,
    told: AtomicU64,
    engine: model::Engine,
    last: AtomicU64,
    /// Nothing of what this node asks arrives any more.
    pub(super) dead: AtomicBool,
}

impl Way {
    pub(super) fn new(engine: &model::Engine, net: &Net, truths: &Truths) -> (Arc<Self>, Ear) {
        let (node, news) = engine.join();
        let way = Self {
            node: Mutex::new(Some(node)),
            net: net.clone(),
            truths: truths.clone(),
            skew: net.draw(0..400),
            told: AtomicU64::new(0),
            engine: engine.clone(),
            last: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        };
        (Arc::new(way), Ear::new(news))
    }

    pub(super) fn handle(&self) -> Option<Arc<model::Node>> {
        self.node.lock().clone()
    }

    /// The node is no more; what it has sent may arrive still.
    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        *self.node.lock() = None;
    }

    /// Sends a call on its way. Its answer comes from the engine as it is when the call arrives there.
    fn call<T: Send + 'static>(
        &self,
        mut done: impl FnMut(&model::Node) -> Result<T, StoreError> + Send + 'static,
    ) -> Later<Result<T, StoreError>> {
        let Some(node) = self.handle() else {
            return Box::pin(std::future::pending());
        };
        let (net, slot) = (self.net.clone(), Slot::new());
        // Many are stuck for so long that their node may be another when they arrive.
        let patience = if net.chance(60) {
            10 * PATIENCE
        } else {
            PATIENCE
        };
        let until = net.now().0 + patience;
        let answer = slot.clone();
        self.net.after(net.delay(), move || {
            let result = done(&node);
            let lost = net.chance(net.mood().lost);
            if lost {
                count("call", "answer-lost");
            }
            let unanswered = lost || matches!(result, Err(StoreError::Unavailable));
            if unanswered && net.now().0 < until {
                return Some(AGAIN + net.delay());
            }
            let result = if lost {
                Err(StoreError::Unavailable)
            } else {
                result
            };
            let (answer, mut result) = (answer.clone(), Some(result));
            net.after(net.delay(), move || {
                result
                    .take()
                    .into_iter()
                    .for_each(|result| answer.put(result));
                None
            });
            None
        });
        Box::pin(slot)
    }

    /// The same for what only the node may ask that this one is now.
    fn own<T: Send + 'static>(
        &self,
        mut done: impl FnMut(&model::Node) -> Result<T, StoreError> + Send + 'static,
    ) -> Later<Result<T, StoreError>> {
        let me = self.node();
        self.call(move |node| match node.node() == me {
            true => done(node),
            false => {
                count("call", "fenced");
                Err(StoreError::Fenced)
            }
        })
    }
}

fn now<T>(later: Later<T>) -> T {
    later.now_or_never().expect("the model answers at once")
}

impl Store for Way {
    fn append(&self, room: &RoomId, append: Append) -> Later<Result<Tail, StoreError>> {
        let (room, me, truths) = (room.clone(), self.node(), self.truths.clone());
        if self.net.chance(self.net.mood().lost / 4) {
            count("call", "full");
            return Box::pin(std::future::ready(Err(StoreError::Full)));
        }
        let mut first = true;
        self.own(move |node| {
            let tail = now(node.append(&room, append.clone()))?;
            if !std::mem::replace(&mut first, false) {
                count("call", "append-repeated");
            }
            let before = tail.entries.iter().find(|(at, _)| at + 1 == tail.at);
            if let Some((at, other)) = before.filter(|(_, entry)| *entry == append.other_engine) {
                truths.note(&room, *at, other, me, node.now());
            }
            truths.note(&room, tail.at, &append.entry, me, node.now());
            Ok(tail)
        })
    }

    fn fetch(&self, room: &RoomId, known: u64) -> Later<Result<Tail, StoreError>> {
        let room = room.clone();
        self.call(move |node| {
            let tail = now(node.fetch(&room, known))?;
            count("fetch", if tail.set_back { "set-back" } else { "on" });
            if tail.snapshot.is_some() {
                count("fetch", "snapshot");
            }
            Ok(tail)
        })
    }

    fn heads(&self, rooms: Vec<RoomId>) -> Later<Result<Vec<u64>, StoreError>> {
        self.call(move |node| now(node.heads(rooms.clone())))
    }

    fn compact(&self, room: &RoomId, at: u64, snapshot: Bytes) -> Later<Result<(), StoreError>> {
        let room = room.clone();
        count("call", "compact");
        self.own(move |node| now(node.compact(&room, at, snapshot.clone())))
    }

    fn census(&self, room: &RoomId, at: u64, members: usize) -> Later<Result<(), StoreError>> {
        let room = room.clone();
        self.own(move |node| now(node.census(&room, at, members)))
    }

    fn release(&self, room: &RoomId, at: u64) -> Later<Result<(), StoreError>> {
        let room = room.clone();
        count("call", "release");
        self.own(move |node| now(node.release(&room, at)))
    }

    fn swept(&self, room: &RoomId, dead: NodeId) -> Later<Result<(), StoreError>> {
        let room = room.clone();
        count("call", "swept");
        self.call(move |node| now(node.swept(&room, dead)))
    }

    fn rooms(&self, page: u64) -> Later<Result<RoomsPage, StoreError>> {
        self.call(move |node| now(node.rooms(page)))
    }

    fn node(&self) -> NodeId {
        match self.handle() {
            Some(node) => {
                self.last.store(u64::from(node.node().0), Ordering::Relaxed);
                node.node()
            }
            None => NodeId(self.last.load(Ordering::Relaxed) as u32),
        }
    }

    fn now(&self) -> Time {
        let now = self.engine.now().0 + self.skew;
        Time(self.told.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn resign(&self) -> Later<Result<(), StoreError>> {
        let resigned = self.handle().map(|node| now(node.resign()));
        Box::pin(std::future::ready(resigned.unwrap_or(Ok(()))))
    }
}

/// Where a node hears what the engine tells: in an order of its own, but for where it stands.
pub(super) struct Ear {
    news: Receiver<News>,
    coming: BTreeMap<(Time, u64), News>,
    serial: u64,
    stood: Time,
    /// It hears no bells.
    pub(super) deaf: bool,
}

impl Ear {
    fn new(news: Receiver<News>) -> Self {
        Self {
            news,
            coming: BTreeMap::new(),
            serial: 0,
            stood: Time(0),
            deaf: false,
        }
    }

    /// What was told is on its way from now on.
    pub(super) fn prick(&mut self, net: &Net) {
        while let Ok(news) = self.news.try_recv() {
            let now = net.now().0;
            let mut at = Time(now + net.delay());
            match &news {
                News::Entry { room, .. } => {
                    let mute = net.mood().mute;
                    if self.deaf || net.chance(mute) {
                        count("bell", "lost");
                        let partition = Some(crate::backplane::store::partition(room));
                        at = Time(now + net.draw(1..FOUND));
                        self.add(at, News::Missed { partition });
                        continue;
                    }
                    if net.chance(mute) {
                        count("bell", "doubled");
                        self.add(Time(now + net.delay()), news.clone());
                    }
                    count("bell", "heard");
                }
                News::Standing(standing) => {
                    if *standing == Standing::Cut {
                        // That calls go unanswered is noticed after a while.
                        at = Time(now + net.draw(1..2_000));
                    }
                    at = at.max(self.stood);
                    self.stood = at;
                }
                News::Missed { .. } | News::Lost { .. } => {}
            }
            self.add(at, news);
        }
    }

    /// It missed bells for all it knows.
    pub(super) fn miss_all(&mut self, net: &Net) {
        let at = Time(net.now().0 + net.draw(1..2_000));
        self.add(at, News::Missed { partition: None });
    }

    fn add(&mut self, at: Time, news: News) {
        self.serial += 1;
        self.coming.insert((at, self.serial), news);
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.coming.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn hear(&mut self, now: Time) -> Option<News> {
        let first = self.coming.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
