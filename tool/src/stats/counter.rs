//! Counts lines until a signal.

use std::sync::atomic::{AtomicBool, Ordering};

use super::statistics::{Questions, Stats};
use crate::entry::Entry;
use crate::scan::{Place, Visit};

/// The counts of one thread, which ends when it is told so.
pub(super) struct Counter<'q> {
    pub(super) stats: Stats<'q>,
    stop: Option<&'q AtomicBool>,
}

impl<'q> Counter<'q> {
    /// `stop`: set when no further line counts.
    pub(super) fn new(questions: &'q Questions, stop: Option<&'q AtomicBool>) -> Self {
        Self { stats: Stats::new(questions), stop }
    }
}

impl Visit for Counter<'_> {
    fn visit(&mut self, entry: &Entry<'_>, place: Place) {
        self.stats.visit(entry, place);
    }

    fn is_done(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
