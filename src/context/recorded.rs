//! What `Span::record` and context variables have added to a span since it was opened.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::epoch::{FIRST_EPOCH, next_epoch, recording};
use crate::sync;
use crate::values::merge;

/// The fields recorded on a span up to the epoch `stamp`.
#[derive(Debug)]
pub(crate) struct Version {
    pub(super) stamp: u64,
    pub(super) fields: Vec<u8>,
}

/// The latest version of a span's recorded fields.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The stamp of the latest version; zero until something was recorded.
    newest: AtomicU64,
    /// The memory of the span's node, with its own fields and the latest version.
    bytes: AtomicUsize,
    latest: Mutex<Option<Arc<Version>>>,
}

impl Recorded {
    /// Returns a state without recorded fields. `bytes`: the memory of the node alone.
    #[inline]
    pub(super) fn new(bytes: usize) -> Self {
        Self { newest: AtomicU64::new(0), bytes: AtomicUsize::new(bytes), latest: Mutex::new(None) }
    }

    #[inline]
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the latest version.
    pub(super) fn latest(&self) -> Option<Arc<Version>> {
        if self.newest() == 0 {
            return None;
        }
        sync::lock(&self.latest).clone()
    }

    /// Replaces the latest version by one with the fields in `update`. `node_bytes`: the memory of the node alone.
    pub(super) fn record(&self, update: &[u8], node_bytes: usize) {
        let _recording = recording();
        let mut latest = sync::lock(&self.latest);
        let fields = match &*latest {
            Some(last) => merge(&last.fields, update),
            None => update.to_vec(),
        };
        self.bytes.store(node_bytes + fields.len(), Ordering::Relaxed);
        // A thread that sees a later stamp on another node must also see that this one has a version to wait for.
        self.newest.fetch_max(FIRST_EPOCH, Ordering::SeqCst);
        let stamp = next_epoch();
        let before = latest.replace(Arc::new(Version { stamp, fields }));
        self.newest.store(stamp, Ordering::Release);
        drop(latest);
        drop(before);
    }

    /// Releases the latest version. It lives on only with the events that saw it.
    pub(super) fn release(&self) {
        if self.newest() != 0 {
            let _recording = recording();
            sync::lock(&self.latest).take();
        }
    }
}
