//! A hash table whose values lie in a list, so that all tables with keys of one type share their code: each further pair of types in
//! a [`HashMap`] is some 2.5 KB of the program.
//!
//! Knows nothing of what it holds.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, ops::Index};

/// See the [module](self). It keeps the memory that it has grown to, as a [`HashMap`] does.
#[derive(Debug)]
pub struct Table<K, V> {
    places: Places<K>,
    values: Vec<Option<V>>,
}

/// Where the value of each key lies.
#[derive(Debug)]
struct Places<K> {
    by_key: HashMap<K, u32>,
    /// Places below `used` where nothing lies.
    free: Vec<u32>,
    used: u32,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        let places = Places { by_key: HashMap::new(), free: Vec::new(), used: 0 };
        Table { places, values: Vec::new() }
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// Returns the value of `key`.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values[self.places.of(key)?].as_ref()
    }

    /// The same, for a change.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.values[self.places.of(key)?].as_mut()
    }

    /// Returns the key that is equal to `key`.
    pub fn get_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        self.places.by_key.get_key_value(key).map(|(key, _)| key)
    }

    /// Whether there is a value of `key`.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.of(key).is_some()
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.places.by_key.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.places.by_key.is_empty()
    }

    /// Returns all keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.places.by_key.keys()
    }

    /// Returns all there is, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let all = self.places.by_key.iter();
        all.filter_map(|(key, &place)| Some((key, self.values[place as usize].as_ref()?)))
    }

    /// Returns all values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter().flatten()
    }

    /// The same, for changes.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().flatten()
    }

    /// Sets the value of `key`. Returns the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.places.of_new(key);
        if place == self.values.len() {
            self.values.push(None);
        }
        self.values[place].replace(value)
    }

    /// Returns the value of `key`, which is the default if it had none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let place = self.places.of_new(key);
        if place == self.values.len() {
            self.values.push(None);
        }
        self.values[place].get_or_insert_default()
    }

    /// Removes `key`. Returns the value that it had.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.values[self.places.remove(key)?].take()
    }

    /// Removes what `keep` doesn't want.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let values = &mut self.values;
        self.places.retain(&mut |key, place| {
            let keeps = values[place].as_ref().is_some_and(|value| keep(key, value));
            if !keeps {
                values[place] = None;
            }
            keeps
        });
    }
}

/// The value of a key that is there; panics if it isn't.
impl<Q: Hash + Eq + ?Sized, K: Hash + Eq + Borrow<Q>, V> Index<&Q> for Table<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is there")
    }
}

impl<K: Hash + Eq> Places<K> {
    fn of<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.by_key.get(key).map(|place| *place as usize)
    }

    /// The place of a key that may be new: then it may lie right behind the list's end.
    fn of_new(&mut self, key: K) -> usize {
        if let Some(place) = self.of(&key) {
            return place;
        }
        let place = self.free.pop().unwrap_or(self.used);
        self.used = self.used.max(place + 1);
        self.by_key.insert(key, place);
        place as usize
    }

    fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let place = self.by_key.remove(key)?;
        self.free.push(place);
        Some(place as usize)
    }

    fn retain(&mut self, keep: &mut dyn FnMut(&K, usize) -> bool) {
        let free = &mut self.free;
        self.by_key.retain(|key, place| {
            let keeps = keep(key, *place as usize);
            if !keeps {
                free.push(*place);
            }
            keeps
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_a_hash_map_holds_and_uses_places_again() {
        let (mut table, mut map) = (Table::default(), HashMap::new());
        let mut random = 1u32;
        for turn in 0..10_000u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = random >> 26;
            match random >> 24 & 3 {
                0 => assert_eq!(table.remove(&key), map.remove(&key)),
                1 => {
                    *table.get_or_default(key) =
                        *map.entry(key).and_modify(|n| *n += 1).or_default()
                }
                _ => assert_eq!(table.insert(key, turn), map.insert(key, turn)),
            }
            if turn % 1_000 == 0 {
                table.retain(|key, _| key % 2 == 0);
                map.retain(|key, _| key % 2 == 0);
            }
            assert_eq!((table.len(), table.get(&key)), (map.len(), map.get(&key)));
        }
        assert!(table.values.len() <= 64, "{} places for 64 keys", table.values.len());
        let mut held: Vec<_> = table.iter().collect();
        let mut expected: Vec<_> = map.iter().collect();
        held.sort_unstable();
        expected.sort_unstable();
        assert_eq!(held, expected);
        assert_eq!(table.values().count(), map.len());
    }
}
