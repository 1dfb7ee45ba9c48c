//! What was received, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of a run. All senders share them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Lines that arrived whole, or were cut.
    pub(super) received: Count,
    /// Lines of `received` that all outputs have written, or that were set aside.
    pub(super) written: Count,
    /// Lines of `received` that no format could read. They were set aside.
    pub(super) refused: Count,
    /// Lines of `received` that were cut.
    pub(super) truncated: Count,
    /// Lines of `received` that an output does not take.
    pub(super) rejected: Count,
    /// Bytes of `received`.
    pub(super) bytes: Count,
    /// Connections and addresses that sent a line.
    pub(super) senders: Count,
    /// Open connections.
    pub(super) connections: Count,
    /// Connections and requests that were turned away: beyond a limit, without a token, not understood.
    pub(super) turned_away: Count,
    /// Datagrams that the system dropped before they were read.
    pub(super) datagrams_lost: Count,
}

/// A number that counts up, or up and down.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
