//! The buffer that one capture writes into, and the memory that all captures may use together.
//!
//! A capture may use [`SMALL_BYTES`] without asking. More is granted in steps from one budget of the process. That
//! memory is not the queue's, so it has to stay small.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory that a capture may use without asking, and the smallest step in which it asks for more.
pub(super) const SMALL_BYTES: usize = 32 * 1024;

/// The memory that all threads together may use beyond [`SMALL_BYTES`] each. One capture alone may exceed it.
const MAX_LARGE_BYTES: usize = 2 << 20;

/// The memory granted now.
static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Resets the budget in a forked child: the parent's other threads hold nothing here.
pub(crate) fn start_afresh() {
    LARGE_BYTES.store(0, Ordering::Relaxed);
}

/// The buffer of one capture.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) bytes: Vec<u8>,
    /// The part of [`LARGE_BYTES`] granted to it.
    granted: usize,
}

impl Scratch {
    /// Empties a used buffer for the next capture.
    #[inline]
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, granted: 0 }
    }

    /// Returns the captured fields.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the buffer for the next capture; `None` when it has grown too large to keep.
    #[inline]
    pub(crate) fn into_reusable(mut self) -> Option<Vec<u8>> {
        let is_small = self.granted == 0 && self.bytes.capacity() <= SMALL_BYTES;
        is_small.then(|| std::mem::take(&mut self.bytes))
    }

    /// Asks for more memory; returns whether it was granted.
    #[cold]
    pub(super) fn grant(&mut self, bytes: usize) -> bool {
        let taken = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |granted| {
            (granted == 0 || granted.saturating_add(bytes) <= MAX_LARGE_BYTES).then(|| granted.saturating_add(bytes))
        });
        self.granted += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Scratch {
    #[inline]
    fn drop(&mut self) {
        if self.granted > 0 {
            // Free the memory before another thread may use its share.
            drop(std::mem::take(&mut self.bytes));
            let back = |granted: usize| Some(granted.saturating_sub(self.granted));
            let _ = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
        }
    }
}
