//! Detail that is kept from an output until an error asks for it: rings in memory, one for each request.
//!
//! The thread that logs puts a line in here after its capture; nothing is rendered and nobody is woken. A request is
//! known by its span: [`Node::request`]. With an ERROR of the request the layer takes its lines out and pushes them to
//! the outputs that get the ERROR, before that. All rings together have one budget, and where it is used up the oldest
//! request gives way: the one whose span was opened first.
//!
//! A shard's lock is held for moments and for no user code. A fork holds all of them; its child has empty rings.

mod ring;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tracing::Level;
use tracing_subscriber::filter::Targets;

use crate::context::Node;
use crate::error::Error;
use crate::filter;
use crate::sync;
pub(crate) use ring::{HeldLine, Ring};

/// Locks: requests under way at once seldom meet.
pub(crate) const SHARDS: usize = 16;

/// Which lines are held back, and how many: see [`Builder::flight_recorder`](crate::Builder::flight_recorder).
///
/// ```
/// use spanline::FlightRecorder;
/// use tracing::Level;
///
/// FlightRecorder::new("orders=debug,sqlx=trace").memory_bytes(16 << 20).release_at(Level::WARN);
/// ```
#[derive(Clone, Debug)]
pub struct FlightRecorder {
    directives: String,
    memory_bytes: usize,
    memory_bytes_per_request: usize,
    release_at: Level,
}

impl FlightRecorder {
    /// The default memory of all requests together, in bytes: the detail of hundreds of requests.
    pub const DEFAULT_MEMORY_BYTES: usize = 4 << 20;

    /// The default memory of one request, in bytes: a thousand lines.
    pub const DEFAULT_MEMORY_BYTES_PER_REQUEST: usize = 256 << 10;

    /// Holds back what passes these `target=level` directives and an output does not want. A bad one is an error of the
    /// builder's last step.
    pub fn new(directives: &str) -> Self {
        Self {
            directives: directives.to_owned(),
            memory_bytes: Self::DEFAULT_MEMORY_BYTES,
            memory_bytes_per_request: Self::DEFAULT_MEMORY_BYTES_PER_REQUEST,
            release_at: Level::ERROR,
        }
    }

    /// What all requests together hold in memory, in bytes; [`Self::DEFAULT_MEMORY_BYTES`] unless set. When it is used up, the
    /// request whose span was opened first loses its lines.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// What one request holds, in bytes; [`Self::DEFAULT_MEMORY_BYTES_PER_REQUEST`] unless set. When it is used up, its oldest
    /// lines give way.
    pub fn memory_bytes_per_request(mut self, bytes: usize) -> Self {
        self.memory_bytes_per_request = bytes;
        self
    }

    /// The level from which on an event has the lines written that were held back; ERROR unless set.
    pub fn release_at(mut self, level: Level) -> Self {
        self.release_at = level;
        self
    }

    /// # Errors
    /// Names the first bad directive.
    pub(crate) fn parts(&self) -> Result<(Targets, Level, Store), Error> {
        Ok((
            filter::parse(&self.directives)?,
            self.release_at,
            Store::new(self.memory_bytes, self.memory_bytes_per_request),
        ))
    }
}

/// All rings of one log.
#[derive(Debug)]
pub(crate) struct Store {
    shards: [Mutex<Shard>; SHARDS],
    /// What they take in memory.
    bytes: AtomicUsize,
    memory_bytes: usize,
    memory_bytes_per_request: usize,
}

/// What one lock guards: rings by the serial of their request's span.
#[derive(Debug, Default)]
pub(crate) struct Shard(BTreeMap<u64, Ring>);

impl Shard {
    /// In a forked child: what there is was the parent's.
    pub(crate) fn begin_anew(&mut self) {
        self.0.clear();
    }
}

impl Store {
    fn new(memory_bytes: usize, memory_bytes_per_request: usize) -> Self {
        Self { shards: Default::default(), bytes: AtomicUsize::new(0), memory_bytes, memory_bytes_per_request }
    }

    /// Holds one of the [`SHARDS`] locks.
    pub(crate) fn hold_shard(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
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

    /// Holds a line back for the outputs in its mask. `evicted` is told of each line that gives way for it, which may be
    /// itself: its level and its outputs.
    pub(crate) fn hold(&self, node: &Arc<Node>, line: &HeldLine<'_>, evicted: &mut dyn FnMut(Level, u64)) {
        if line.bytes.len() > self.memory_bytes_per_request {
            return evicted(*line.meta.level(), line.mask);
        }
        let request = node.request();
        request.set_holds();
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

    /// Drops the ring of the request whose span was opened first; false when there is none.
    #[cold]
    fn evict_oldest(&self, evicted: &mut dyn FnMut(Level, u64)) -> bool {
        let first = |shard| self.hold_shard(shard)?.0.first_key_value().map(|(serial, _)| *serial);
        let Some(oldest) = (0..SHARDS).filter_map(first).min() else { return false };
        if let Some(ring) = self.remove(oldest) {
            ring.counts().for_each(|(level, mask)| evicted(level, mask));
        }
        true
    }

    fn remove(&self, serial: u64) -> Option<Ring> {
        let ring = self.shard_of(serial)?.0.remove(&serial)?;
        self.account(ring.memory(), 0);
        Some(ring)
    }

    /// Takes out the lines of a request that are held back for outputs in `mask`; what other outputs have not seen stays.
    pub(crate) fn take(&self, request: &Arc<Node>, mask: u64) -> Option<Ring> {
        let mut shard = self.shard_of(request.serial())?;
        let ring = shard.0.get_mut(&request.serial())?;
        if ring.counts().all(|(_, outputs)| outputs & mask == 0) {
            return None;
        }
        let before = ring.memory();
        let taken = std::mem::replace(ring, Ring::new(request));
        ring.keep_of(&taken, !mask);
        let after = if ring.is_empty() {
            shard.0.remove(&request.serial());
            0
        } else {
            ring.memory()
        };
        self.account(before, after);
        Some(taken)
    }

    /// Frees what a request that has ended held.
    pub(crate) fn end(&self, serial: u64) {
        drop(self.remove(serial));
    }

    /// In a forked child, besides [`Shard::begin_anew`].
    pub(crate) fn begin_anew(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }
}
