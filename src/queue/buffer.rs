//! The memory of a queue: the pending batch, the spare blocks, and the budget.

use tracing::Level;

use super::batch::{Batch, Place};
use super::block::Block;
use super::entry::Push;
use super::overflow::Overflow;
use super::spare::Spare;
use crate::context::Bound;
use crate::metrics::Reason;

/// The part of the budget that callers leave free while the sink has lines in flight. Rendering goes on in it: a sink that
/// hears of its lines only after a while would be idle until then.
const RESERVED_PART: usize = 4;

/// Records and their memory, bounded in bytes.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) pending: Batch,
    pub(super) spare: Spare,
    /// Bytes accounted for: records that are pending, records that were taken but not resolved, and `retained`.
    used: usize,
    /// Bytes of rendered lines that the sink has not finished.
    retained: usize,
    max_bytes: usize,
}

impl Buffer {
    /// Reserves the memory for `max_bytes` without touching it.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { pending: Batch::new(max_bytes), spare: Spare::new(max_bytes), used: 0, retained: 0, max_bytes }
    }

    #[inline]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    #[inline]
    pub(super) fn is_over_half(&self) -> bool {
        self.used > self.max_bytes / 2
    }

    /// Whether a quarter of what callers may use is free.
    pub(super) fn has_much_room(&self) -> bool {
        self.used <= self.callers_bytes() / 4 * 3
    }

    /// Returns how much may be in use after a caller has added a record.
    fn callers_bytes(&self) -> usize {
        if self.retained == 0 { self.max_bytes } else { self.max_bytes - self.max_bytes / RESERVED_PART }
    }

    /// Returns why there is no room for a record of `cost` bytes; `None` when there is.
    #[inline]
    pub(super) fn refusal(&self, overflow: Overflow, push: &Push<'_>, cost: usize) -> Option<Reason> {
        let after = self.used + cost;
        if after <= self.max_bytes / 2 && !self.pending.is_full() {
            return None;
        }
        self.refusal_when_filling(overflow, push, after)
    }

    #[cold]
    fn refusal_when_filling(&self, overflow: Overflow, push: &Push<'_>, after: usize) -> Option<Reason> {
        if push.own_bytes() > self.max_bytes {
            return Some(Reason::TooLarge);
        }
        // A large context alone does not shut a record out of an empty queue.
        if self.used == 0 {
            return None;
        }
        if after > self.callers_bytes() || self.pending.is_full() {
            return Some(Reason::QueueFull);
        }
        let limit = match (overflow, push.head.level()) {
            (Overflow::Shed, Level::TRACE | Level::DEBUG) => self.max_bytes / 2,
            (Overflow::Shed, Level::INFO) => self.max_bytes / 5 * 4,
            _ => self.max_bytes,
        };
        (after > limit).then_some(Reason::Shed)
    }

    /// Adds a record for which there is room.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        push: &Push<'_>,
        place: Place,
        epoch: u64,
        bound: Option<&Bound>,
        copy: Option<Vec<u8>>,
    ) {
        self.used += place.cost;
        self.pending.add(push, place, epoch, bound, copy, &mut self.spare);
    }

    /// Frees the budget of `bytes` that were resolved.
    pub(super) fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Accounts for `bytes` of rendered lines, in place of earlier ones.
    pub(super) fn retain(&mut self, bytes: usize) {
        self.used = (self.used - self.retained).saturating_add(bytes);
        self.retained = bytes;
    }

    /// Takes out all memory, for the caller to free without the lock.
    pub(super) fn dismantle(&mut self) -> (Batch, Vec<Block>) {
        self.used = 0;
        self.retained = 0;
        (std::mem::replace(&mut self.pending, Batch::new(0)), self.spare.surplus())
    }

    /// Empties it, in a forked child: the records are the parent's.
    pub(super) fn reset_in_child(&mut self) {
        while let Some(mut block) = self.pending.take_block() {
            block.clear();
            self.spare.give_back(block);
        }
        self.spare.reset_in_child();
        self.pending.clear();
        self.used = 0;
        self.retained = 0;
    }
}
