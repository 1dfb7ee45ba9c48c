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

/// A part of the memory that all threads share, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Grant(usize);

impl Grant {
    /// Asks for more memory; returns whether it was granted.
    #[cold]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let taken = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |granted| {
            (granted == 0 || granted.saturating_add(bytes) <= MAX_LARGE_BYTES).then(|| granted.saturating_add(bytes))
        });
        self.0 += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }
}

impl Drop for Grant {
    #[inline]
    fn drop(&mut self) {
        if self.0 > 0 {
            let back = |granted: usize| Some(granted.saturating_sub(self.0));
            let _ = LARGE_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
        }
    }
}

/// The buffer of one capture.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    // Declared first: the memory is freed before another thread may use its share.
    pub(super) bytes: Vec<u8>,
    granted: Grant,
}

impl Scratch {
    /// Empties a used buffer for the next capture.
    #[inline]
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self { bytes, granted: Grant::default() }
    }

    /// Returns the captured fields.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the buffer for the next capture; `None` when it has grown too large to keep.
    #[inline]
    pub(crate) fn into_reusable(self) -> Option<Vec<u8>> {
        let is_small = self.granted.0 == 0 && self.bytes.capacity() <= SMALL_BYTES;
        is_small.then_some(self.bytes)
    }

    /// Asks for more memory; returns whether it was granted.
    #[cold]
    pub(super) fn grant(&mut self, bytes: usize) -> bool {
        self.granted.grow(bytes)
    }
}
