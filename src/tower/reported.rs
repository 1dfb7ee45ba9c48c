//! Whether a request's failure already has an ERROR line of the log itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

use crate::layer::panics_logged;

/// Tells the layers of one request whether an ERROR line of the log reports its failure. One failure is one ERROR.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    is_reported: Arc<AtomicBool>,
    /// The panics logged on this thread before code of the service ran.
    panics_before: Option<(usize, u64)>,
}

impl Reported {
    /// Must be called before code of the service runs.
    pub(super) fn enter(&mut self) {
        self.panics_before = Some(panics_logged());
    }

    /// Must be called when code of the service has returned, or has unwound.
    pub(super) fn leave(&mut self) {
        let (thread, panics) = panics_logged();
        // Another thread may drop a request that panicked here; its panics are others.
        if self.panics_before.take().is_some_and(|(own, before)| own == thread && before != panics) {
            self.is_reported.store(true, Ordering::Relaxed);
        }
    }

    /// Remembers the level of a line, for the layers around.
    pub(super) fn note(&self, level: Level) {
        if level == Level::ERROR {
            self.is_reported.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether an ERROR line reports the failure.
    pub(super) fn is_reported(&self) -> bool {
        self.is_reported.load(Ordering::Relaxed)
    }
}
