//! The lines that one log holds back: a ring for each request, under one memory budget.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tracing::Level;

use super::ring::{HeldLine, Ring};
use crate::context::Node;
use crate::fork::{AtFork, Paused, Rank};
use crate::sync;

/// The number of locks. Concurrent requests seldom share one.
const SHARDS: usize = 16;

/// The lines that one log holds back.
#[derive(Debug)]
pub(crate) struct HeldLines {
    shards: [Mutex<Shard>; SHARDS],
    /// The memory that they use.
    bytes: AtomicUsize,
    memory_bytes: usize,
    memory_bytes_per_request: usize,
}

/// What one lock guards: rings by the serial of their request's span.
#[derive(Debug, Default)]
struct Shard(BTreeMap<u64, Ring>);

impl HeldLines {
    pub(super) fn new(memory_bytes: usize, memory_bytes_per_request: usize) -> Self {
        Self { shards: Default::default(), bytes: AtomicUsize::new(0), memory_bytes, memory_bytes_per_request }
    }

    /// Takes one of the [`SHARDS`] locks.
    fn hold_shard(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        Some(sync::lock(self.shards.get(shard)?))
    }

    fn shard_of(&self, serial: u64) -> Option<MutexGuard<'_, Shard>> {
        self.hold_shard(serial as usize % SHARDS)
    }

    fn account(&self, before: usize, after: usize) {
        if after >= before {
            self.bytes.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// Holds a line back for the outputs in its mask.
    ///
    /// `evicted` is called with the level and the outputs of each line that is removed for it, possibly of the line itself.
    pub(crate) fn add(&self, node: &Arc<Node>, line: &HeldLine<'_>, evicted: &mut dyn FnMut(Level, u64)) {
        if line.bytes.len() > self.memory_bytes_per_request {
            return evicted(*line.meta.level(), line.mask);
        }
        let request = node.request();
        request.set_holds_back();
        let Some(mut shard) = self.shard_of(request.serial()) else { return };
        let ring = shard.0.entry(request.serial()).or_insert_with(|| {
            let ring = Ring::new(request);
            self.account(0, ring.memory());
            ring
        });
        let before = ring.memory();
        ring.add(node, line);
        while ring.used() > self.memory_bytes_per_request
            && let Some((level, mask)) = ring.drop_oldest()
        {
            evicted(level, mask);
        }
        self.account(before, ring.memory());
        drop(shard);
        while self.bytes.load(Ordering::Relaxed) > self.memory_bytes && self.evict_oldest(evicted) {}
    }

    /// Drops the ring of the request whose span was opened first; returns false when there is none.
    #[cold]
    fn evict_oldest(&self, evicted: &mut dyn FnMut(Level, u64)) -> bool {
        let first = |shard| self.hold_shard(shard)?.0.first_key_value().map(|(serial, _)| *serial);
        let Some(oldest) = (0..SHARDS).filter_map(first).min() else { return false };
        if let Some(ring) = self.remove(oldest) {
            ring.levels_and_masks().for_each(|(level, mask)| evicted(level, mask));
        }
        true
    }

    fn remove(&self, serial: u64) -> Option<Ring> {
        let ring = self.shard_of(serial)?.0.remove(&serial)?;
        self.account(ring.memory(), 0);
        Some(ring)
    }

    /// Takes out the lines of a request that are held back for outputs in `mask`. Lines for other outputs stay.
    pub(crate) fn take(&self, request: &Arc<Node>, mask: u64) -> Option<Ring> {
        let mut shard = self.shard_of(request.serial())?;
        let ring = shard.0.get_mut(&request.serial())?;
        if ring.levels_and_masks().all(|(_, outputs)| outputs & mask == 0) {
            return None;
        }
        let before = ring.memory();
        let taken = std::mem::replace(ring, Ring::new(request));
        ring.add_remaining(&taken, !mask);
        let after = if ring.is_empty() {
            shard.0.remove(&request.serial());
            0
        } else {
            ring.memory()
        };
        self.account(before, after);
        Some(taken)
    }

    /// Forgets outputs that are gone. Lines that are held back for them only stay until their request ends.
    pub(crate) fn forget(&self, mask: u64) {
        for shard in &self.shards {
            sync::lock(shard).0.values_mut().for_each(|ring| ring.forget(mask));
        }
    }

    /// Takes out the lines of all requests, oldest request first.
    #[cfg(all(unix, feature = "control"))]
    pub(crate) fn take_all(&self) -> Vec<Ring> {
        let mut all = BTreeMap::new();
        for shard in 0..SHARDS {
            all.extend(self.hold_shard(shard).map(|mut shard| std::mem::take(&mut shard.0)).into_iter().flatten());
        }
        all.values().for_each(|ring: &Ring| self.account(ring.memory(), 0));
        all.into_values().collect()
    }

    /// Drops the lines of a request whose span has closed.
    pub(crate) fn discard(&self, serial: u64) {
        drop(self.remove(serial));
    }
}

/// In a child, the lines that are held back are the parent's.
impl AtFork for HeldLines {
    fn rank(&self) -> Rank {
        Rank::HeldBack
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        let mut shards: Vec<_> = self.shards.iter().map(sync::lock).collect();
        Box::new(move || {
            shards.iter_mut().for_each(|shard| shard.0.clear());
            self.bytes.store(0, Ordering::Relaxed);
        })
    }
}
