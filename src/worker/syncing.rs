//! What was written and is not safe yet: flushes and syncs that are still to be done.

use std::time::Instant;

use super::backoff::Backoff;
use super::durability::{Durability, Unsynced};
use crate::error::Error;

/// Flushes and syncs of one sink.
#[derive(Debug)]
pub(super) struct Syncing {
    pub(super) unsynced: Unsynced,
    /// The sink did not pass on all that it had taken.
    is_unflushed: bool,
    /// When it is asked to once more, if it may succeed.
    flush: Backoff,
    /// The id behind the lines that were written before the last flush.
    unflushed_id: u64,
    /// How many lines were written when a sync last settled all of them.
    settled_lines: u64,
    /// Lines that were written and cannot be made durable, until the log reports them.
    not_durable: u64,
}

impl Syncing {
    pub(super) fn new(durability: Durability) -> Self {
        Self {
            unsynced: Unsynced::new(durability),
            is_unflushed: false,
            flush: Backoff::new(),
            unflushed_id: 0,
            settled_lines: 0,
            not_durable: 0,
        }
    }

    /// Starts afresh, in a forked child.
    pub(super) fn start_afresh(&mut self) {
        self.unsynced.clear();
        self.flushed();
        (self.settled_lines, self.not_durable) = (0, 0);
    }

    /// Notes that all lines written so far are durable.
    pub(super) fn synced(&mut self, written_lines: u64) {
        self.unsynced.clear();
        self.settled_lines = written_lines;
    }

    /// Notes that the lines written since the last sync cannot be made durable. Returns how many these are.
    pub(super) fn give_up(&mut self, written_lines: u64) -> u64 {
        let lines = written_lines.saturating_sub(self.settled_lines);
        self.not_durable += lines;
        self.synced(written_lines);
        lines
    }

    /// Takes the lines that the log has to report as not durable; `None` if there are none.
    pub(super) fn take_not_durable(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.not_durable)).filter(|lines| *lines > 0)
    }

    /// Notes that the sink was asked to flush all lines before the id `end`.
    pub(super) fn asked_to_flush(&mut self, end: u64) {
        self.unflushed_id = end;
    }

    /// Returns whether the sink was not asked yet to flush all lines before the id `end`.
    pub(super) fn is_unflushed_before(&self, end: u64) -> bool {
        self.unflushed_id < end
    }

    /// Notes that all was flushed.
    pub(super) fn flushed(&mut self) {
        self.is_unflushed = false;
        self.flush.clear();
    }

    /// Notes that a flush failed.
    pub(super) fn flush_failed(&mut self, error: &Error) {
        self.is_unflushed = true;
        if error.is_retryable() {
            self.flush.failed();
        } else {
            self.flush.clear();
        }
    }

    /// Returns whether a failed flush is to be tried again now.
    pub(super) fn is_flush_due(&self) -> bool {
        self.flush.at().is_some_and(|at| at <= Instant::now())
    }

    /// Returns whether all that was written is flushed, and durable where it has to be.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_unflushed && self.unsynced.is_settled()
    }

    /// Returns when there is something to do although no line comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.unsynced.due().into_iter().chain(self.flush.at()).min()
    }
}
