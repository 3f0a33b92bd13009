//! A bounded memory that forgets by age and, past its bound, the oldest first.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::map::Map;
use super::time::Time;

/// What happened, by key, for a while. Together the entries weigh at most `most`; 0 is no bound.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    from = "Flat<K, V>",
    bound(deserialize = "K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>")
)]
pub struct Remembered<K, V> {
    most: usize,
    span: Duration,
    /// Most peers have nothing to remember most of the time.
    all: Option<Box<All<K, V>>>,
}

/// What is remembered.
#[derive(Clone, Debug)]
struct All<K, V> {
    serial: u64,
    weight: usize,
    map: Map<K, Held<V>>,
    order: VecDeque<(K, u64, Time)>,
}

impl<K, V> Default for All<K, V> {
    fn default() -> Self {
        Self {
            serial: 0,
            weight: 0,
            map: Map::default(),
            order: VecDeque::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held<V> {
    value: V,
    serial: u64,
    #[serde(default)]
    weight: usize,
    at: Time,
}

/// A memory as it is kept in a file.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Deserialize<'de> + Eq + Hash, V: Deserialize<'de>"))]
struct Flat<K, V> {
    most: usize,
    span: Duration,
    serial: u64,
    #[serde(default)]
    weight: usize,
    map: Map<K, Held<V>>,
    order: VecDeque<(K, u64, Time)>,
}

impl<K, V> From<Flat<K, V>> for Remembered<K, V> {
    fn from(flat: Flat<K, V>) -> Self {
        let all = All {
            serial: flat.serial,
            weight: flat.weight,
            map: flat.map,
            order: flat.order,
        };
        Self {
            most: flat.most,
            span: flat.span,
            all: (!all.order.is_empty()).then(|| Box::new(all)),
        }
    }
}

impl<K: Clone + Eq + Hash + Serialize, V: Clone + Serialize> Serialize for Remembered<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let All {
            serial,
            weight,
            map,
            order,
        } = self.all.as_deref().cloned().unwrap_or_default();
        let flat = Flat {
            most: self.most,
            span: self.span,
            serial,
            weight,
            map,
            order,
        };
        flat.serialize(s)
    }
}

impl<K: Clone + Eq + Hash, V> Remembered<K, V> {
    /// Remembers entries of at most `most` weight, each for `span`.
    pub fn new(most: usize, span: Duration) -> Self {
        let all = None;
        Self { most, span, all }
    }

    /// Remembers `value`, which weighs one, from `now` on; what was known under `key` is replaced.
    pub fn insert(&mut self, key: K, value: V, now: Time) {
        self.insert_weighing(1, key, value, now);
    }

    /// Remembers `value`, which weighs `weight`, from `now` on; what was known under `key` is
    /// replaced. What weighs more than all may, still drives out all others.
    pub fn insert_weighing(&mut self, weight: usize, key: K, value: V, now: Time) {
        self.forget(now);
        let most = self.most;
        self.all
            .get_or_insert_default()
            .insert(weight, key, value, now, most);
    }

    /// What is still remembered under `key`, and since when.
    pub fn get<Q>(&self, key: &Q, now: Time) -> Option<(&V, Time)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let held = self.all.as_ref()?.map.get(key)?;
        (now.since(held.at) < self.span).then_some((&held.value, held.at))
    }

    /// All that is still remembered, in no order.
    pub fn iter(&self, now: Time) -> impl Iterator<Item = (&K, &V, Time)> {
        let fresh = move |at: Time| now.since(at) < self.span;
        self.all
            .iter()
            .flat_map(|all| &all.map)
            .filter(move |(_, held)| fresh(held.at))
            .map(|(k, held)| (k, &held.value, held.at))
    }

    /// Drops what is too old, and gives the memory back where nothing is left.
    pub fn forget(&mut self, now: Time) {
        let Some(all) = &mut self.all else { return };
        let old = |at: Time| now.since(at) >= self.span;
        while all.order.front().is_some_and(|(_, _, at)| old(*at)) {
            all.drop_oldest();
        }
        if all.order.is_empty() {
            self.all = None;
        }
    }

    /// When the oldest entry will have outlived its span.
    pub fn deadline(&self) -> Option<Time> {
        let oldest = self.all.as_ref()?.order.front();
        oldest.map(|(_, _, at)| *at + self.span)
    }

    /// How many entries are held, old ones included.
    pub fn len(&self) -> usize {
        self.all.as_ref().map_or(0, |all| all.map.len())
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Clone + Eq + Hash, V> All<K, V> {
    fn insert(&mut self, weight: usize, key: K, value: V, now: Time, most: usize) {
        self.serial += 1;
        let held = Held {
            value,
            serial: self.serial,
            weight,
            at: now,
        };
        self.weight += weight;
        if let Some(old) = self.map.insert(key.clone(), held) {
            self.weight -= old.weight;
        }
        self.order.push_back((key, self.serial, now));
        while most > 0 && self.weight > most && self.map.len() > 1 {
            self.drop_oldest();
        }
        if self.order.len() > 2 * self.map.len() + 16 {
            // Keys that came again and again have left their older places behind.
            let map = &self.map;
            self.order
                .retain(|(key, serial, _)| map.get(key).is_some_and(|held| held.serial == *serial));
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((key, serial, _)) = self.order.pop_front() {
            // A later insertion under the same key has an entry of its own further back.
            let known = self.map.get(&key).map(|held| (held.serial, held.weight));
            if let Some((_, weight)) = known.filter(|(known, _)| *known == serial) {
                self.map.remove(&key);
                self.weight -= weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_oldest_is_forgotten_past_the_bound() {
        let mut seen = Remembered::new(2, MINUTE);
        for (n, key) in ["a", "b", "c"].into_iter().enumerate() {
            seen.insert(key, n, Time(n as u64));
        }
        assert_eq!(seen.get("a", Time(3)), None);
        assert_eq!(seen.get("b", Time(3)), Some((&1, Time(1))));
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn what_weighs_more_drives_out_more() {
        let mut seen = Remembered::new(4, MINUTE);
        for (n, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            seen.insert(key, n, Time(n as u64));
        }
        seen.insert_weighing(3, "e", 4, Time(4));
        assert_eq!(seen.len(), 2);
        assert_eq!(seen.get("d", Time(5)), Some((&3, Time(3))));
        seen.insert_weighing(9, "f", 5, Time(5));
        assert_eq!(seen.get("f", Time(5)), Some((&5, Time(5))));
        assert_eq!(seen.len(), 1);
        seen.insert("f", 6, Time(6));
        seen.insert("g", 7, Time(6));
        assert_eq!(seen.len(), 2);
        seen.forget(Time(70_000));
        assert_eq!((seen.len(), seen.all.is_none()), (0, true));
    }

    #[test]
    fn what_is_too_old_is_gone_and_gives_its_memory_back() {
        let mut seen = Remembered::new(0, MINUTE);
        seen.insert("a", 1, Time(0));
        assert_eq!(seen.get("a", Time(59_999)), Some((&1, Time(0))));
        assert_eq!(seen.get("a", Time(60_000)), None);
        assert_eq!(seen.deadline(), Some(Time(60_000)));
        seen.forget(Time(60_000));
        assert!(seen.is_empty());
        assert_eq!(seen.deadline(), None);
    }

    #[test]
    fn a_key_seen_again_and_again_takes_one_place() {
        let mut seen = Remembered::new(2, MINUTE);
        for n in 0..1_000 {
            seen.insert("a", n, Time(n));
        }
        assert!(seen.all.as_ref().is_some_and(|all| all.order.len() < 40));
        assert_eq!(seen.get("a", Time(1_000)), Some((&999, Time(999))));
    }

    #[test]
    fn a_key_seen_again_lives_from_then_on() {
        let mut seen = Remembered::new(2, MINUTE);
        seen.insert("a", 1, Time(0));
        seen.insert("a", 2, Time(30_000));
        seen.forget(Time(60_000));
        assert_eq!(seen.get("a", Time(60_000)), Some((&2, Time(30_000))));
    }
}
