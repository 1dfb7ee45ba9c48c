//! A fork of the process: the order in which everything is held, and what the child begins with.
//!
//! Only the thread that forks lives on in the child. It holds every lock of the log across the fork, so each is free
//! there, or held by a thread that is: outermost what is waited for longest. Locks of `tracing`, and of a sink of the
//! user's own, are theirs.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::{MutexGuard, RwLockWriteGuard, Weak};

use crate::control::shutdown::{self, Log};
use crate::worker::{self, HeldLanes};
use crate::{context, filter, record};

/// What the forking thread holds.
struct Held {
    logs: MutexGuard<'static, Vec<Weak<Log>>>,
    records: RwLockWriteGuard<'static, ()>,
    lanes: HeldLanes,
    changes: MutexGuard<'static, ()>,
}

thread_local! {
    /// Never dropped, so that it is there also when a destructor of the thread's other variables forks.
    static HELD: Cell<ManuallyDrop<Option<Held>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

fn put(held: Option<Held>) -> Option<Held> {
    HELD.try_with(|place| place.replace(ManuallyDrop::new(held))).ok().and_then(ManuallyDrop::into_inner)
}

pub(crate) fn before() {
    let changes = filter::hold_changes();
    let lanes = worker::hold_lanes();
    let records = context::hold_records();
    let logs = shutdown::hold_logs();
    put(Some(Held { logs, records, lanes, changes }));
}

pub(crate) fn in_parent() {
    if let Some(Held { logs, records, lanes, changes }) = put(None) {
        drop((logs, records, changes));
        lanes.release();
    }
}

pub(crate) fn in_child() {
    record::begin_anew();
    context::begin_anew();
    #[cfg(all(unix, feature = "signals"))]
    crate::control::signals::in_child();
    if let Some(Held { logs, records, lanes, changes }) = put(None) {
        drop((logs, records, changes));
        lanes.begin_anew();
    }
}

/// The child has begun to log.
pub(crate) fn in_child_that_logs() {
    #[cfg(all(unix, feature = "signals"))]
    crate::control::signals::watch_in_child();
}
