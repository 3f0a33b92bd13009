//! The shared store within this process: several nodes in one test or simulation, without a network.
//!
//! It asks nobody for the time: the clock moves where the caller moves it, and all else follows in a
//! fixed order. What is asked of it is done at once.

mod lease;
mod log;
#[cfg(test)]
mod tests;
mod world;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc::Receiver;

use self::world::{Serial, World};
use super::store::{Append, Later, News, NodeId, RoomsPage, Store, StoreError, Tail, feed};
use crate::proto::{RoomId, Time};

/// What becomes of a node's next append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// It never arrives.
    Before,
    /// It is stored, but the node does not hear of that.
    After,
}

/// An engine that nodes join.
#[derive(Clone)]
pub struct Engine(Arc<Mutex<World>>);

/// One node's handle; dropped without [`Store::resign`], the node has died.
pub struct Node {
    engine: Engine,
    serial: Serial,
}

impl Engine {
    /// An engine whose clock stands at `now`.
    pub fn new(lease: Duration, now: Time) -> Self {
        Self(Arc::new(Mutex::new(World::new(lease, now))))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock()
    }

    /// A further node, and what it is told.
    pub fn join(&self) -> (Arc<Node>, Receiver<News>) {
        let (feed, news) = feed();
        let serial = self.world().join(feed);
        let engine = self.clone();
        (Arc::new(Node { engine, serial }), news)
    }

    /// Moves the clock, which never goes back. Leases are renewed, run out, and are swept.
    pub fn at(&self, now: Time) {
        self.world().at(now);
    }

    /// The engine's clock.
    pub fn now(&self) -> Time {
        self.world().now
    }

    /// From now on the node cannot reach the engine, and hears nothing of it.
    pub fn cut(&self, node: &Node) {
        self.world().cut(node.serial);
    }

    /// The node can reach the engine again.
    pub fn mend(&self, node: &Node) {
        self.world().mend(node.serial);
    }

    /// The node does not hear the next bell; that it missed one is told when the clock next moves.
    pub fn deafen(&self, node: &Node) {
        self.world().deafen(node.serial);
    }

    /// The node's next append goes wrong.
    pub fn trip(&self, node: &Node, trip: Trip) {
        self.world().trip(node.serial, trip);
    }

    /// The log of a room loses all entries after `at`, as by a failover; what a snapshot holds is kept.
    /// The position of the last entry then.
    pub fn lose_after(&self, room: &RoomId, at: u64) -> u64 {
        let mut world = self.world();
        world.lose_after(room, at);
        world.head(room)
    }

    /// In how many rooms the node keeps peers, as far as the engine knows.
    pub fn kept(&self, node: &Node) -> usize {
        self.world().kept_by(node.serial)
    }

    /// All rooms are lost, as where nothing was written to disk.
    pub fn lose_all(&self) {
        self.world().lose_all();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.engine.world().die(self.serial);
    }
}

fn ready<T: Send + 'static>(value: T) -> Later<T> {
    Box::pin(std::future::ready(value))
}

impl Node {
    /// Asks the engine, if it can be reached.
    fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut World, NodeId) -> T,
    ) -> Later<Result<T, StoreError>> {
        let mut world = self.engine.world();
        ready(
            world
                .reached(self.serial)
                .map(|node| what(&mut world, node)),
        )
    }
}

impl Store for Node {
    fn append(&self, room: &RoomId, append: Append) -> Later<Result<Tail, StoreError>> {
        ready(self.engine.world().append(self.serial, room, append))
    }

    fn fetch(&self, room: &RoomId, known: u64) -> Later<Result<Tail, StoreError>> {
        self.ask(|world, _| world.fetch(room, known))
    }

    fn heads(&self, rooms: Vec<RoomId>) -> Later<Result<Vec<u64>, StoreError>> {
        self.ask(|world, _| rooms.iter().map(|room| world.head(room)).collect())
    }

    fn compact(&self, room: &RoomId, at: u64, snapshot: Bytes) -> Later<Result<(), StoreError>> {
        let mut world = self.engine.world();
        let node = world.standing(self.serial);
        ready(node.map(|_| world.compact(room, at, snapshot)))
    }

    fn census(&self, room: &RoomId, at: u64, members: usize) -> Later<Result<(), StoreError>> {
        let mut world = self.engine.world();
        let node = world.standing(self.serial);
        ready(node.map(|_| world.census(room, at, members)))
    }

    fn release(&self, room: &RoomId, at: u64) -> Later<Result<(), StoreError>> {
        let mut world = self.engine.world();
        let node = world.standing(self.serial);
        ready(node.map(|node| world.release(room, node, at)))
    }

    fn swept(&self, room: &RoomId, node: NodeId) -> Later<Result<(), StoreError>> {
        self.ask(|world, _| world.swept(room, node))
    }

    fn rooms(&self, page: u64) -> Later<Result<RoomsPage, StoreError>> {
        self.ask(|world, _| world.rooms(page))
    }

    fn node(&self) -> NodeId {
        self.engine.world().id(self.serial)
    }

    fn now(&self) -> Time {
        self.engine.now()
    }

    fn resign(&self) -> Later<Result<(), StoreError>> {
        self.engine.world().resign(self.serial);
        ready(Ok(()))
    }
}
