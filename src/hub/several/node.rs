//! A node of the model: a hub over its way to the engine, and how it comes and goes.

use std::sync::Weak;

use super::way::{Ear, Way};
use super::world::World;
use super::*;
use crate::backplane::store::Later;

/// How long a node takes to drain.
pub(super) const WINDOW: Duration = Duration::from_secs(5);

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Up,
    /// It goes away, and has resigned by then.
    Draining(Time),
    Gone,
}

pub(super) struct Node {
    pub(super) way: Arc<Way>,
    pub(super) ear: Ear,
    pub(super) hub: Option<Hub>,
    pub(super) queue: Arc<Mutex<Vec<Later<()>>>>,
    pub(super) health: Health,
    /// It cannot reach the engine.
    pub(super) cut: bool,
    /// It does nothing at all.
    pub(super) frozen: bool,
    /// When it last looked for rooms that it has for nothing.
    pub(super) looked: Time,
}

impl Node {
    /// Whether clients are sent there.
    pub(super) fn serves(&self) -> bool {
        self.health == Health::Up
    }

    /// Whether it does anything.
    pub(super) fn runs(&self) -> bool {
        self.hub.is_some() && !self.frozen
    }

    pub(super) fn hub(&self) -> &Hub {
        self.hub.as_ref().expect("a node that is up")
    }

    /// When its hub has something to do next, by the engine's time.
    pub(super) fn due(&self, now: Time) -> Option<Time> {
        let hub = self.hub.as_ref().filter(|_| !self.frozen)?;
        let due = hub.inner.shared.timer.next()?;
        let ahead = hub.now().0.saturating_sub(now.0);
        Some(Time(due.0.saturating_sub(ahead).max(now.0)))
    }

    pub(super) fn is_due(&self) -> bool {
        self.hub
            .as_ref()
            .filter(|_| !self.frozen)
            .is_some_and(|hub| {
                hub.inner
                    .shared
                    .timer
                    .next()
                    .is_some_and(|due| due <= hub.now())
            })
    }
}

impl World {
    pub(super) fn add_node(&mut self) -> usize {
        let (way, ear) = Way::new(&self.engine, &self.net, &self.truths);
        let queue = Arc::new(Mutex::new(Vec::new()));
        let tasks = Tasks::Queue(queue.clone());
        let hub = Hub::sharing(LIMITS, TIMINGS, way.clone(), tasks);
        self.nodes.push(Node {
            way,
            ear,
            hub: Some(hub),
            queue,
            health: Health::Up,
            cut: false,
            frozen: false,
            looked: self.net.now(),
        });
        let node = self.nodes.len() - 1;
        self.say(|| format!("node {node} comes"));
        node
    }

    /// The node is gone, and all that it held: its readers break, what was asked of it stays
    /// unanswered.
    pub(super) fn end_node(&mut self, node: usize) {
        let all: Vec<_> = self
            .opens
            .iter()
            .filter(|(_, open)| open.node == node)
            .collect();
        let all: Vec<_> = all.into_iter().map(|(serial, _)| *serial).collect();
        self.nodes[node].way.die();
        self.nodes[node].health = Health::Gone;
        for serial in all {
            self.lose(serial);
        }
        let (of_it, others) = std::mem::take(&mut self.tasks)
            .into_iter()
            .partition(|t| t.node == node);
        self.tasks = others;
        let of_it: Vec<super::world::Task> = of_it;
        for task in of_it {
            task.ask.into_iter().for_each(|ask| self.unanswered(ask));
        }
        let one = &mut self.nodes[node];
        one.queue.lock().clear();
        let weak: Weak<Inner> = Arc::downgrade(&one.hub.take().expect("a node that is up").inner);
        assert!(
            weak.upgrade().is_none(),
            "the hub of node {node} outlives it"
        );
    }

    /// A node that clients are sent to; another than `but`, if there is one.
    pub(super) fn some_node(&mut self, but: Option<usize>) -> Option<usize> {
        let all: Vec<_> = (0..self.nodes.len())
            .filter(|n| self.nodes[*n].serves())
            .collect();
        if self.chance(8) {
            // It is not known everywhere yet who goes away.
            let leaving = |n: &usize| matches!(self.nodes[*n].health, Health::Draining(_));
            let leaving: Vec<_> = (0..self.nodes.len()).filter(leaving).collect();
            if let Some(node) = self.choose(&leaving) {
                return Some(node);
            }
        }
        let others: Vec<_> = all.iter().copied().filter(|n| Some(*n) != but).collect();
        self.choose(&others).or_else(|| self.choose(&all))
    }

    pub(super) fn serving(&self) -> usize {
        self.nodes.iter().filter(|node| node.serves()).count()
    }
}
