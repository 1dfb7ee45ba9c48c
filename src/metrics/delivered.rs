//! The count of delivered lines, which the sink's side updates while a write is under way.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{ByLevel, of_level};
use crate::record::Timestamp;

/// Counts the lines that one output has delivered, by level and without notices.
///
/// The holder of the engine's lock is the only writer. Any thread may read.
#[derive(Debug)]
pub(crate) struct Delivered {
    by_level: [AtomicU64; 5],
    /// The time of the line at the cursor, in nanoseconds; `NO_LINE` before the cursor has moved.
    next_time: AtomicI64,
}

const NO_LINE: i64 = i64::MIN;

impl Default for Delivered {
    fn default() -> Self {
        Self { by_level: Default::default(), next_time: AtomicI64::new(NO_LINE) }
    }
}

impl Delivered {
    /// Returns the lines delivered so far.
    pub(crate) fn by_level(&self) -> ByLevel {
        ByLevel::of(|level| of_level(&self.by_level, level).load(Ordering::Acquire))
    }

    /// Adds delivered lines. Only the holder of the engine's lock calls this.
    #[inline]
    pub(crate) fn add(&self, lines: ByLevel) {
        for (level, lines) in lines.levels() {
            // There is one writer, so no atomic addition is needed.
            let count = of_level(&self.by_level, level);
            count.store(count.load(Ordering::Relaxed) + lines, Ordering::Release);
        }
    }

    /// Returns the time of the first undelivered line of the running write; `None` before one was delivered.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let nanos = self.next_time.load(Ordering::Relaxed);
        (nanos != NO_LINE).then(|| Timestamp::from_nanos(nanos))
    }

    /// Sets the time of the first undelivered line; `None` when the write is over.
    #[inline]
    pub(crate) fn set_next_time(&self, time: Option<Timestamp>) {
        self.next_time.store(time.map_or(NO_LINE, Timestamp::as_nanos), Ordering::Relaxed);
    }

    /// Starts again at zero, in a forked child.
    pub(crate) fn reset(&self) {
        self.by_level.iter().for_each(|count| count.store(0, Ordering::Release));
        self.set_next_time(None);
    }
}
