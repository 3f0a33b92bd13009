//! The nodes, the engine and the clients, and how time passes for all of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use super::asking::{Answer, Ask};
use super::net::Net;
use super::node::Node;
use super::people::{Life, Person};
use super::reading::Open;
use super::truth::Truths;
use super::weather::Repair;
use super::*;
use crate::backplane::model;

/// How often a node looks for rooms that it has for nothing, in milliseconds.
const LOOK: u64 = 10_000;

/// The last of what happened.
#[derive(Default)]
pub(super) struct Log {
    pub(super) step: u64,
    pub(super) lines: VecDeque<String>,
    /// All of it, in a number.
    pub(super) print: u64,
    pub(super) truths: Truths,
}

/// Rings once something can go on.
pub(super) struct Bell(AtomicBool);

impl Bell {
    pub(super) fn rung() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(super) fn is_rung(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Something under way at a node.
pub(super) struct Task {
    pub(super) node: usize,
    /// What a client asked, where one did.
    pub(super) ask: Option<Ask>,
    pub(super) future: Pin<Box<dyn Future<Output = Answer>>>,
    pub(super) bell: Arc<Bell>,
    /// When the client waits no longer.
    pub(super) until: Time,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) net: Net,
    pub(super) engine: model::Engine,
    pub(super) truths: Truths,
    pub(super) nodes: Vec<Node>,
    pub(super) tasks: Vec<Task>,
    pub(super) people: Vec<Person>,
    pub(super) lives: Vec<Life>,
    pub(super) opens: BTreeMap<u64, Open>,
    pub(super) repairs: Vec<(Time, Repair)>,
    /// When something went wrong, or right again.
    pub(super) disturbed: Vec<Time>,
    pub(super) accepted: Vec<super::sending::Accepted>,
    /// Numbers readers, signals, incarnations.
    pub(super) serial: u64,
    /// No more comes to pass than has to.
    pub(super) quiet: bool,
    /// No client does anything by itself.
    pub(super) paused: bool,
    /// Nodes are compared at each turn.
    pub(super) watched: bool,
    pub(super) log: Rc<RefCell<Log>>,
}

/// What can be done now.
#[derive(Clone, Copy)]
enum Chance {
    Act,
    Hear(usize),
    Tick(usize),
    Poll(usize),
    Pull(u64),
}

impl World {
    /// So many nodes and nobody else, whose ways are short.
    pub(super) fn bare(nodes: usize) -> Self {
        let mut world = Self::without_nodes(0, Rc::default());
        for _ in 0..nodes {
            world.add_node();
        }
        world
    }

    pub(super) fn new(seed: u64, log: Rc<RefCell<Log>>) -> Self {
        let mut world = Self::without_nodes(seed, log);
        for _ in 0..world.rng.usize(3..5) {
            world.add_node();
        }
        world
    }

    fn without_nodes(seed: u64, log: Rc<RefCell<Log>>) -> Self {
        let net = Net::new(seed ^ 0x5eed, START);
        let truths = log.borrow().truths.clone();
        Self {
            rng: Rng::with_seed(seed),
            engine: model::Engine::new(LEASE, START),
            net,
            truths,
            nodes: Vec::new(),
            tasks: Vec::new(),
            people: Vec::new(),
            lives: Vec::new(),
            opens: BTreeMap::new(),
            repairs: Vec::new(),
            disturbed: Vec::new(),
            accepted: Vec::new(),
            serial: 0,
            quiet: false,
            paused: false,
            watched: number("SEVERAL_WATCH").is_some(),
            log,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.net.now()
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn say(&self, line: impl FnOnce() -> String) {
        let mut log = self.log.borrow_mut();
        let now = self.now().0 - START.0;
        let line = format!("{} {}.{:03} {}", log.step, now / 1000, now % 1000, line());
        let mut print = twox_hash::XxHash64::with_seed(log.print);
        std::hash::Hasher::write(&mut print, line.as_bytes());
        log.print = std::hash::Hasher::finish(&print);
        log.lines.push_back(line);
        if log.lines.len() > 120 {
            log.lines.pop_front();
        }
    }

    pub(super) fn choose<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.rng.usize(..of.len())])
    }

    pub(super) fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    /// Has a request go its way at a node.
    pub(super) fn begin(
        &mut self,
        node: usize,
        ask: Option<Ask>,
        future: Pin<Box<dyn Future<Output = Answer>>>,
    ) {
        // Clients wait for at least as long as a server may take.
        let patience = match ask {
            Some(Ask::Open { .. }) => 4_000,
            _ if self.chance(10) => 1_500,
            _ => 15_000,
        };
        let until = Time(self.now().0 + patience);
        self.tasks.push(Task {
            node,
            ask,
            future,
            bell: Bell::rung(),
            until,
        });
    }

    /// Lets so many milliseconds pass.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = Time(self.now().0 + millis);
        loop {
            self.settle();
            let now = self.now();
            if now >= end {
                return;
            }
            let next = self.next().map_or(end, |next| next.min(end));
            let next = Time(next.0.max(now.0 + 1));
            self.net.at(next);
            self.engine.at(next);
            self.is_time();
        }
    }

    /// When something falls due.
    fn next(&self) -> Option<Time> {
        let now = self.now();
        let running = || self.nodes.iter().filter(|node| node.runs());
        let due = running().filter_map(|node| node.due(now));
        let heard = running().filter_map(|node| node.ear.next());
        let looks = running().map(|node| Time(node.looked.0 + LOOK));
        let people = self.people.iter().filter(|_| !self.paused);
        let people = people.filter_map(|person| person.next);
        let tasks = self.tasks.iter().filter(|task| task.ask.is_some());
        let tasks = tasks.map(|task| task.until);
        let repairs = self.repairs.iter().map(|(at, _)| *at);
        let all = due
            .chain(heard)
            .chain(looks)
            .chain(people)
            .chain(tasks)
            .chain(repairs);
        all.chain(self.net.next()).min()
    }

    /// Does what comes by the clock alone.
    fn is_time(&mut self) {
        let now = self.now();
        for node in &mut self.nodes {
            if node.runs() && node.looked.0 + LOOK <= now.0 {
                node.looked = now;
                node.hub().forget_unused();
            }
        }
        self.repair();
        let late: Vec<_> = (0..self.tasks.len())
            .filter(|at| self.tasks[*at].ask.is_some() && self.tasks[*at].until <= now)
            .collect();
        for at in late.into_iter().rev() {
            let task = self.tasks.remove(at);
            let ask = task.ask.expect("a client's");
            self.say(|| format!("{ask:?} at {} is given up", task.node));
            drop(task.future);
            self.unanswered(ask);
        }
        for person in 0..self.people.len() {
            if !self.paused && self.people[person].next.is_some_and(|next| next <= now) {
                self.people[person].next = None;
                self.live(person);
            }
        }
    }

    /// Does all that can be done now, in an order that the seed draws.
    pub(super) fn settle(&mut self) {
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 100_000, "it never comes to rest");
            for (at, node) in self.nodes.iter_mut().enumerate() {
                node.ear.prick(&self.net);
                for future in node.queue.lock().drain(..) {
                    self.tasks.push(Task {
                        node: at,
                        ask: None,
                        future: Box::pin(async move {
                            future.await;
                            Answer::Aside
                        }),
                        bell: Bell::rung(),
                        until: Time(0),
                    });
                }
            }
            let chances = self.chances();
            match self.choose(&chances) {
                None => break,
                Some(Chance::Act) => {
                    self.net.act();
                }
                Some(Chance::Hear(node)) => {
                    let now = self.now();
                    if let Some(news) = self.nodes[node].ear.hear(now) {
                        if matches!(news, News::Standing(_) | News::Lost { .. }) {
                            self.say(|| format!("node {node} hears {news:?}"));
                        }
                        self.nodes[node].hub().hear(news);
                    }
                }
                Some(Chance::Tick(node)) => self.nodes[node].hub().tick(),
                Some(Chance::Poll(at)) => self.poll(at),
                Some(Chance::Pull(serial)) => self.pull(serial),
            }
            self.judge();
            if self.watched {
                self.compare(false);
            }
        }
    }

    fn chances(&self) -> Vec<Chance> {
        let now = self.now();
        let mut all = Vec::new();
        if self.net.next().is_some_and(|next| next <= now) {
            all.push(Chance::Act);
        }
        for (at, node) in self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.runs())
        {
            if node.ear.next().is_some_and(|next| next <= now) {
                all.push(Chance::Hear(at));
            }
            if node.is_due() {
                all.push(Chance::Tick(at));
            }
        }
        for (at, task) in self.tasks.iter().enumerate() {
            if task.bell.is_rung() && self.nodes[task.node].runs() {
                all.push(Chance::Poll(at));
            }
        }
        for (serial, open) in &self.opens {
            if open.bell.is_rung() && self.nodes[open.node].runs() {
                all.push(Chance::Pull(*serial));
            }
        }
        all
    }

    fn poll(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        task.bell.take();
        let waker = std::task::Waker::from(task.bell.clone());
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(answer) = polled {
            let Task { node, ask, .. } = self.tasks.remove(at);
            if let Some(ask) = ask {
                self.answered(node, ask, answer);
            }
        }
    }
}
