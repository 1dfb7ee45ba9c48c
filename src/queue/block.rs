//! A run of memory for records. Blocks have a constant size and pass between logging threads and the worker.

use super::entry::Entry;
use crate::record::Timestamp;

/// A record larger than this fraction of a block has separate memory, so that little of a block stays unused at its
/// end.
const LARGE_PART: usize = 8;

/// Records side by side: their headers, and one run of bytes.
#[derive(Debug)]
pub(crate) struct Block {
    entries: Vec<Entry>,
    arena: Vec<u8>,
    /// The bytes of large records, with their indices in `entries`, which ascend.
    large: Vec<(usize, Vec<u8>)>,
    max_bytes: usize,
}

impl Block {
    /// Reserves a block of `max_bytes` without touching its memory.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            entries: Vec::with_capacity(max_bytes / size_of::<Entry>()),
            arena: Vec::with_capacity(max_bytes),
            large: Vec::new(),
            max_bytes,
        }
    }

    #[inline]
    fn is_large(&self, bytes: usize) -> bool {
        bytes > self.max_bytes / LARGE_PART
    }

    /// Whether a record of `bytes` fits.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let bytes = if self.is_large(bytes) { 0 } else { bytes };
        self.arena.len() + bytes + (self.entries.len() + 1) * size_of::<Entry>() <= self.max_bytes
    }

    /// Adds a record that fits. `copy`: its bytes in separate memory, if they have been copied already. `entry` makes its
    /// header from the place where its bytes end.
    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8], copy: Option<Vec<u8>>, entry: impl FnOnce(u32) -> Entry) {
        if copy.is_some() || self.is_large(bytes.len()) {
            self.add_large(bytes, copy);
        } else {
            self.arena.extend_from_slice(bytes);
        }
        self.entries.push(entry(self.arena.len() as u32));
    }

    #[cold]
    fn add_large(&mut self, bytes: &[u8], copy: Option<Vec<u8>>) {
        self.large.push((self.entries.len(), copy.unwrap_or_else(|| bytes.to_vec())));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns when the record at `index` was logged.
    pub(crate) fn time(&self, index: usize) -> Option<Timestamp> {
        self.entries.get(index).map(|entry| entry.time)
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Returns the header and the bytes of the record at `index`.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<(&Entry, &[u8])> {
        let entry = self.entries.get(index)?;
        match self.large.binary_search_by_key(&index, |(place, _)| *place) {
            Ok(own) => self.large.get(own).map(|(_, bytes)| (entry, bytes.as_slice())),
            Err(_) => Some((entry, self.arena.get(self.start(index)..entry.end as usize)?)),
        }
    }

    #[inline]
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |before| before.end as usize)
    }

    /// Returns the bytes that the queue accounts for the records from `first` to before `next`.
    pub(crate) fn bytes_of(&self, first: usize, next: usize) -> usize {
        let large = self.large.iter().filter(|(place, _)| (first..next).contains(place));
        let large: usize = large.map(|(_, bytes)| bytes.len()).sum();
        (next - first) * size_of::<Entry>() + self.start(next) - self.start(first) + large
    }

    /// Empties it and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
        self.large = Vec::new();
    }
}
