//! The process-wide epoch: it counts `Span::record` calls, so that an unchanged epoch means unchanged spans.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::sync;

/// No span has recorded anything yet.
pub(super) const FIRST_EPOCH: u64 = 1;

static EPOCH: AtomicU64 = AtomicU64::new(FIRST_EPOCH);

/// Returns the epoch now. While it stays the same, no span of the process changes.
#[inline]
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::SeqCst)
}

/// Begins a new epoch and returns it.
pub(super) fn next_epoch() -> u64 {
    EPOCH.fetch_add(1, Ordering::SeqCst) + 1
}

/// Read-locked while a span records. A fork write-locks it, so that its child finds no span locked.
static RECORDING: RwLock<()> = RwLock::new(());

/// Takes part in recording: delays a fork until the guard is dropped.
pub(super) fn recording() -> RwLockReadGuard<'static, ()> {
    sync::read(&RECORDING)
}

/// Stops all recording on spans until the guard is dropped.
pub(crate) fn hold_records() -> RwLockWriteGuard<'static, ()> {
    sync::write(&RECORDING)
}
