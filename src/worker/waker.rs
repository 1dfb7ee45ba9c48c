//! The waker that a sink gets: it makes the worker call the sink again.

use std::sync::{Arc, OnceLock, Weak};
use std::task::Wake;

use super::lane::Lane;

/// Wakes the worker of a lane, which is made later than its sink's waker.
#[derive(Debug, Default)]
pub(super) struct SinkWaker(OnceLock<Weak<Lane>>);

impl SinkWaker {
    pub(super) fn set(&self, lane: &Arc<Lane>) {
        let _ = self.0.set(Arc::downgrade(lane));
    }
}

impl Wake for SinkWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(lane) = self.0.get().and_then(Weak::upgrade) {
            lane.queue.call_sink();
        }
    }
}
