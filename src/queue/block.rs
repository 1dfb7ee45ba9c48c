//! The memory of queued records: blocks of constant size, handed round between the threads that log and the worker.
//!
//! A block that has been delivered goes back to the queue and is the first to be used again, while it is still in the
//! processor's caches. So no more memory is touched than was ever pending at once, however large the queue may get.
//!
//! All blocks that the queue's budget allows are there from the start, reserved and not touched, so that nothing is
//! allocated under the lock. When nothing comes for a while most are freed, and made anew by the worker when it is
//! back at work.

use super::batch::Entry;
use crate::record::Timestamp;

/// A queue is divided into so many blocks: they change hands seldom, and those of a queue of the usual size fit into
/// the cache of a core.
const BLOCKS: usize = 32;
const MIN_BLOCK_BYTES: usize = 16 * 1024;
const MAX_BLOCK_BYTES: usize = 8 << 20;

/// Blocks that are kept when nothing comes: one to be filled while the other is delivered.
const KEPT: usize = 2;

/// A record that takes more than this part of a block has memory of its own: little of a block is left over at its end.
const LARGE_PART: usize = 8;

/// The blocks that are not in use.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The one used last at the end.
    blocks: Vec<Block>,
    block_bytes: usize,
    /// How many there should be, in use or not.
    wanted: usize,
    /// How many there are.
    made: usize,
}

impl Spare {
    /// All blocks for a queue of `max_bytes`.
    pub(super) fn new(max_bytes: usize) -> Self {
        let (wanted, block_bytes) = blocks_for(max_bytes);
        let blocks = (0..wanted).map(|_| Block::new(block_bytes)).collect();
        Self { blocks, block_bytes, wanted, made: wanted }
    }

    #[inline]
    pub(super) fn take(&mut self) -> Block {
        self.blocks.pop().unwrap_or_else(|| {
            self.made += 1;
            Block::new(self.block_bytes)
        })
    }

    pub(super) fn give_back(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// In a forked child: the blocks that were in use are the parent's.
    pub(super) fn begin_anew(&mut self) {
        self.made = self.blocks.len();
    }

    /// Takes out what need not be kept while nothing comes, to be freed.
    pub(super) fn surplus(&mut self) -> Vec<Block> {
        let surplus = self.blocks.split_off(self.blocks.len().min(KEPT));
        self.made -= surplus.len();
        surplus
    }

    /// How many blocks are missing, and of what size.
    pub(super) fn missing(&self) -> (usize, usize) {
        (self.wanted.saturating_sub(self.made), self.block_bytes)
    }

    /// Adds blocks that were missing; they are used last.
    pub(super) fn add(&mut self, blocks: Vec<Block>) {
        self.made += blocks.len();
        self.blocks.splice(..0, blocks);
    }
}

/// How many blocks a queue of `max_bytes` has, and of what size.
pub(super) fn blocks_for(max_bytes: usize) -> (usize, usize) {
    let block_bytes = (max_bytes / BLOCKS).clamp(MIN_BLOCK_BYTES, MAX_BLOCK_BYTES);
    (max_bytes / block_bytes + KEPT, block_bytes)
}

/// Records side by side: their headers, and one run of bytes.
#[derive(Debug)]
pub(crate) struct Block {
    entries: Vec<Entry>,
    arena: Vec<u8>,
    /// The bytes of large records, with their places among the entries.
    large: Vec<(usize, Vec<u8>)>,
    max_bytes: usize,
}

impl Block {
    /// The memory is reserved, not touched.
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

    /// Whether a record of so many bytes fits in.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let bytes = if self.is_large(bytes) { 0 } else { bytes };
        self.arena.len() + bytes + (self.entries.len() + 1) * size_of::<Entry>() <= self.max_bytes
    }

    /// Adds a record for which there is room; `entry`: its header, given where its bytes end.
    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8], entry: impl FnOnce(u32) -> Entry) {
        if self.is_large(bytes.len()) {
            self.large.push((self.entries.len(), bytes.to_vec()));
        } else {
            self.arena.extend_from_slice(bytes);
        }
        self.entries.push(entry(self.arena.len() as u32));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// When the record at `index` was logged.
    pub(crate) fn time(&self, index: usize) -> Option<Timestamp> {
        self.entries.get(index).map(|entry| entry.time)
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The record at `index`: header and bytes.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<(&Entry, &[u8])> {
        let entry = self.entries.get(index)?;
        let own = self.large.iter().find(|(place, _)| *place == index);
        match own {
            Some((_, bytes)) => Some((entry, bytes)),
            None => Some((entry, self.arena.get(self.start(index)..entry.end as usize)?)),
        }
    }

    #[inline]
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |before| before.end as usize)
    }

    /// What the records from `first` to before `next` take, as the queue accounts for it.
    pub(crate) fn bytes_of(&self, first: usize, next: usize) -> usize {
        let large = self.large.iter().filter(|(place, _)| (first..next).contains(place));
        let large: usize = large.map(|(_, bytes)| bytes.len()).sum();
        (next - first) * size_of::<Entry>() + self.start(next) - self.start(first) + large
    }

    /// Empties it, keeping its memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
        self.large = Vec::new();
    }
}
