//! A bounded memory that forgets by age and, past its bound, the oldest first.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hash};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize, Serializer};

use super::ring::push_back;
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

/// What is remembered: in the order of time, with places by key beside it. A place is a number that
/// wraps around; looking one up and forgetting the oldest touch little memory that way.
#[derive(Clone, Debug)]
struct All<K, V> {
    entries: VecDeque<Entry<K, V>>,
    /// The place of the first entry.
    first: u32,
    /// Since when the first entry is held.
    oldest: Time,
    places: HashTable<u32>,
    hasher: RandomState,
    weight: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry<K, V> {
    key: K,
    /// None once a later one has the same key.
    value: Option<V>,
    weight: usize,
    at: Time,
}

/// A memory as it is kept in a file.
#[derive(Serialize, Deserialize)]
struct Flat<K, V> {
    most: usize,
    span: Duration,
    entries: Vec<Entry<K, V>>,
}

impl<K: Eq + Hash, V> From<Flat<K, V>> for Remembered<K, V> {
    fn from(flat: Flat<K, V>) -> Self {
        let Flat {
            most,
            span,
            entries,
        } = flat;
        let mut all = None;
        for entry in entries {
            let all = all.get_or_insert_with(|| Box::new(All::new()));
            all.push(entry, most);
        }
        Self { most, span, all }
    }
}

impl<K: Clone + Serialize, V: Clone + Serialize> Serialize for Remembered<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let entries = self.all.iter().flat_map(|all| &all.entries);
        let flat = Flat {
            most: self.most,
            span: self.span,
            entries: entries
                .filter(|entry| entry.value.is_some())
                .cloned()
                .collect(),
        };
        flat.serialize(s)
    }
}

impl<K: Eq + Hash, V> Remembered<K, V> {
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
        let all = self.all.get_or_insert_with(|| Box::new(All::new()));
        let entry = Entry {
            key,
            value: Some(value),
            weight,
            at: now,
        };
        all.push(entry, self.most);
        all.keep_to(self.most);
    }

    /// What is still remembered under `key`, and since when.
    pub fn get<Q>(&self, key: &Q, now: Time) -> Option<(&V, Time)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let Entry { value, at, .. } = self.all.as_ref()?.find(key)?;
        let fresh = now.since(*at) < self.span;
        value.as_ref().filter(|_| fresh).map(|value| (value, *at))
    }

    /// All that is still remembered, the oldest first.
    pub fn iter(&self, now: Time) -> impl Iterator<Item = (&K, &V, Time)> {
        let entries = self.all.iter().flat_map(|all| &all.entries);
        entries
            .filter(move |entry| now.since(entry.at) < self.span)
            .filter_map(|entry| Some((&entry.key, entry.value.as_ref()?, entry.at)))
    }

    /// Drops what is too old, and gives the memory back where nothing is left.
    pub fn forget(&mut self, now: Time) {
        let Some(all) = &mut self.all else { return };
        while now.since(all.oldest) >= self.span {
            all.drop_oldest();
            if all.entries.is_empty() {
                self.all = None;
                return;
            }
        }
    }

    /// When the oldest entry will have outlived its span.
    pub fn deadline(&self) -> Option<Time> {
        self.all.as_ref().map(|all| all.oldest + self.span)
    }

    /// How many entries are held, old ones included.
    pub fn len(&self) -> usize {
        self.all.as_ref().map_or(0, |all| all.places.len())
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash, V> All<K, V> {
    fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            oldest: Time::default(),
            places: HashTable::new(),
            hasher: RandomState::default(),
            weight: 0,
        }
    }

    fn find<Q>(&self, key: &Q) -> Option<&Entry<K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let at = |place: u32| place.wrapping_sub(self.first) as usize;
        let is_it = |place: &u32| self.entries[at(*place)].key.borrow() == key;
        let place = self.places.find(self.hasher.hash_one(key), is_it)?;
        self.entries.get(at(*place))
    }

    /// Adds an entry behind all others; that of the same key counts no more.
    fn push(&mut self, entry: Entry<K, V>, most: usize) {
        let Self {
            entries,
            first,
            oldest,
            places,
            hasher,
            weight,
        } = self;
        let at = |place: u32| place.wrapping_sub(*first) as usize;
        // There are never so many entries that a place comes twice.
        let place = first.wrapping_add(entries.len() as u32);
        let hash = hasher.hash_one(&entry.key);
        *weight += entry.weight;
        if entries.is_empty() {
            *oldest = entry.at;
        }
        let known = places.find_mut(hash, |place| entries[at(*place)].key == entry.key);
        let again = known.map(|known| std::mem::replace(known, place));
        push_back(entries, most, entry);
        match again {
            Some(former) => {
                let former = &mut entries[at(former)];
                former.value = None;
                *weight -= former.weight;
            }
            None => {
                let rehash = |place: &u32| hasher.hash_one(&entries[at(*place)].key);
                places.insert_unique(hash, place, rehash);
            }
        }
        if self.entries.len() > 2 * self.places.len() + 16 {
            self.close_up(most);
        }
    }

    /// Keys that came again and again have left their older places behind.
    fn close_up(&mut self, most: usize) {
        let entries = std::mem::take(&mut self.entries);
        self.places.clear();
        self.weight = 0;
        for entry in entries.into_iter().filter(|entry| entry.value.is_some()) {
            self.push(entry, most);
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            if entry.value.is_some() {
                let hash = self.hasher.hash_one(&entry.key);
                if let Ok(place) = self.places.find_entry(hash, |place| *place == self.first) {
                    place.remove();
                }
                self.weight -= entry.weight;
            }
            self.first = self.first.wrapping_add(1);
        }
        self.oldest = self.entries.front().map_or(self.oldest, |entry| entry.at);
    }

    fn keep_to(&mut self, most: usize) {
        while most > 0 && self.weight > most && self.places.len() > 1 {
            self.drop_oldest();
        }
    }
}

#[cfg(test)]
mod tests;
