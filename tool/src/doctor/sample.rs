//! What is known of each of many ids, or of a random part of them.

use std::collections::HashMap;

use crate::stats::fingerprint;

/// How many ids a thread keeps.
const MAX_IDS: usize = if cfg!(test) { 256 } else { 64 << 10 };

/// Keeps something for each id. If there are too many, only for ids whose hash is below a bound, which is halved as often as
/// needed. All threads sample the same ids.
#[derive(Debug)]
pub(super) struct Sample<V> {
    ids: HashMap<u128, V>,
    halvings: u32,
}

impl<V> Default for Sample<V> {
    fn default() -> Self {
        Self { ids: HashMap::new(), halvings: 0 }
    }
}

impl<V: Default> Sample<V> {
    /// Returns what is kept for an id; `None` if it is not in the sample.
    pub(super) fn get(&mut self, id: &str) -> Option<&mut V> {
        let key = fingerprint(id.as_bytes());
        while self.ids.len() >= MAX_IDS && !self.ids.contains_key(&key) {
            self.halve(self.halvings + 1);
        }
        is_in(key, self.halvings).then(|| self.ids.entry(key).or_default())
    }

    fn halve(&mut self, halvings: u32) {
        self.halvings = halvings.min(64);
        self.ids.retain(|key, _| is_in(*key, halvings));
    }

    /// Adds what another thread has kept.
    pub(super) fn merge(&mut self, mut other: Self, merge: impl Fn(&mut V, V)) {
        let halvings = self.halvings.max(other.halvings);
        self.halve(halvings);
        other.halve(halvings);
        for (key, value) in other.ids {
            merge(self.ids.entry(key).or_default(), value);
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.ids.values()
    }

    /// Returns how many ids each one that is kept stands for.
    pub(super) fn weight(&self) -> u64 {
        1 << self.halvings.min(63)
    }
}

fn is_in(key: u128, halvings: u32) -> bool {
    halvings == 0 || key >> (128 - halvings) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ids_are_all_kept_and_many_are_sampled() {
        let mut threads = [Sample::<u64>::default(), Sample::default()];
        for id in 0..20 * MAX_IDS {
            for sample in &mut threads {
                if let Some(count) = sample.get(&id.to_string()) {
                    *count += 1;
                }
            }
        }
        let [mut one, other] = threads;
        one.merge(other, |one, other| *one += other);
        let count = one.values().filter(|count| **count == 2).count() as u64 * one.weight();
        assert!(one.weight() > 1 && count.abs_diff(20 * MAX_IDS as u64) < 8 * MAX_IDS as u64, "{count}");
    }
}
