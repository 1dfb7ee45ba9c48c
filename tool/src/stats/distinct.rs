//! How many different ids there are, and how many of them were seen lately.

use std::hash::Hasher;
use std::io;
use std::mem;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::lately::Lately;
use super::runs::{Disk, Merge, Runs};

/// How many ids a thread holds in memory: 16 bytes each.
const IN_MEMORY: usize = if cfg!(test) { 8 << 10 } else { 256 << 10 };

/// The bits of the second in which an id was seen. Those above are its fingerprint.
const SECOND_BITS: u32 = 32;

/// The ids that one thread has seen.
///
/// Each is a number: 96 bits of a hash, and the last second in which it was seen. Two ids have the same hash with a
/// probability of 10⁻¹¹ among 10⁹.
///
/// When the disk is full, ids whose hash is above a bound are left out. The bound is halved as often as needed. So those that
/// are left are a random sample.
#[derive(Clone, Debug)]
pub(super) struct Distinct {
    numbers: Vec<u128>,
    runs: Runs,
    disk: Arc<Disk>,
    halvings: u32,
    /// The spellings of ids that came lately, and the last second of each that was added.
    lately: Lately<u32>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Distinctness {
    pub(crate) ids: u64,
    /// Those that were seen since a second.
    pub(crate) active: u64,
    /// How far off `ids` is, as the standard error of a share of 10,000; 0 if it is exact.
    pub(crate) error: u64,
}

impl Distinct {
    pub(super) fn new(disk: Arc<Disk>) -> Self {
        Self { numbers: Vec::new(), runs: Runs::default(), disk, halvings: 0, lately: Lately::default() }
    }

    /// Returns whether an id with this spelling is known to be seen in a second since 1970 or later.
    pub(super) fn knows(&mut self, spelling: &[u8], second: u32) -> bool {
        self.lately.get(spelling).is_some_and(|last| second <= *last)
    }

    /// Remembers that an id with this spelling was added, and the second in which it was seen.
    pub(super) fn know(&mut self, spelling: &[u8], second: u32) {
        match self.lately.get(spelling) {
            Some(last) => *last = second.max(*last),
            None => drop(self.lately.put(spelling, second)),
        }
    }

    /// Adds an id that was seen in a second since 1970.
    pub(super) fn add(&mut self, id: &[u8], second: u32) {
        let number = fingerprint(id) & !(u128::from(u32::MAX)) | u128::from(second);
        if !self.is_kept(number) {
            return;
        }
        self.numbers.push(number);
        if self.numbers.len() >= IN_MEMORY {
            self.make_room();
        }
    }

    fn is_kept(&self, number: u128) -> bool {
        self.halvings == 0 || number >> (128 - self.halvings) == 0
    }

    /// Sorts the numbers in memory, and leaves one of each id: that of its last second.
    fn sort(&mut self) {
        self.numbers.sort_unstable_by(|one, other| other.cmp(one));
        self.numbers.dedup_by_key(|number| *number >> SECOND_BITS);
    }

    fn make_room(&mut self) {
        self.sort();
        while self.numbers.len() > IN_MEMORY / 2 {
            if self.runs.push(&self.numbers, &self.disk) {
                self.numbers.clear();
            } else {
                self.halvings = (self.halvings + 1).min(64);
                let mut numbers = mem::take(&mut self.numbers);
                numbers.retain(|number| self.is_kept(*number));
                self.numbers = numbers;
            }
        }
    }

    /// Counts the ids of all threads. `since`: the first second of what is active.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) fn count(all: Vec<Self>, since: u32) -> io::Result<Distinctness> {
        let halvings = all.iter().map(|one| one.halvings).max().unwrap_or(0);
        let (mut memory, mut runs) = (Vec::new(), Vec::new());
        for mut one in all {
            one.sort();
            memory.push(one.numbers);
            runs.push(one.runs);
        }
        let mut merge = Merge::new(memory, runs)?;
        let (mut ids, mut active, mut last) = (0_u64, 0_u64, None);
        while let Some(number) = merge.next()? {
            let id = number >> SECOND_BITS;
            let is_sampled = halvings == 0 || number >> (128 - halvings) == 0;
            if !is_sampled || last.replace(id) == Some(id) {
                continue;
            }
            ids += 1;
            // The largest number of an id, which comes first, has its last second.
            active += u64::from(number as u32 >= since);
        }
        // The error of a sample of `ids` ids.
        let error = if halvings == 0 { 0 } else { (10_000.0 / (ids.max(1) as f64).sqrt()).ceil() as u64 };
        Ok(Distinctness { ids: ids << halvings, active: active << halvings, error })
    }
}

/// Returns a hash. Its key is random for each process, so that no input can be built to collide.
pub(crate) fn fingerprint(bytes: &[u8]) -> u128 {
    let (one, other) = *KEY;
    let mut hasher = SipHasher13::new_with_keys(one, other);
    hasher.write(bytes);
    hasher.finish128().as_u128()
}

static KEY: std::sync::LazyLock<(u64, u64)> = std::sync::LazyLock::new(|| {
    use std::hash::{BuildHasher, RandomState};
    (RandomState::new().hash_one(0), RandomState::new().hash_one(1))
});

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ids: impl Iterator<Item = (u64, u32)>, disk: u64) -> Distinctness {
        let disk = Arc::new(Disk::new(disk));
        let mut threads = [(); 2].map(|()| Distinct::new(Arc::clone(&disk)));
        for (number, (id, second)) in ids.enumerate() {
            threads[number % 2].add(&id.to_le_bytes(), second);
        }
        Distinct::count(threads.into(), 10).unwrap()
    }

    #[test]
    fn ids_are_counted_once_and_are_active_if_their_last_line_is() {
        let lines = [(1, 5), (2, 9), (1, 12), (3, 10), (3, 2), (4, 0), (2, 9)];
        assert_eq!(seen(lines.into_iter(), 0), Distinctness { ids: 4, active: 2, error: 0 });
    }

    #[test]
    fn more_ids_than_memory_holds_are_counted_exactly_on_disk() {
        let lines = (0..3 * IN_MEMORY as u64).flat_map(|id| [(id, 1), (id / 2, 20)]);
        let ids = 3 * IN_MEMORY as u64;
        assert_eq!(seen(lines, 1 << 30), Distinctness { ids, active: ids.div_ceil(2), error: 0 });
    }

    #[test]
    fn more_ids_than_the_disk_holds_are_estimated() {
        let ids = 3 * IN_MEMORY as u64;
        let found = seen((0..ids).map(|id| (id, 1)), 0);
        let off = found.ids.abs_diff(ids) as f64 / ids as f64;
        assert!(found.error > 0 && off < 6.0 * found.error as f64 / 10_000.0, "{found:?} {off}");
    }
}
