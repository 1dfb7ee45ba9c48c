//! What `Span::record` and context variables have added to a span since it was opened.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use smallvec::SmallVec;

use super::epoch::{FIRST_EPOCH, next_epoch, recording};
use crate::sync;
use crate::values::{FieldBytes, merge};

/// The fields recorded on a span up to the epoch `stamp`.
#[derive(Debug)]
pub(crate) struct Version {
    pub(super) stamp: u64,
    pub(super) fields: FieldBytes,
}

/// Updates that follow the latest version are merged once they are this large, and larger than it.
const MERGE_BYTES: usize = 4096;

/// Updates that are merged at once, of most spans: they need no further memory.
type Updates = SmallVec<[u8; 64]>;

/// A span's recorded fields.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The stamp of the latest update; zero until something was recorded.
    newest: AtomicU64,
    /// The memory of the span's node, with its own fields and the recorded ones.
    bytes: AtomicUsize,
    latest: Mutex<Latest>,
}

/// The latest version, which is made when it is asked for: many updates in a row are merged once.
#[derive(Debug, Default)]
struct Latest {
    version: Option<Arc<Version>>,
    /// Later updates, one after the other.
    updates: Updates,
    /// The stamp of the last of them.
    stamp: u64,
}

impl Latest {
    fn fields(&self) -> &[u8] {
        self.version.as_deref().map_or(&[], |version| &version.fields)
    }

    fn bytes(&self) -> usize {
        self.fields().len() + self.updates.len()
    }

    /// Merges the updates into the version. Returns the version before.
    fn merge(&mut self) -> Option<Arc<Version>> {
        if self.updates.is_empty() {
            return None;
        }
        let mut merged = Arc::new(Version { stamp: self.stamp, fields: FieldBytes::new() });
        // Merged in its final place.
        if let Some(version) = Arc::get_mut(&mut merged) {
            merge(self.fields(), &self.updates, &mut version.fields);
        }
        self.updates = Updates::new();
        self.version.replace(merged)
    }
}

impl Recorded {
    /// Begins without recorded fields. `bytes`: the memory of the node alone.
    #[inline]
    pub(super) fn begin(&mut self, bytes: usize) {
        *self.newest.get_mut() = 0;
        *self.bytes.get_mut() = bytes;
    }

    /// Frees what was recorded.
    #[inline]
    pub(super) fn clear(&mut self) {
        if *self.newest.get_mut() != 0 {
            *sync::lock(&self.latest) = Latest::default();
        }
    }

    #[inline]
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the latest version. The caller takes part in recording, or has stopped it.
    pub(super) fn latest(&self) -> Option<Arc<Version>> {
        if self.newest() == 0 {
            return None;
        }
        let mut latest = sync::lock(&self.latest);
        let before = latest.merge();
        let version = latest.version.clone();
        drop(latest);
        drop(before);
        version
    }

    /// Adds the fields in `update`. `node_bytes`: the memory of the node alone. Returns false, and adds nothing, if the
    /// recorded fields would take more than `max_bytes`.
    pub(super) fn record(&self, update: &[u8], node_bytes: usize, max_bytes: usize) -> bool {
        if update.is_empty() {
            return true;
        }
        let _recording = recording();
        let mut latest = sync::lock(&self.latest);
        let is_over = |latest: &Latest| latest.bytes() + update.len() > max_bytes;
        let mut before = None;
        if is_over(&latest) {
            before = latest.merge();
            if is_over(&latest) {
                return false;
            }
        }
        latest.updates.extend_from_slice(update);
        // A thread that sees a later stamp on another node must also see that this one has a version to wait for.
        self.newest.fetch_max(FIRST_EPOCH, Ordering::SeqCst);
        latest.stamp = next_epoch();
        self.newest.store(latest.stamp, Ordering::Release);
        if latest.updates.len() > latest.fields().len().max(MERGE_BYTES) {
            before = latest.merge().or(before);
        }
        self.bytes.store(node_bytes + latest.bytes(), Ordering::Relaxed);
        drop(latest);
        drop(before);
        true
    }

    /// Releases the latest version. It lives on only with the events that saw it.
    pub(super) fn release(&self) {
        if self.newest() != 0 {
            let _recording = recording();
            let released = std::mem::take(&mut *sync::lock(&self.latest));
            drop(released);
        }
    }
}
