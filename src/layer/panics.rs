//! A panic as an ERROR line, logged from the panic hook on the panicking thread.
//!
//! A panic in here would abort the process, and a lock that the panicking thread holds would deadlock. So this runs no
//! user code: the payload is only read. A helper thread delivers where this thread would have to, and it reads the span's
//! extensions, which another layer may have locked when it panicked; that wait is short. The line goes straight to the
//! outputs, past the dispatcher, which does not let in a thread that is already inside.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tracing::Level;

use super::call_site::CallSite;
use super::core::Core;
use super::span_cache;
use super::this_thread;
use crate::context::Node;
use crate::outputs::{Line, Places};
use crate::process;
use crate::queue::{Head, Push};
#[cfg(feature = "tower")]
use crate::record::REQUESTS;
use crate::record::{Capture, PANICS, Value, backtrace, is_formatting, panic_metadata};
use crate::worker;

/// How long to wait for the span's node. The panicking thread may have locked it itself.
const LOOK_UP_TIMEOUT: Duration = Duration::from_millis(100);

/// How long to wait for a line that this thread would have to write itself.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The logs that report panics. It is no lock: a thread may panic at any point, even during a fork.
static LISTENING: ArcSwapOption<Vec<Weak<Core>>> = ArcSwapOption::const_empty();

thread_local! {
    /// Whether this is a helper thread, started here for a panic on another.
    static IS_HELPER: Cell<bool> = const { Cell::new(false) };
    /// The number of panics of requests on this thread that a log has reported.
    #[cfg(feature = "tower")]
    static LOGGED: Cell<u64> = const { Cell::new(0) };
}

/// Returns what identifies this thread while it lives, and the number of panics of requests on it that a log has
/// reported.
#[cfg(feature = "tower")]
pub(crate) fn panics_logged() -> (usize, u64) {
    LOGGED.try_with(|logged| (std::ptr::from_ref(logged) as usize, logged.get())).unwrap_or_default()
}

/// Makes a log report panics while it exists.
pub(crate) fn listen(core: &Arc<Core>) {
    LISTENING.rcu(|all| {
        let others = all.iter().flat_map(|all| all.iter()).filter(|core| core.strong_count() > 0).cloned();
        Some(Arc::new(others.chain([Arc::downgrade(core)]).collect::<Vec<_>>()))
    });
}

/// Returns whether this thread only handles a panic on another. Its own panics are not reported.
pub(crate) fn is_looking() -> bool {
    IS_HELPER.try_with(Cell::get).unwrap_or(false)
}

/// Logs a panic, from the panic hook. `aborts`: the process ends with it.
///
/// Panics that the log catches are not logged: in a value that is being captured, and on the log's own threads.
pub(crate) fn log_panic(panic: &PanicHookInfo<'_>, aborts: bool) {
    if worker::own_lane().is_some() || (is_formatting() && !aborts) {
        return;
    }
    let listening = LISTENING.load();
    for core in listening.iter().flat_map(|all| all.iter()).filter_map(Weak::upgrade) {
        core.log_panic(panic);
    }
}

impl Core {
    fn log_panic(self: &Arc<Self>, panic: &PanicHookInfo<'_>) {
        self.outputs
            .with(|| self.filters.mask(PANICS, Level::ERROR), |places, mask| self.log_panic_to(places, mask, panic));
    }

    fn log_panic_to(self: &Arc<Self>, places: &Places, mask: u64, panic: &PanicHookInfo<'_>) {
        if mask == 0 {
            return;
        }
        let node = self.panicking_in();
        let site = CallSite { outputs: mask, flags: CallSite::RELEASES };
        let to_deliver = self.capture_line(
            |capture| self.capture_panic(capture, panic),
            |bytes| {
                let head = Head::Event { meta: panic_metadata(), is_log: true };
                let line = Line { head, time: self.clock.now(), bytes };
                places.submit(mask, line, |mask, push| {
                    self.push_or_hold_back(places, site, mask, Push { context: node.as_ref(), ..push })
                })
            },
        );
        #[cfg(feature = "tower")]
        if std::iter::successors(node.as_ref(), |node| node.parent()).any(|node| node.meta().target() == REQUESTS) {
            let _ = LOGGED.try_with(|logged| logged.set(logged.get().wrapping_add(1)));
        }
        if to_deliver != 0 {
            // Only user code can write the line, so this thread must not.
            let places = places.clone();
            on_helper_thread(DELIVERY_TIMEOUT, move || places.deliver(to_deliver));
        }
    }

    /// Captures the panic like a record of the `log` crate, whose place is among its fields.
    fn capture_panic(&self, capture: &mut Capture<'_>, panic: &PanicHookInfo<'_>) {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("Box<dyn Any>");
        if !self.outputs.wants_thread() {
            this_thread::capture_thread(capture);
        }
        capture.named("message", &Value::Str(text));
        capture.named("log.target", &Value::Str(PANICS));
        if let Some(at) = panic.location() {
            capture.named("log.file", &Value::Str(at.file()));
            capture.named("log.line", &Value::U64(u64::from(at.line())));
        }
        capture.named_failure("error", PANICS, text);
        let is_asked = std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0" && !asked.is_empty());
        if is_asked || self.diagnostics.backtrace >= Level::ERROR {
            capture.backtrace(&backtrace(true));
        }
    }

    /// Returns the node of the span that this thread is in.
    fn panicking_in(&self) -> Option<Arc<Node>> {
        let dispatch = self.registry.subscriber()?;
        let find = self.registry.find()?;
        let id = dispatch.current_span().id()?.clone();
        let core = self.serial;
        if let Some(node) = span_cache::with(core, &id, Arc::clone) {
            return Some(node);
        }
        let mut found = None;
        on_helper_thread(LOOK_UP_TIMEOUT, move || {
            find(&dispatch, &id, &mut |_, nodes| {
                found = nodes.and_then(|nodes| nodes.of(core)).cloned();
                found.is_some()
            });
            found
        })
        .flatten()
    }
}

/// Runs `run` on a helper thread; returns its result if it arrives in time.
fn on_helper_thread<T: Send + 'static>(timeout: Duration, run: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = channel();
    let started = process::spawn("spanline-panic", move || {
        let _ = IS_HELPER.try_with(|is_helper| is_helper.set(true));
        // The receiver may have stopped waiting.
        let _ = sender.send(run());
    });
    started.ok()?;
    receiver.recv_timeout(timeout).ok()
}
