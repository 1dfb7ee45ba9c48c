//! The end of the log, whichever way the process ends: the guard is dropped, the process exits, a panic aborts it, or a
//! signal arrives.
//!
//! All of them close the same queues and share the same deadlines, which start with the first of them. Nothing joins a
//! worker: the ending thread waits on a condition. In an exit handler, a worker may be gone, or may itself have called
//! `exit`.

use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, Weak};
use std::time::Duration;

use super::fork_statics::statics;
use super::handle::{Handle, LayerParts};
use crate::complaint::Complaints;
use crate::fork;
use crate::layer;
use crate::outputs::Outputs;
use crate::process::{self, Hooks};
use crate::sync;
use crate::worker::{self, Lane};

/// How often the ending thread checks whether the outputs have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// After this time, an output that does not answer no longer delays the other logs' reopening.
#[cfg(all(unix, feature = "signals"))]
const REOPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of the log may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// The time without progress. Each progress restarts it.
    pub(crate) timeout: Duration,
    /// The time in total.
    pub(crate) cap: Duration,
}

impl Deadlines {
    pub(super) const DEFAULT: Self = Self { timeout: Duration::from_secs(5), cap: Duration::from_secs(25) };
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Everything that ends together.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) outputs: Arc<Outputs>,
    /// Set once for the log of a layer; an appender's has none.
    pub(super) layer: OnceLock<LayerParts>,
    pub(super) complaints: Arc<Complaints>,
    pub(super) deadlines: Deadlines,
}

impl Log {
    /// Ends the thread of control, and removes its socket.
    fn end_control(&self) {
        self.layer.get().into_iter().for_each(|layer| layer.thread.end());
    }
}

/// The logs whose guard was leaked or not dropped yet.
static LOGS: Mutex<Vec<Weak<Log>>> = Mutex::new(Vec::new());

/// Locks the list of logs.
pub(crate) fn hold_logs() -> MutexGuard<'static, Vec<Weak<Log>>> {
    sync::lock(&LOGS)
}

/// Registers the log, so that it ends even if its guard is not dropped.
pub(super) fn watch(log: &Arc<Log>) {
    let mut logs = hold_logs();
    logs.retain(|log| log.strong_count() > 0);
    logs.push(Arc::downgrade(log));
    drop(logs);
    watch_process();
}

/// What to do before all logs end.
static BEFORE_THE_END: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// Sets what to do before all logs end, because the process does.
pub(crate) fn before_the_end(run: impl FnOnce() + Send + 'static) {
    *sync::lock(&BEFORE_THE_END) = Some(Box::new(run));
    watch_process();
}

/// Installs the hooks of the process, once.
fn watch_process() {
    static HOOKS: Once = Once::new();
    HOOKS.call_once(|| {
        fork::register_statics(statics());
        process::watch(Hooks {
            at_exit: end_all,
            before_fork: fork::before,
            after_fork_in_parent: fork::in_parent,
            after_fork_in_child: fork::in_child,
        });
        // A panicking thread must not replace the hook.
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

/// In a forked child that logs: starts the threads of control that its parent has.
pub(super) fn control_in_child() {
    for log in all() {
        if let Some(layer) = log.layer.get() {
            layer.thread.start_in_child(&log.handle());
        }
    }
}

fn all() -> Vec<Arc<Log>> {
    hold_logs().iter().filter_map(Weak::upgrade).collect()
}

/// Ends all logs that have not ended.
pub(super) fn end_all() {
    // A child of a fork may find it locked by a thread that it does not have.
    let before = sync::try_lock(&BEFORE_THE_END).and_then(|mut before| before.take());
    before.into_iter().for_each(|before| before());
    end(&all());
}

/// Complains on behalf of all logs, through the first one.
#[cfg(all(unix, feature = "signals"))]
pub(super) fn complain(reason: &str, text: &str) {
    if let Some(log) = all().first() {
        log.complaints.say(reason, text);
    }
}

/// A log, for threads that end with it.
#[cfg(feature = "config")]
#[derive(Clone, Debug)]
pub(crate) struct WeakLog(pub(super) Weak<Log>);

#[cfg(feature = "config")]
impl WeakLog {
    /// Returns a handle while the log exists.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.0.upgrade().map(|log| log.handle())
    }
}

/// In a forked child that logs: watches the files of all logs that the parent watches.
#[cfg(feature = "config")]
pub(super) fn watch_files_in_child() {
    for log in all() {
        if let Ok(configuration) = log.handle().configuration() {
            configuration.watch_in_child(WeakLog(Arc::downgrade(&log)));
        }
    }
}

impl Log {
    pub(super) fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.outputs), self.layer.get().cloned())
    }
}

/// Makes the sinks of all logs reopen their files. `reloads`: those with a configuration read it again before.
#[cfg(all(unix, feature = "signals"))]
pub(super) fn reopen_all(reloads: bool) {
    for log in all() {
        let handle = log.handle();
        #[cfg(feature = "config")]
        if reloads && handle.configuration().is_ok() {
            let _ = handle.reconfigure(None, vec![("by", "SIGHUP".into())]);
        }
        let _ = reloads;
        if let Err(error) = handle.reopen(REOPEN_TIMEOUT) {
            log.complaints.say("reopen", &format!("cannot reopen the files on SIGHUP: {error:#}"));
        }
    }
}

/// Ends logs and returns how many lines were not written in time.
///
/// # Blocking
/// Waits until everything is written or the deadline has passed. One of the log's own threads does not wait, because it
/// cannot wait for itself. The workers still write the queued lines if the process lives long enough.
pub(super) fn end(logs: &[Arc<Log>]) -> u64 {
    logs.iter().for_each(|log| log.end_control());
    let mut lanes = Vec::new();
    for log in logs {
        let of_log = log.outputs.end();
        of_log.iter().for_each(|lane| lane.close(log.deadlines.timeout, log.deadlines.cap));
        lanes.extend(of_log);
    }
    wait_ended(lanes)
}

/// Waits until outputs have ended, and returns how many lines were not written in time.
///
/// # Blocking
/// As [`end`].
pub(crate) fn wait_ended(mut open: Vec<Arc<Lane>>) -> u64 {
    if worker::own_lane().is_some() {
        return 0;
    }
    // All outputs in parallel: a stuck one does not use up the time of a slow one.
    let mut left = 0;
    while !open.is_empty() {
        // Waits for the first output; the others are only checked.
        let mut wait = POLL_INTERVAL;
        open.retain(|lane| {
            let ended = has_ended(lane, std::mem::take(&mut wait));
            left += ended.unwrap_or(0);
            ended.is_none()
        });
    }
    left
}

/// Waits for the end of an output, whose end has begun. Once it has ended, reports and returns the lines that were not
/// written in time.
///
/// # Blocking
/// For `nap` at most.
pub(super) fn has_ended(lane: &Lane, nap: Duration) -> Option<u64> {
    let lines = lane.queue.wait_ended(nap)?;
    if lines > 0 {
        lane.complaints.say(
            &format!("{} end", lane.name),
            &format!("output {}: {lines} lines were not written in time", lane.name),
        );
    }
    lane.queue.end_reported();
    Some(lines)
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    if worker::own_lane().is_some() {
        return;
    }
    if will_abort(panic) {
        end_all();
    } else {
        // The panic may be caught, even by the log itself, so this does not wait. If it does end the process, the line
        // that reports it is on its way.
        let logs = sync::try_lock(&LOGS).map(|logs| logs.iter().filter_map(Weak::upgrade).collect());
        let logs: Vec<_> = logs.unwrap_or_default();
        logs.iter().flat_map(|log| log.outputs.lanes_to_end()).for_each(|lane| lane.queue.try_wake_worker());
    }
}

/// Returns whether this panic ends the process.
///
/// A second panic while the first one unwinds reaches the hook again, as one that cannot unwind. The standard library
/// distinguishes those only by their text.
fn will_abort(panic: &PanicHookInfo<'_>) -> bool {
    let text = panic.payload().downcast_ref::<&str>().copied().unwrap_or_default();
    cfg!(panic = "abort")
        || text == "panic in a destructor during cleanup"
        || text.starts_with("panic in a function that cannot unwind")
}
