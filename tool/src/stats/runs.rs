//! Numbers in order, of which there may be more than memory holds: sorted runs in temporary files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::sync::atomic::{AtomicU64, Ordering};

const NUMBER_BYTES: usize = size_of::<u128>();

/// How much disk all runs of a command may take, in bytes.
#[derive(Debug)]
pub(crate) struct Disk(AtomicU64);

impl Disk {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Takes a part of what is left. Returns false if that is too little.
    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// Numbers in a temporary file, the largest first. The file has no name, and is gone with the process.
#[derive(Debug)]
pub(super) struct Run(File);

impl Run {
    /// Writes sorted numbers to the disk; `None` if there is no room for them.
    pub(super) fn write(numbers: &[u128], disk: &Disk) -> Option<Self> {
        let bytes = numbers.len() as u64 * NUMBER_BYTES as u64;
        disk.take(bytes).then(|| Self::try_write(numbers).ok())?
    }

    fn try_write(numbers: &[u128]) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(64 << 10, tempfile::tempfile()?);
        for number in numbers {
            out.write_all(&number.to_le_bytes())?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Self(file))
    }
}

/// Where the numbers of a run, or of memory, come from.
enum Numbers {
    Disk(BufReader<File>),
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

/// All numbers of sorted runs, the largest first, each with the number of its source.
pub(super) struct Merge {
    sources: Vec<Numbers>,
    next: BinaryHeap<(u128, Reverse<usize>)>,
}

impl Merge {
    /// `memory`: each sorted, the largest first. Sources are numbered in order: those in memory first.
    ///
    /// # Errors
    /// A run cannot be read.
    pub(super) fn new(memory: Vec<Vec<u128>>, runs: Vec<Run>) -> io::Result<Self> {
        let memory = memory.into_iter().map(|numbers| Numbers::Memory(numbers.into_iter()));
        let disk = runs.into_iter().map(|run| Numbers::Disk(BufReader::with_capacity(32 << 10, run.0)));
        let mut merge = Self { sources: memory.chain(disk).collect(), next: BinaryHeap::new() };
        for source in 0..merge.sources.len() {
            merge.read(source)?;
        }
        Ok(merge)
    }

    /// Returns the next number.
    ///
    /// # Errors
    /// A run cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<(u128, usize)>> {
        let Some((number, Reverse(source))) = self.next.pop() else { return Ok(None) };
        self.read(source)?;
        Ok(Some((number, source)))
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

    #[test]
    fn runs_and_memory_are_merged_in_order() {
        let disk = Disk::new(48);
        let run = |numbers: &[u128]| Run::write(numbers, &disk);
        let runs = vec![run(&[9, 5]).unwrap(), run(&[7]).unwrap()];
        assert!(run(&[1]).is_none(), "the disk's budget is used up");
        let mut merge = Merge::new(vec![vec![8, 5], vec![]], runs).unwrap();
        let mut all = Vec::new();
        while let Some(number) = merge.next().unwrap() {
            all.push(number);
        }
        assert_eq!(all, [(9, 2), (8, 0), (7, 3), (5, 0), (5, 2)]);
    }
}
