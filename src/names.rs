//! Names that may occur twice, in work that grows with their number and not with its square.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use smallvec::SmallVec;

/// Names, each with a value: a list while there are few, as there nearly always are.
pub(crate) struct Names<K, V = ()> {
    few: SmallVec<[(K, V); FEW]>,
    /// All names, once there are more.
    many: Option<HashMap<K, V>>,
}

/// Comparing a name with this many others costs about as much as a hash.
pub(crate) const FEW: usize = 24;

impl<K, V> Default for Names<K, V> {
    fn default() -> Self {
        Self { few: SmallVec::new(), many: None }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Names<K, V> {
    /// Sets the value of a name; returns the one before.
    pub(crate) fn insert(&mut self, name: K, value: V) -> Option<V> {
        if let Some(many) = &mut self.many {
            return many.insert(name, value);
        }
        if let Some((_, before)) = self.few.iter_mut().find(|(other, _)| *other == name) {
            return Some(std::mem::replace(before, value));
        }
        if self.few.len() < FEW {
            self.few.push((name, value));
            return None;
        }
        self.many.insert(self.few.drain(..).collect()).insert(name, value)
    }

    /// Returns the value of a name.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match &self.many {
            Some(many) => many.get(name).copied(),
            None => self.few.iter().find(|(other, _)| other.borrow() == name).map(|(_, value)| *value),
        }
    }
}

impl<K: Copy + Eq + Hash> Names<K> {
    /// Adds a name; returns false if it was there already.
    pub(crate) fn add(&mut self, name: K) -> bool {
        self.insert(name, ()).is_none()
    }

    pub(crate) fn contains<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(name).is_some()
    }
}

impl<K: Copy + Eq + Hash> FromIterator<K> for Names<K> {
    fn from_iter<I: IntoIterator<Item = K>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.add(name);
        }
        all
    }
}

/// Moves the last of several items with the same name to the end, in their order, and returns how many items in front of
/// them are left over. `taken`: names that no item may have; those of the items are added.
pub(crate) fn move_last_of_each<K: Copy + Eq + Hash, T: Copy>(
    items: &mut [T],
    taken: &mut Names<K>,
    name: impl Fn(&T) -> K,
) -> usize {
    let mut first = items.len();
    for place in (0..items.len()).rev() {
        let item = items[place];
        if taken.add(name(&item)) {
            first -= 1;
            items[first] = item;
        }
    }
    first
}

/// Returns the last of several pairs with the same name.
pub(crate) fn last_of_each<K: Copy + Eq + Hash, T: Copy>(
    pairs: impl Iterator<Item = (K, T)>,
) -> impl Iterator<Item = (K, T)> {
    let mut pairs: SmallVec<[_; 8]> = pairs.collect();
    let left_over = move_last_of_each(&mut pairs, &mut Names::default(), |pair| pair.0);
    pairs.into_iter().skip(left_over)
}
