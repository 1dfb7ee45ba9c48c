//! The end of the log, whichever way the process ends: the guard is dropped, the process exits, a panic aborts it, a
//! signal comes.
//!
//! All of them close the same queues and wait for the same deadlines, which begin with the first of them. Nobody joins
//! a worker: they wait on a condition, as in an exit handler a worker may be gone or be the one who called `exit`.

use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, MutexGuard, Once, Weak};
use std::time::Duration;

use super::fork;
use super::guard::Deadlines;
use crate::complaint::Complaints;
use crate::layer;
use crate::process::{self, Hooks};
use crate::sync;
use crate::worker::{self, Lane};

/// How often the progress of the outputs is looked at.
const NAP: Duration = Duration::from_millis(20);

/// An output that does not answer in this time does not keep the others from opening their files anew.
#[cfg(all(unix, feature = "signals"))]
const REOPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that has to be ended together.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) complaints: Arc<Complaints>,
    pub(super) deadlines: Deadlines,
}

/// Those whose guard was not dropped yet, or leaked.
static LOGS: Mutex<Vec<Weak<Log>>> = Mutex::new(Vec::new());

/// Keeps everybody else from the list of logs.
pub(super) fn hold_logs() -> MutexGuard<'static, Vec<Weak<Log>>> {
    sync::lock(&LOGS)
}

/// Sees to it that the log is ended also when its guard is not dropped.
pub(super) fn watch(log: &Arc<Log>) {
    let mut logs = hold_logs();
    logs.retain(|log| log.strong_count() > 0);
    logs.push(Arc::downgrade(log));
    drop(logs);
    static HOOKS: Once = Once::new();
    HOOKS.call_once(|| {
        process::watch(Hooks {
            at_exit: end_all,
            before_fork: fork::before,
            after_fork_in_parent: fork::in_parent,
            after_fork_in_child: fork::in_child,
        });
        worker::when_child_logs(fork::in_child_that_logs);
        // A panicking thread may not touch the hook.
        if !std::thread::panicking() {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if layer::is_looking() {
                    return;
                }
                layer::log_panic(panic, will_abort(panic));
                before(panic);
                on_panic(panic);
            }));
        }
    });
}

fn all() -> Vec<Arc<Log>> {
    hold_logs().iter().filter_map(Weak::upgrade).collect()
}

/// Ends all logs that have not ended.
pub(super) fn end_all() {
    end(&all());
}

/// Complains on behalf of all logs, through the first.
#[cfg(all(unix, feature = "signals"))]
pub(super) fn complain(reason: &str, text: &str) {
    if let Some(log) = all().first() {
        log.complaints.say(reason, text);
    }
}

/// Has the sinks of all logs open their files anew.
#[cfg(all(unix, feature = "signals"))]
pub(super) fn reopen_all() {
    for log in all() {
        let handle = super::Handle { lanes: log.lanes.clone(), filters: None };
        if let Err(error) = handle.reopen(REOPEN_TIMEOUT) {
            log.complaints.say("reopen", &format!("reopening failed: {error}"));
        }
    }
}

/// Ends logs, and returns how many lines were not written in time.
///
/// # Blocking
/// Until all is written or the deadline is over. Not on a thread of the log, which cannot wait for itself; the workers
/// write what there is all the same, if they are left the time.
pub(super) fn end(logs: &[Arc<Log>]) -> u64 {
    let lanes = || logs.iter().flat_map(|log| log.lanes.iter().map(move |lane| (log, lane)));
    lanes().for_each(|(log, lane)| lane.close(log.deadlines.timeout, log.deadlines.cap));
    if worker::own_lane().is_some() {
        return 0;
    }
    // All side by side: a stuck output takes no time from a slow one.
    let mut open: Vec<_> = lanes().collect();
    let mut left = 0;
    while !open.is_empty() {
        // The first one signals its end; the others are looked at each time.
        let mut nap = NAP;
        open.retain(|(log, lane)| {
            let Some(lines) = lane.queue.wait_ended(std::mem::take(&mut nap)) else { return true };
            if lines > 0 {
                log.complaints.say(
                    &format!("{} end", lane.name),
                    &format!("output {}: {lines} lines were not written in time", lane.name),
                );
            }
            lane.queue.end_reported();
            left += lines;
            false
        });
    }
    left
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    if worker::own_lane().is_some() {
        return;
    }
    if will_abort(panic) {
        end_all();
    } else {
        // It may be caught, even by the log itself, so nothing is waited for. Should it come to an end all the same,
        // the line that tells of it is on its way.
        let logs = sync::try_lock(&LOGS).map(|logs| logs.iter().filter_map(Weak::upgrade).collect());
        let logs: Vec<_> = logs.unwrap_or_default();
        logs.iter().flat_map(|log| &log.lanes).for_each(|lane| lane.queue.try_wake_worker());
    }
}

/// Whether the process ends with this panic. A second panic while the first one unwinds comes to the hook once more, as
/// one that cannot unwind; the standard library tells those apart only by their text so far.
fn will_abort(panic: &PanicHookInfo<'_>) -> bool {
    let text = panic.payload().downcast_ref::<&str>().copied().unwrap_or_default();
    cfg!(panic = "abort")
        || text == "panic in a destructor during cleanup"
        || text.starts_with("panic in a function that cannot unwind")
}
