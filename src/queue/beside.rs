//! What is counted without the queue's lock: lines that never came to it, as a limit of repeats suppressed them or they are
//! held back, and values left out of those that did.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Level;

use super::{Push, Pushed, Queue};
use crate::context::Bound;
use crate::metrics::{ByLevel, of_level};

#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Emitted and dropped at once, so that the books balance at any time.
    pub(super) suppressed: Count,
    /// Held back, also those that were released since.
    pub(super) held: Count,
    /// What of them gave way to others.
    pub(super) evicted: Count,
    /// Values that were not captured, as their names are secret.
    redacted: AtomicU64,
}

impl Beside {
    /// Begins again at zero, in a forked child.
    pub(super) fn reset(&self) {
        [&self.suppressed, &self.held, &self.evicted].into_iter().for_each(Count::reset);
        self.redacted.store(0, Ordering::Relaxed);
    }

    pub(super) fn redacted(&self) -> u64 {
        self.redacted.load(Ordering::Relaxed)
    }
}

/// How many, by level.
#[derive(Debug, Default)]
pub(super) struct Count([AtomicU64; 5]);

impl Count {
    fn place(&self, level: Level) -> &AtomicU64 {
        of_level(&self.0, level)
    }

    fn add_one(&self, level: Level) {
        self.place(level).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn by_level(&self) -> ByLevel {
        ByLevel::of(|level| self.place(level).load(Ordering::Relaxed))
    }

    fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

impl Queue {
    /// Counts a line that a limit of repeats has suppressed.
    pub(crate) fn suppress(&self, level: Level) {
        self.beside.suppressed.add_one(level);
    }

    /// Counts a line that is held back.
    pub(crate) fn hold_back(&self, level: Level) {
        self.beside.held.add_one(level);
    }

    /// Counts a line that was held back and gave way.
    pub(crate) fn evict(&self, level: Level) {
        self.beside.evicted.add_one(level);
    }

    /// Counts values that were left out as they were captured.
    pub(crate) fn count_redacted(&self, values: u64) {
        self.beside.redacted.fetch_add(values, Ordering::Relaxed);
    }

    /// Adds a line that was held back, in the context it had then. Never waits.
    #[cold]
    pub(crate) fn push_held(&self, push: Push<'_>, bound: Option<&Bound>) -> Pushed {
        self.push_as(push, Some(bound))
    }

    /// Has the worker look round: there will be something to tell although no line may come, so it must not go to sleep
    /// for good.
    #[cold]
    pub(crate) fn remind(&self) {
        self.wake(&mut self.lock());
    }
}
