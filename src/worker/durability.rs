//! When an output syncs what it has written.

use std::time::{Duration, Instant};

use tracing::Level;

use super::backoff::Backoff;
use crate::metrics::ByLevel;
use crate::sync::after;

/// Sets when an output syncs what it has written, so that the lines survive a power cut or a crash of the system. Written
/// lines survive the end of the process, SIGKILL included, with any setting.
///
/// To sync, the worker sends [`Control::Sync`](crate::sink::Control::Sync) to the sink. A file calls `fdatasync`, also on
/// its directory after a file was created or renamed. Sinks without durability ignore it. No call waits for a sync, unless
/// the output is [synchronous](crate::Output::synchronous).
///
/// # Errors
/// A failed sync is reported and retried until one succeeds. It counts in
/// [`failed_syncs`](crate::metrics::OutputMetrics::failed_syncs). Linux reports a failed write once and may then discard the
/// data, so a later success proves nothing about earlier lines. [`RollingFile`](crate::RollingFile) therefore writes the
/// lines that such a sync covered to a new segment, if they are still in memory. Otherwise they count as
/// [`not_durable`](crate::metrics::OutputMetrics::not_durable), and the log reports how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Leaves it to the system, which usually syncs within half a minute, and to [`Handle::sync`](crate::Handle::sync).
    #[default]
    Never,
    /// Syncs at the latest this long after a line was written, even if no line follows it. A call of the sink that is
    /// running then ends first, and the sync itself takes time.
    Interval(Duration),
    /// Syncs after each batch that has a line of this level or a more severe one. Earlier lines become durable, too.
    AtLevel(Level),
    /// Syncs after each batch. A batch has the lines that were logged while the previous one was written: at a higher rate,
    /// more lines share a sync.
    EveryBatch,
}

/// Tracks whether written lines wait for a sync.
#[derive(Debug)]
pub(super) struct Unsynced {
    when: Durability,
    /// Lines were written since the last successful sync.
    any: bool,
    /// When the next sync is due.
    due: Option<Instant>,
    retry: Backoff,
}

impl Unsynced {
    pub(super) fn new(when: Durability) -> Self {
        Self { when, any: false, due: None, retry: Backoff::new() }
    }

    /// Records that lines were written, the first of them at `since` or later.
    pub(super) fn wrote(&mut self, since: Instant) {
        self.any = true;
        if let Durability::Interval(longest) = self.when
            && self.due.is_none()
        {
            self.due = Some(after(since, longest));
        }
    }

    /// Records that a batch with lines of these levels was written. `last`: no later call may come to sync it.
    pub(super) fn batch_written(&mut self, by_level: ByLevel, last: bool) {
        let wanted = match self.when {
            Durability::Never => false,
            Durability::Interval(_) => last,
            Durability::AtLevel(level) => by_level.levels().any(|(of_line, _)| of_line <= level),
            Durability::EveryBatch => true,
        };
        if self.any && wanted {
            self.due = Some(Instant::now());
        }
    }

    /// Returns when the next sync is due, after any backoff; `None` if none is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.map(|due| self.retry.at().map_or(due, |at| due.max(at)))
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }

    /// Returns whether the output syncs without an order.
    pub(super) fn is_wanted(&self) -> bool {
        self.when != Durability::Never
    }

    /// Returns whether a last sync is needed when the log ends.
    pub(super) fn is_left(&self) -> bool {
        self.any && self.when != Durability::Never
    }

    /// Returns whether a batch has no sync to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.due.is_none() || matches!(self.when, Durability::Interval(_))
    }

    /// Forgets the lines written so far: they are durable, or can no longer be made durable.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.when);
    }

    /// Records a failed attempt.
    pub(super) fn failed(&mut self) {
        self.retry.failed();
    }
}
