//! What the queue counts under its lock.
//!
//! The books balance at every moment, by level:
//! `emitted + taken_over = written + dropped + filtered + queued + in_flight + held_back + spooled`.

use std::sync::Arc;

use tracing::Level;

use super::emitted::Emitted;
use super::losses::Losses;
use crate::metrics::{ByLevel, Delivered, DeliveredCounts, Dropped, Reason};
use crate::record::Timestamp;

/// One output's counts.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) emitted: Emitted<ByLevel>,
    /// Lines that were held back and were pushed later.
    pub(super) released: ByLevel,
    pub(super) dropped: Dropped,
    /// Lines that the output's record filter refused.
    pub(super) filtered: ByLevel,
    pub(super) losses: Losses,
    /// Calls of a synchronous output that stopped waiting for their line.
    pub(super) overdue: u64,
    pub(super) progress: Progress,
    pub(super) worker: WorkerCounts,
}

impl Books {
    pub(super) fn new() -> Self {
        Self { losses: Losses::new(), ..Self::default() }
    }

    /// Counts dropped lines and notes them for the next report.
    #[cold]
    pub(super) fn drop_lines(&mut self, reason: Reason, level: Level, lines: u64, time: Timestamp) {
        self.dropped.add(reason, level, lines);
        self.losses.add(reason, level, lines, time);
    }

    /// Counts lines that the output does not take. The worker is done with them, as with lost ones.
    pub(super) fn filter_lines(&mut self, lines: ByLevel) {
        self.filtered = self.filtered.plus(lines);
        self.progress.lost = self.progress.lost.plus(lines);
    }

    /// Counts lines that were equal to the one before. A line in their place reports them.
    pub(super) fn drop_repeated(&mut self, lines: ByLevel) {
        self.dropped = self.dropped.plus(Reason::Repeated, lines);
        self.progress.lost = self.progress.lost.plus(lines);
    }

    /// Starts again at zero, in a forked child. Allocates nothing.
    pub(super) fn reset_in_child(&mut self, is_abandoned: bool) {
        let mut losses = std::mem::take(&mut self.losses);
        losses.clear();
        *self = Self { losses, ..Self::default() };
        self.progress.when_abandoned = is_abandoned.then(DeliveredCounts::default);
    }
}

/// How far the worker has come with the lines that it took.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// All lines that it ever took.
    pub(super) taken: ByLevel,
    /// How many of them it lost or filtered out.
    pub(super) lost: ByLevel,
    /// How many of them it has finished, and made durable where it has to.
    pub(super) settled: u64,
    /// The time of the first record that it took and has not resolved.
    pub(super) oldest_taken: Option<Timestamp>,
    /// What was delivered when the worker was abandoned. What it writes later was counted as dropped already.
    pub(super) when_abandoned: Option<DeliveredCounts>,
}

impl Progress {
    /// Returns what was delivered, including the running batch.
    pub(super) fn counts(&self, delivered: &Delivered) -> DeliveredCounts {
        self.when_abandoned.unwrap_or_else(|| delivered.counts())
    }

    /// Returns the lines that are neither written nor lost nor spooled: those in flight are among them. `pending`: those
    /// that the worker has not taken.
    pub(super) fn unfinished(&self, counts: &DeliveredCounts, pending: ByLevel) -> ByLevel {
        match self.when_abandoned {
            Some(_) => pending,
            None => {
                let all = self.taken.plus(counts.taken_over).plus(pending);
                all.minus(self.lost).minus(counts.written).minus(counts.spooled)
            }
        }
    }

    /// Returns how many lines the worker has finished. A change shows progress.
    pub(super) fn finished(&self, delivered: &Delivered) -> u64 {
        let counts = self.counts(delivered);
        counts.written.total() + counts.spooled.total() + self.lost.total()
    }

    /// Returns the time of the first record that the worker took and has not delivered.
    pub(super) fn oldest_taken(&self, delivered: &Delivered) -> Option<Timestamp> {
        self.oldest_taken.map(|taken| delivered.next_time().map_or(taken, |next| next.max(taken)))
    }
}

/// What the worker counts. It hands a copy to the queue after each batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerCounts {
    pub(crate) written_bytes: u64,
    pub(crate) notices: u64,
    pub(crate) retries: u64,
    pub(crate) panics: u64,
    pub(crate) syncs: u64,
    pub(crate) failed_syncs: u64,
    pub(crate) not_durable: u64,
    pub(crate) redacted: u64,
    /// Shared, so that a snapshot copies no text under the lock.
    pub(crate) last_error: Option<Arc<str>>,
}
