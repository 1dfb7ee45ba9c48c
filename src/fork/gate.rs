//! The gate before the engines: while a fork waits for them, no thread takes an engine that it does not hold.

use std::sync::atomic::{AtomicBool, Ordering};

use super::participants::participants;

static WANTED: AtomicBool = AtomicBool::new(false);

/// Whether a fork waits for the engines.
#[inline]
pub(crate) fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Waits while a fork is under way. The caller holds no lock.
///
/// # Blocking
/// Until the fork is over.
#[inline]
pub(crate) fn let_pass() {
    if is_wanted() {
        // The fork holds the list.
        drop(participants());
    }
}

/// Closes or opens the gate. The caller holds the list of participants.
pub(super) fn set_wanted(is_wanted: bool) {
    WANTED.store(is_wanted, Ordering::Relaxed);
}
