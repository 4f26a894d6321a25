//! A map whose changes can be taken back until they are committed.
//!
//! Knows nothing of what it holds, but how many bytes of the log each value keeps alive.

use std::hash::Hash;

use crate::{log::scan::Location, util::table::Table};

/// A value that lines of the log stand for.
pub trait Logged {
    /// Visits the lines that a compaction must keep for it.
    fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location));

    /// How long these are together, in bytes.
    fn bytes(&self) -> u64;
}

/// See the [module](self).
#[derive(Debug)]
pub struct Journal<K, V> {
    map: Table<K, V>,
    /// What was there before each change since the last commit.
    undo: Vec<(K, Option<V>)>,
    bytes: u64,
}

impl<K, V> Default for Journal<K, V> {
    fn default() -> Journal<K, V> {
        Journal { map: Table::default(), undo: Vec::new(), bytes: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Logged> Journal<K, V> {
    /// Returns what there is for `key`.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.map.get(key)
    }

    /// Returns the key that is equal to `key`.
    pub fn get_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.map.get_key(key)
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns all there is, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    /// How many bytes of the log are kept for what there is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets what there is for `key`, or with `None` removes it. It can be taken back.
    pub fn set(&mut self, key: K, value: Option<V>) {
        let before = self.put(key.clone(), value);
        self.undo.push((key, before));
    }

    /// The same while a log is read: it can't be taken back.
    pub fn load(&mut self, key: K, value: Option<V>) {
        self.put(key, value);
    }

    /// Removes what `keep` doesn't want, while a log is read.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let bytes = &mut self.bytes;
        self.map.retain(|key, value| {
            let keeps = keep(key, value);
            *bytes -= if keeps { 0 } else { value.bytes() };
            keeps
        });
    }

    /// Keeps the changes made so far.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Takes back the changes made since the last commit, newest first.
    pub fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            self.put(key, before);
        }
    }

    /// All values, for changes that can't be taken back; [`Journal::recount_bytes`] must follow.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut()
    }

    /// Adds up [`Journal::bytes`] anew.
    pub fn recount_bytes(&mut self) {
        self.bytes = self.map.values().map(V::bytes).sum();
    }

    /// Visits all lines that a compaction must keep.
    pub fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location)) {
        self.map.values_mut().for_each(|value| value.each_line(visit));
    }

    fn put(&mut self, key: K, value: Option<V>) -> Option<V> {
        self.bytes += value.as_ref().map_or(0, V::bytes);
        let before = match value {
            Some(value) => self.map.insert(key, value),
            None => self.map.remove(&key),
        };
        self.bytes -= before.as_ref().map_or(0, V::bytes);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Logged for Location {
        fn each_line(&mut self, visit: &mut dyn FnMut(&mut Location)) {
            visit(self);
        }

        fn bytes(&self) -> u64 {
            self.len.into()
        }
    }

    #[test]
    fn what_is_not_committed_can_be_taken_back() {
        let at = |offset| Location { offset, len: 10 };
        let mut journal: Journal<u64, Location> = Journal::default();
        journal.set(1, Some(at(0)));
        journal.commit();
        journal.set(1, Some(at(5)));
        journal.set(2, Some(at(7)));
        journal.set(1, None);
        assert_eq!((journal.len(), journal.bytes()), (1, 10));
        journal.roll_back();
        assert_eq!((journal.get(&1), journal.get(&2), journal.bytes()), (Some(&at(0)), None, 10));
    }
}
