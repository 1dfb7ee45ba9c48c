//! Names that may occur twice, in work that grows with their number and not with its square.

use std::borrow::{Borrow, Cow};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
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
    /// Sets the value of a name.
    pub(crate) fn insert(&mut self, name: K, value: V) {
        if let Some(before) = self.find_or_insert(name, value) {
            *before = value;
        }
    }

    /// Returns the value of a name, to be changed. If there is none, sets it to `value`.
    #[inline]
    pub(crate) fn find_or_insert(&mut self, name: K, value: V) -> Option<&mut V> {
        if self.many.is_none() {
            if let Some(at) = self.few.iter().position(|(other, _)| *other == name) {
                return self.few.get_mut(at).map(|(_, value)| value);
            }
            if self.few.len() < FEW {
                self.few.push((name, value));
                return None;
            }
        }
        self.find_or_insert_in_many(name, value)
    }

    #[cold]
    fn find_or_insert_in_many(&mut self, name: K, value: V) -> Option<&mut V> {
        match self.many.get_or_insert_with(|| self.few.drain(..).collect()).entry(name) {
            Entry::Occupied(found) => Some(found.into_mut()),
            Entry::Vacant(place) => {
                place.insert(value);
                None
            }
        }
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

    pub(crate) fn contains<Q: Eq + Hash + ?Sized>(&self, name: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(name).is_some()
    }
}

impl<K: Copy + Eq + Hash> Names<K> {
    /// Adds a name; returns false if it was there already.
    pub(crate) fn add(&mut self, name: K) -> bool {
        self.find_or_insert(name, ()).is_none()
    }
}

impl<K: Copy + Eq + Hash> FromIterator<K> for Names<K> {
    fn from_iter<I: IntoIterator<Item = K>>(names: I) -> Self {
        let mut names = names.into_iter();
        // Few are not compared before they are looked for.
        let few = names.by_ref().take(FEW).map(|name| (name, ())).collect();
        let mut all = Self { few, many: None };
        names.for_each(|name| {
            all.add(name);
        });
        all
    }
}

/// Returns the last of several pairs with the same name.
pub(crate) fn last_of_each<K: Copy + Eq + Hash, T: Copy>(
    pairs: impl Iterator<Item = (K, T)>,
) -> impl Iterator<Item = (K, T)> {
    let mut pairs: SmallVec<[_; 8]> = pairs.collect();
    let mut names = Names::default();
    // The pairs to keep are moved to the end.
    let mut first = pairs.len();
    for place in (0..pairs.len()).rev() {
        if names.add(pairs[place].0) {
            first -= 1;
            pairs[first] = pairs[place];
        }
    }
    pairs.into_iter().skip(first)
}

/// Makes owned names unique, which may be equal to other names: appends a number. Borrowed names stay.
pub(crate) fn tell_apart<T>(fields: &mut [(Cow<'_, str>, T)]) {
    if fields.iter().all(|(name, _)| matches!(name, Cow::Borrowed(_))) {
        return;
    }
    let unchanged = fields.iter().filter(|(name, _)| matches!(name, Cow::Borrowed(_)));
    let mut used: HashSet<String> = unchanged.map(|(name, _)| name.clone().into_owned()).collect();
    // For each name that occurs again, the last number that was tried: all up to it are used.
    let mut tried: HashMap<String, usize> = HashMap::new();
    for name in fields.iter_mut().map(|(name, _)| name).filter(|name| matches!(name, Cow::Owned(_))) {
        if used.insert(name.clone().into_owned()) {
            continue;
        }
        let number = tried.entry(name.clone().into_owned()).or_insert(1);
        let mut numbered = std::iter::from_fn(|| {
            *number += 1;
            Some(format!("{name}_{number}"))
        });
        *name = numbered.find(|numbered| used.insert(numbered.clone())).unwrap_or_default().into();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_found_however_many_there_are(names in proptest::collection::vec(0u32..60, 0..120)) {
            let mut found = Names::default();
            let mut expected = HashMap::new();
            for (place, name) in names.iter().enumerate() {
                prop_assert_eq!(found.get(name), expected.get(name).copied());
                if place % 3 == 0 {
                    found.insert(*name, place);
                    expected.insert(*name, place);
                } else {
                    prop_assert_eq!(found.find_or_insert(*name, place).copied(), expected.get(name).copied());
                    expected.entry(*name).or_insert(place);
                }
            }
            let collected: Names<u32> = names.iter().copied().collect();
            prop_assert!((0..60).all(|name| collected.contains(&name) == names.contains(&name)));
        }

        #[test]
        fn the_last_of_each_name_stays_in_its_place(names in proptest::collection::vec(0u32..60, 0..120)) {
            let pairs: Vec<_> = names.iter().copied().zip(0..).collect();
            let is_last = |(name, place): &(u32, i32)| !pairs.iter().any(|(other, at)| other == name && at > place);
            let expected: Vec<_> = pairs.iter().copied().filter(is_last).collect();
            prop_assert_eq!(last_of_each(pairs.iter().copied()).collect::<Vec<_>>(), expected);
        }
    }
}
