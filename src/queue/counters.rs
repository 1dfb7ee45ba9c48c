//! What is counted without the queue's lock: lines that never enter the queue, because a limit suppressed them or
//! they are held back, and values that were left out of those that do.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Level;

use super::emitted::Emitted;
use crate::metrics::{ByLevel, of_level};

#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Emitted and dropped in one step, so that the books balance at every moment.
    pub(super) rate_limited: Emitted<LevelCounter>,
    /// The same for lines that sampling left out.
    pub(super) sampled: Emitted<LevelCounter>,
    /// All lines that were ever held back, including those released since.
    pub(super) held_back: Emitted<LevelCounter>,
    /// Those of them that gave way to others.
    pub(super) evicted: LevelCounter,
    /// Values that were not captured, because their names are secret.
    redacted: AtomicU64,
}

impl Counters {
    pub(super) fn add_redacted(&self, values: u64) {
        self.redacted.fetch_add(values, Ordering::Relaxed);
    }

    pub(super) fn redacted(&self) -> u64 {
        self.redacted.load(Ordering::Relaxed)
    }

    /// Starts again at zero, in a forked child.
    pub(super) fn reset(&self) {
        let emitted = [&self.rate_limited, &self.sampled, &self.held_back].map(Emitted::parts);
        emitted.into_iter().flatten().chain([&self.evicted]).for_each(LevelCounter::reset);
        self.redacted.store(0, Ordering::Relaxed);
    }
}

/// A counter for each level.
#[derive(Debug, Default)]
pub(super) struct LevelCounter([AtomicU64; 5]);

impl Emitted<LevelCounter> {
    pub(super) fn by_level(&self) -> Emitted<ByLevel> {
        Emitted { first: self.first.by_level(), again: self.again.by_level() }
    }
}

impl LevelCounter {
    pub(super) fn add_one(&self, level: Level) {
        of_level(&self.0, level).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn by_level(&self) -> ByLevel {
        ByLevel::of(|level| of_level(&self.0, level).load(Ordering::Relaxed))
    }

    fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}
