//! What is counted without the queue's lock: lines that a limit of repeats kept from it, and values left out of those in it.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Level;

use super::Queue;
use crate::metrics::ByLevel;

/// How many, by level: emitted and dropped at once, so that the books balance at any time.
#[derive(Debug, Default)]
pub(super) struct Suppressed([AtomicU64; 5]);

impl Suppressed {
    fn place(&self, level: Level) -> &AtomicU64 {
        let [error, warn, info, debug, trace] = &self.0;
        match level {
            Level::ERROR => error,
            Level::WARN => warn,
            Level::INFO => info,
            Level::DEBUG => debug,
            Level::TRACE => trace,
        }
    }

    pub(super) fn by_level(&self) -> ByLevel {
        ByLevel::of(|level| self.place(level).load(Ordering::Relaxed))
    }

    /// Begins again at zero, in a forked child.
    pub(super) fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

impl Queue {
    /// Counts a line that a limit of repeats has suppressed.
    pub(crate) fn suppress(&self, level: Level) {
        self.suppressed.place(level).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts values that were left out as they were captured.
    pub(crate) fn count_redacted(&self, values: u64) {
        self.redacted.fetch_add(values, Ordering::Relaxed);
    }

    /// Has the worker look round: there will be something to tell although no line may come, so it must not go to sleep
    /// for good.
    #[cold]
    pub(crate) fn remind(&self) {
        self.wake(&mut self.lock());
    }
}
