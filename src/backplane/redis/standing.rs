//! Who this node is, until when, and the engine's time.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::backplane::store::NodeId;
use crate::proto::Time;

/// A node's own view of its lease.
#[derive(Debug)]
pub(super) struct Place {
    origin: Instant,
    node: watch::Sender<NodeId>,
    /// When the lease is over by the node's own clock, in milliseconds since the origin.
    until: AtomicU64,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            node: watch::Sender::new(NodeId(0)),
            until: AtomicU64::new(0),
        }
    }

    /// Who this node is, or was last.
    pub(super) fn node(&self) -> NodeId {
        *self.node.borrow()
    }

    /// Follows who this node is.
    pub(super) fn watch(&self) -> watch::Receiver<NodeId> {
        self.node.subscribe()
    }

    /// Whether it is that node still.
    pub(super) fn holds(&self, node: NodeId) -> bool {
        let until = self.until.load(Ordering::Acquire);
        self.node() == node && millis(self.origin.elapsed()) < until
    }

    /// It is `node` until then.
    pub(super) fn take(&self, node: NodeId, until: Instant) {
        self.give_up();
        self.node.send_replace(node);
        self.extend(until);
    }

    /// It is who it is until then.
    pub(super) fn extend(&self, until: Instant) {
        let until = millis(until.saturating_duration_since(self.origin));
        self.until.store(until, Ordering::Release);
    }

    /// It is nobody.
    pub(super) fn give_up(&self) {
        self.until.store(0, Ordering::Release);
    }
}

/// The engine's time, told by this machine's monotonic clock.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
    /// The engine's milliseconds at the origin.
    offset: AtomicI64,
    told: AtomicU64,
    /// How long the question took that the offset is from, in milliseconds; at first for ever.
    span: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            offset: AtomicI64::new(0),
            told: AtomicU64::new(0),
            span: AtomicU64::new(u64::MAX),
        }
    }

    /// The engine answered with `engine` a question that was asked at `asked`. An answer that took
    /// long tells less than an earlier one, but what it was takes age: each later answer may have
    /// taken somewhat longer.
    ///
    /// The engine's time is taken as if it had been read the moment it came here, so that this clock is
    /// not ahead of it but for what the two drift apart until the next answer: what a node finds due, it
    /// is by the time of the log as well.
    pub(super) fn learn(&self, engine: u64, asked: Instant) {
        let took = millis(asked.elapsed());
        let best = self.span.load(Ordering::Relaxed);
        if took > best {
            self.span
                .store(best.saturating_mul(2).saturating_add(1), Ordering::Relaxed);
            return;
        }
        // Not a part of a millisecond ahead either.
        let here = millis(self.origin.elapsed()).saturating_add(1);
        let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        self.offset
            .store(signed(engine) - signed(here), Ordering::Relaxed);
        self.span.store(took, Ordering::Relaxed);
    }

    /// The time now, or what was told last where that is later.
    pub(super) fn now(&self) -> Time {
        let here = i64::try_from(millis(self.origin.elapsed())).unwrap_or(i64::MAX);
        let now = self.offset.load(Ordering::Relaxed).saturating_add(here);
        let now = u64::try_from(now).unwrap_or(0);
        Time(self.told.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

/// What it says of an engine if a call goes unanswered for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It does not answer: the leases of nodes are kept that way.
    Proof,
    /// It is to be asked whether it does: one shard of it, one slot or a replica may be missing.
    Doubt,
}

/// How many calls that prove it have gone unanswered for long.
#[derive(Debug)]
pub(super) struct Trouble {
    calls: AtomicUsize,
    changed: watch::Sender<bool>,
    doubt: Notify,
}

/// A call that has gone unanswered for long; it does so until this is dropped.
#[derive(Debug)]
pub(super) struct Unanswered<'a>(&'a Trouble);

impl Trouble {
    pub(super) fn new() -> Self {
        Self {
            calls: AtomicUsize::new(0),
            changed: watch::Sender::new(false),
            doubt: Notify::new(),
        }
    }

    /// Once a call has gone unanswered for long that proves nothing.
    pub(super) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.changed.subscribe()
    }

    /// A call goes unanswered for long from now on.
    pub(super) fn begin(&self, sign: Sign) -> Option<Unanswered<'_>> {
        if sign == Sign::Doubt {
            self.doubt.notify_one();
            return None;
        }
        self.count(|calls| calls.fetch_add(1, Ordering::Relaxed));
        Some(Unanswered(self))
    }

    /// Sees something through that goes for a call which is unanswered for long after `patience`.
    pub(super) async fn over<T>(
        &self,
        sign: Sign,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = timeout(patience, &mut work).await {
            return done;
        }
        let _unanswered = self.begin(sign);
        work.await
    }

    fn count(&self, change: impl FnOnce(&AtomicUsize) -> usize) {
        self.changed.send_if_modified(|trouble| {
            change(&self.calls);
            let now = self.calls.load(Ordering::Relaxed) > 0;
            std::mem::replace(trouble, now) != now
        });
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.count(|calls| calls.fetch_sub(1, Ordering::Relaxed));
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_holds_its_id_until_then_and_no_other() {
        let place = Place::new();
        assert!(!place.holds(NodeId(0)));
        place.take(NodeId(7), Instant::now() + Duration::from_secs(60));
        assert!(place.holds(NodeId(7)) && !place.holds(NodeId(8)));
        place.give_up();
        assert!(!place.holds(NodeId(7)));
        assert_eq!(place.node(), NodeId(7));
    }

    #[test]
    fn the_time_never_goes_back() {
        let clock = Clock::new();
        clock.learn(1_000_000, Instant::now());
        let before = clock.now();
        clock.learn(10, Instant::now());
        assert!(clock.now() >= before && before >= Time(999_999));
    }

    #[test]
    fn the_time_is_never_ahead_of_the_engines() {
        let mut clock = Clock::new();
        let before = |at: Instant, ms| at.checked_sub(Duration::from_millis(ms));
        clock.origin = before(clock.origin, 1_000).expect("a machine that has run so long");
        let answered = Instant::now();
        let asked = before(answered, 400).expect("the same");
        // When in between the engine told the time, nobody knows: it may have been at the very end.
        clock.learn(1_000_000, asked);
        let now = clock.now();
        let most = Time(1_000_000 + millis(answered.elapsed()));
        assert!(now <= most && now >= Time(999_999), "{now:?}, {most:?}");
    }

    #[test]
    fn there_is_trouble_while_any_call_goes_unanswered() {
        let trouble = Trouble::new();
        let seen = trouble.watch();
        assert!(trouble.begin(Sign::Doubt).is_none() && !*seen.borrow());
        let first = trouble.begin(Sign::Proof);
        let second = trouble.begin(Sign::Proof);
        drop(first);
        assert!(*seen.borrow());
        drop(second);
        assert!(!*seen.borrow());
    }
}
