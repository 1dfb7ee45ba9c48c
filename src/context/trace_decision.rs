//! Whether the lines of a trace are kept, decided once.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the lines of a trace are kept. It belongs to the outermost span of the trace in this process.
#[derive(Debug, Default)]
pub(crate) struct TraceDecision(AtomicU8);

const OPEN: u8 = 0;
const KEPT: u8 = 1;
const DROPPED: u8 = 2;

impl TraceDecision {
    /// Returns the decision, which `decide` makes if it is open. Of threads that decide at once, the first one counts.
    pub(crate) fn get_or_decide(&self, decide: impl FnOnce() -> bool) -> bool {
        let known = self.0.load(Ordering::Relaxed);
        if known != OPEN {
            return known == KEPT;
        }
        let decided = if decide() { KEPT } else { DROPPED };
        match self.0.compare_exchange(OPEN, decided, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => decided == KEPT,
            Err(first) => first == KEPT,
        }
    }
}
