//! Virtual time, and what happens in it: acts that fall due, in an order that the seed draws.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use parking_lot::Mutex;

use crate::proto::Time;

/// What is done at its time; where it is to be done again, after how many milliseconds.
type Act = Box<dyn FnMut() -> Option<u64> + Send>;

/// How calls fare on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mood {
    /// A way takes so many milliseconds at most.
    pub(super) slowest: u64,
    /// Of a hundred answers so many are lost.
    pub(super) lost: u8,
    /// Of a hundred bells so many are lost, as many doubled.
    pub(super) mute: u8,
}

/// All goes well and fast.
pub(super) const CALM: Mood = Mood {
    slowest: 8,
    lost: 0,
    mute: 0,
};

/// What goes on between nodes and engine.
#[derive(Clone)]
pub(super) struct Net(Arc<Mutex<Inner>>);

struct Inner {
    now: Time,
    serial: u64,
    acts: BTreeMap<(Time, u64), Act>,
    rng: Rng,
    mood: Mood,
}

impl Net {
    pub(super) fn new(seed: u64, now: Time) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now,
            serial: 0,
            acts: BTreeMap::new(),
            rng: Rng::with_seed(seed),
            mood: CALM,
        })))
    }

    pub(super) fn now(&self) -> Time {
        self.0.lock().now
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        self.0.lock().mood = mood;
    }

    pub(super) fn mood(&self) -> Mood {
        self.0.lock().mood
    }

    /// How long one way takes.
    pub(super) fn delay(&self) -> u64 {
        let mut inner = self.0.lock();
        let slowest = inner.mood.slowest;
        // Most ways are fast; a few take as long as may be.
        let most = if inner.rng.u8(..4) == 0 {
            slowest
        } else {
            1 + slowest / 8
        };
        inner.rng.u64(1..=most.max(1))
    }

    /// Whether something comes to pass that does in `percent` of a hundred cases.
    pub(super) fn chance(&self, percent: u8) -> bool {
        self.0.lock().rng.u8(..100) < percent
    }

    pub(super) fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        self.0.lock().rng.u64(range)
    }

    /// Has something done in so many milliseconds.
    pub(super) fn after(&self, millis: u64, act: impl FnMut() -> Option<u64> + Send + 'static) {
        self.0.lock().plan(millis, Box::new(act));
    }

    /// When something falls due next.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.lock().acts.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().acts.len()
    }

    pub(super) fn at(&self, now: Time) {
        self.0.lock().now = now;
    }

    /// Does the next thing that is due; whether there was one.
    pub(super) fn act(&self) -> bool {
        let mut inner = self.0.lock();
        let now = inner.now;
        let due = inner.acts.first_entry().filter(|act| act.key().0 <= now);
        let Some(mut act) = due.map(|act| act.remove()) else {
            return false;
        };
        drop(inner);
        if let Some(again) = act() {
            self.0.lock().plan(again, act);
        }
        true
    }
}

impl Inner {
    fn plan(&mut self, millis: u64, act: Act) {
        self.serial += 1;
        let at = Time(self.now.0 + millis);
        self.acts.insert((at, self.serial), act);
    }
}

/// Where an answer comes to.
pub(super) struct Slot<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new((None, None))))
    }

    pub(super) fn put(&self, value: T) {
        let mut slot = self.0.lock();
        slot.0 = Some(value);
        let waker = slot.1.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Future for Slot<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock();
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
