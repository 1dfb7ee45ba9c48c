//! Numbers in order, of which there may be more than memory holds: sorted runs in temporary files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const NUMBER_BYTES: usize = size_of::<u128>();

/// How much disk all runs of a command may take, in bytes.
#[derive(Debug)]
pub(crate) struct Disk(AtomicU64);

impl Disk {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Gives back what was taken.
    fn give(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes a part of what is left. Returns false if that is too little.
    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// Numbers in a temporary file, the largest first. The file has no name, and is gone with the process. Clones share it: only
/// one [`Merge`] reads it at a time.
#[derive(Clone, Debug)]
struct Run {
    file: Arc<File>,
    bytes: u64,
    /// How often its numbers were merged.
    level: usize,
}

/// This many runs are merged into one: each takes a descriptor.
const MERGED: usize = if cfg!(test) { 3 } else { 32 };

/// The runs of one thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(Vec<Run>);

impl Runs {
    /// Writes sorted numbers to the disk. Returns false if there is no room for them.
    pub(super) fn push(&mut self, numbers: &[u128], disk: &Disk) -> bool {
        let mut numbers = numbers.iter().copied();
        let bytes = numbers.len() as u64 * NUMBER_BYTES as u64;
        let Some(file) = write(disk, bytes, || Ok(numbers.next())) else { return false };
        self.0.push(Run { file: Arc::new(file), bytes, level: 0 });
        for level in 0.. {
            let is_full = self.0.iter().filter(|run| run.level == level).count() >= MERGED;
            if !is_full || !self.merge_level(level, disk) {
                break;
            }
        }
        true
    }

    /// Merges the runs of a level. Returns false if there is no room for that; then they stay.
    fn merge_level(&mut self, level: usize, disk: &Disk) -> bool {
        let (full, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|run| run.level == level);
        let bytes = full.iter().map(|run| run.bytes).sum();
        let files = full.iter().map(|run| Arc::clone(&run.file));
        let written = Merge::of(Vec::new(), files).ok().and_then(|mut merge| write(disk, bytes, || merge.next()));
        self.0 = others;
        match written {
            Some(file) => {
                disk.give(bytes);
                self.0.push(Run { file: Arc::new(file), bytes, level: level + 1 });
                true
            }
            None => {
                self.0.extend(full);
                false
            }
        }
    }
}

/// Writes numbers to a new file; `None` if there is no room for this many bytes.
fn write(disk: &Disk, bytes: u64, mut next: impl FnMut() -> io::Result<Option<u128>>) -> Option<File> {
    let mut try_write = || {
        let mut out = BufWriter::with_capacity(64 << 10, tempfile::tempfile()?);
        while let Some(number) = next()? {
            out.write_all(&number.to_le_bytes())?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)
    };
    if !disk.take(bytes) {
        return None;
    }
    let written = try_write();
    if written.is_err() {
        disk.give(bytes);
    }
    written.ok()
}

/// Where the numbers of a run, or of memory, come from.
enum Numbers {
    Disk(BufReader<Arc<File>>),
    Memory(std::vec::IntoIter<u128>),
}

impl Numbers {
    fn next(&mut self) -> io::Result<Option<u128>> {
        match self {
            Self::Memory(numbers) => Ok(numbers.next()),
            Self::Disk(file) => {
                let mut bytes = [0; NUMBER_BYTES];
                match file.read_exact(&mut bytes) {
                    Ok(()) => Ok(Some(u128::from_le_bytes(bytes))),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                    Err(error) => Err(error),
                }
            }
        }
    }
}

/// All numbers of sorted runs, the largest first.
pub(super) struct Merge {
    sources: Vec<Numbers>,
    next: BinaryHeap<(u128, Reverse<usize>)>,
}

impl Merge {
    /// `memory`: each sorted, the largest first.
    ///
    /// # Errors
    /// A run cannot be read.
    pub(super) fn new(memory: Vec<Vec<u128>>, runs: impl IntoIterator<Item = Runs>) -> io::Result<Self> {
        Self::of(memory, runs.into_iter().flat_map(|runs| runs.0).map(|run| run.file))
    }

    fn of(memory: Vec<Vec<u128>>, files: impl IntoIterator<Item = Arc<File>>) -> io::Result<Self> {
        let memory = memory.into_iter().map(|numbers| Numbers::Memory(numbers.into_iter()));
        let mut merge = Self { sources: memory.collect(), next: BinaryHeap::new() };
        for mut file in files {
            // An earlier merge has read it up to somewhere.
            file.rewind()?;
            merge.sources.push(Numbers::Disk(BufReader::with_capacity(32 << 10, file)));
        }
        for source in 0..merge.sources.len() {
            merge.read(source)?;
        }
        Ok(merge)
    }

    /// Returns the next number.
    ///
    /// # Errors
    /// A run cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<u128>> {
        let Some((number, Reverse(source))) = self.next.pop() else { return Ok(None) };
        self.read(source)?;
        Ok(Some(number))
    }

    fn read(&mut self, source: usize) -> io::Result<()> {
        if let Some(numbers) = self.sources.get_mut(source)
            && let Some(number) = numbers.next()?
        {
            self.next.push((number, Reverse(source)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut merge: Merge) -> Vec<u128> {
        std::iter::from_fn(|| merge.next().unwrap()).collect()
    }

    #[test]
    fn runs_and_memory_are_merged_in_order() {
        let disk = Disk::new(48);
        let mut runs = Runs::default();
        assert!(runs.push(&[9, 5], &disk) && runs.push(&[7], &disk));
        assert!(!runs.push(&[1], &disk), "the disk's budget is used up");
        assert_eq!(all(Merge::new(vec![vec![8, 5], vec![]], [runs]).unwrap()), [9, 8, 7, 5, 5]);
    }

    #[test]
    fn many_runs_take_few_descriptors_and_no_number_is_missing() {
        for (bytes, most) in [(1 << 20, 3 * MERGED), (16 * 40, 40)] {
            let disk = Disk::new(bytes);
            let mut runs = Runs::default();
            let mut expected: Vec<u128> = (0..40).map(|number| number * 7919 % 41).collect();
            assert!(expected.iter().all(|number| runs.push(&[*number], &disk)));
            assert!(runs.0.len() <= most, "{}", runs.0.len());
            expected.sort_unstable_by(|one, other| other.cmp(one));
            assert_eq!(all(Merge::new(vec![], [runs]).unwrap()), expected);
        }
    }
}
