//! The participants of a fork that exist once per process. Their locks are held; what is the parent's is reset in the
//! child.

use std::sync::Arc;
use std::time::Instant;

use super::shutdown;
use crate::fork::{AtFork, Paused, Rank};
use crate::{context, filter, record};

/// Returns all of them.
pub(super) fn statics() -> Vec<Arc<dyn AtFork>> {
    vec![
        Arc::new(FilterChanges),
        Arc::new(SpanRecords),
        Arc::new(Logs),
        Arc::new(Ids),
        Arc::new(CaptureBuffers),
        Arc::new(ControlThreads),
        #[cfg(all(unix, feature = "signals"))]
        Arc::new(Signals),
        #[cfg(feature = "config")]
        Arc::new(WatchedFiles),
    ]
}

/// Changes of filters. The child has the parent's filters.
struct FilterChanges;

impl AtFork for FilterChanges {
    fn rank(&self) -> Rank {
        Rank::FilterChanges
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        keep(filter::hold_changes())
    }
}

/// Recording on spans. The child has the parent's spans.
struct SpanRecords;

impl AtFork for SpanRecords {
    fn rank(&self) -> Rank {
        Rank::SpanRecords
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        keep(context::hold_records())
    }
}

/// The list of logs. The child ends the same ones.
struct Logs;

impl AtFork for Logs {
    fn rank(&self) -> Rank {
        Rank::Logs
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        keep(shutdown::hold_logs())
    }
}

/// The state from which ids are made. The child makes other ids than its parent.
struct Ids;

impl AtFork for Ids {
    fn rank(&self) -> Rank {
        Rank::Lockless
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        Box::new(context::start_afresh)
    }
}

/// The memory of captures under way. The parent's other threads hold none in the child.
struct CaptureBuffers;

impl AtFork for CaptureBuffers {
    fn rank(&self) -> Rank {
        Rank::Lockless
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        Box::new(record::start_afresh)
    }
}

/// Control. The parent's threads do not exist in the child.
struct ControlThreads;

impl AtFork for ControlThreads {
    fn rank(&self) -> Rank {
        Rank::Lockless
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        Box::new(|| {})
    }

    fn child_logs(&self) {
        shutdown::control_in_child();
    }
}

/// Signals. The parent's thread that waits for them does not exist in the child.
#[cfg(all(unix, feature = "signals"))]
struct Signals;

#[cfg(all(unix, feature = "signals"))]
impl AtFork for Signals {
    fn rank(&self) -> Rank {
        Rank::Lockless
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        Box::new(super::signals::in_child)
    }

    fn child_logs(&self) {
        super::signals::watch_in_child();
    }
}

/// Watched configuration files. The parent's threads that watch them do not exist in the child.
#[cfg(feature = "config")]
struct WatchedFiles;

#[cfg(feature = "config")]
impl AtFork for WatchedFiles {
    fn rank(&self) -> Rank {
        Rank::Lockless
    }

    fn pause(&self, _: Instant) -> Paused<'_> {
        keep(())
    }

    fn child_logs(&self) {
        shutdown::watch_files_in_child();
    }
}

/// Keeps a lock across the fork. Nothing behind it has to start afresh.
fn keep<'a>(guard: impl Sized + 'a) -> Paused<'a> {
    Box::new(move || {
        let _ = &guard;
    })
}
