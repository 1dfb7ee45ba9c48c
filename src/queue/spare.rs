//! The blocks that are not in use.
//!
//! A delivered block returns to the queue and is the first to be used again, while it is still in the processor's caches.
//! So the queue touches no more memory than was ever pending at once, whatever its limit.
//!
//! All blocks that the limit allows exist from the start, reserved but not touched, so that a push allocates nothing under
//! the lock. When no lines come for a while, the worker frees most of them. It makes new ones when it is busy again.

use super::block::Block;

/// How many blocks a queue is divided into. They change hands rarely, and those of a queue of the usual size fit into
/// the cache of a core.
const BLOCKS: usize = 32;
const MIN_BLOCK_BYTES: usize = 16 * 1024;
const MAX_BLOCK_BYTES: usize = 8 << 20;

/// How many blocks an idle queue keeps: one to fill while the other is delivered.
const KEPT: usize = 2;

/// The blocks that are not in use.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The one used last is at the end.
    blocks: Vec<Block>,
    block_bytes: usize,
    /// How many blocks there should be, in use or not.
    wanted: usize,
    /// How many there are.
    made: usize,
}

impl Spare {
    /// Makes all blocks for a queue of `max_bytes`.
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

    /// Takes back a block. It must be empty.
    pub(super) fn give_back(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Forgets the blocks in use: in a forked child, they are the parent's.
    pub(super) fn reset_in_child(&mut self) {
        self.made = self.blocks.len();
    }

    /// Removes the blocks that an idle queue does not keep, for the caller to free.
    pub(super) fn surplus(&mut self) -> Vec<Block> {
        let surplus = self.blocks.split_off(self.blocks.len().min(KEPT));
        self.made -= surplus.len();
        surplus
    }

    /// Returns how many blocks are missing, and their size in bytes.
    pub(super) fn missing(&self) -> (usize, usize) {
        (self.wanted.saturating_sub(self.made), self.block_bytes)
    }

    /// Adds missing blocks. They are used last.
    pub(super) fn add(&mut self, blocks: Vec<Block>) {
        self.made += blocks.len();
        self.blocks.splice(..0, blocks);
    }
}

/// Returns how many blocks a queue of `max_bytes` has, and their size in bytes.
pub(super) fn blocks_for(max_bytes: usize) -> (usize, usize) {
    let block_bytes = (max_bytes / BLOCKS).clamp(MIN_BLOCK_BYTES, MAX_BLOCK_BYTES);
    (max_bytes / block_bytes + KEPT, block_bytes)
}
