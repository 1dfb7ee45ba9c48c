//! Signals, if the builder asked for them: the ending ones take effect once the log is written, and SIGHUP reopens
//! files.
//!
//! A signal handler may do almost nothing, so a thread waits for the signals. They are registered beside other handlers
//! (tokio's, for example), through the crate that tokio uses. The thread waits without a descriptor, so signals still
//! work after a daemon has closed all descriptors.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};

use super::shutdown;
use crate::error::Error;
use crate::process::{self, Arrivals};
use crate::sync;

/// The signals that ask a program to end. Each ends it by default, as SIGHUP does.
const ENDING: [c_int; 3] = [SIGTERM, SIGINT, SIGQUIT];

/// Process 1 of a container, where signals have no default action.
const INIT: u32 = 1;

/// A thread that has not started after this time will hardly ever start.
const START_TIMEOUT: Duration = Duration::from_millis(100);

/// The next signal ends the process at once: one that ends it has arrived, or no thread waits for signals yet, as in a
/// forked child.
static AT_ONCE: AtomicBool = AtomicBool::new(true);

/// The signals that this process watches for.
static WATCHED: Mutex<Watch> = Mutex::new(Watch { end: false, end_at_hangup: false, reopen: false, reload: false });

/// SIGHUP also reads the configuration again.
static RELOADS: AtomicBool = AtomicBool::new(false);

/// The signals to watch for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// The ending signals.
    pub(crate) end: bool,
    /// SIGHUP, as one of them.
    pub(crate) end_at_hangup: bool,
    /// SIGHUP, to reopen files.
    pub(crate) reopen: bool,
    /// SIGHUP, to read the configuration again, and then to reopen files.
    pub(crate) reload: bool,
}

impl Watch {
    /// # Errors
    /// SIGHUP is to end the process and to reopen its files.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.end_at_hangup && (self.reopen || self.reload) {
            let (what, other) = match self.reload {
                true => ("reload its configuration", "reload_on_sighup"),
                false => ("reopen its files", "reopen_on_sighup"),
            };
            return Err(Error::invalid(format!(
                "SIGHUP cannot both end the process and {what}: remove flush_on_sighup or {other}"
            )));
        }
        Ok(())
    }
}

fn watched() -> MutexGuard<'static, Watch> {
    sync::lock(&WATCHED)
}

/// Starts to watch for signals, besides those watched for already.
///
/// A signal that arrives before the thread runs ends the process at once, as by default. On a slow machine, that may be
/// after the return: see [`serve`].
///
/// # Blocking
/// As [`serve`].
///
/// # Errors
/// SIGHUP is to end the process and to do something else, or the system refused to register a handler or to start the
/// thread.
pub(crate) fn watch(wanted: Watch) -> Result<(), Error> {
    let mut watched = watched();
    Watch {
        end: false,
        end_at_hangup: wanted.end_at_hangup || watched.end_at_hangup,
        reopen: wanted.reopen || watched.reopen,
        reload: wanted.reload || watched.reload,
    }
    .check()?;
    if wanted.end && !watched.end {
        watch_for_the_end(&ENDING).map_err(|error| Error::io("cannot watch for SIGTERM, SIGINT and SIGQUIT", error))?;
        watched.end = true;
    }
    if wanted.end_at_hangup && !watched.end_at_hangup {
        watch_for_the_end(&[SIGHUP]).map_err(|error| Error::io("cannot watch for SIGHUP", error))?;
        watched.end_at_hangup = true;
    }
    RELOADS.fetch_or(wanted.reload, Ordering::Relaxed);
    watched.reload |= wanted.reload;
    if (wanted.reopen || wanted.reload) && !watched.reopen {
        serve("sighup", &[SIGHUP], || {}, |_| shutdown::reopen_all(RELOADS.load(Ordering::Relaxed)))
            .map_err(|error| Error::io("cannot watch for SIGHUP", error))?;
        watched.reopen = true;
    }
    Ok(())
}

fn watch_for_the_end(signals: &[c_int]) -> std::io::Result<()> {
    // The parent process may have set them to be ignored: nohup, a shell's background job.
    let signals: Vec<_> = signals.iter().copied().filter(|signal| !process::is_ignored(*signal)).collect();
    for &signal in &signals {
        match std::process::id() {
            INIT => flag::register_conditional_shutdown(signal, 128 + signal, &AT_ONCE)?,
            _ => flag::register_conditional_default(signal, &AT_ONCE)?,
        };
    }
    serve("signals", &signals, || AT_ONCE.store(false, Ordering::SeqCst), end_by)
}

/// Starts a thread that calls `begin` once, then `act` for each signal.
///
/// # Blocking
/// Waits until the thread runs, at most [`START_TIMEOUT`]: in a forked child, a lock of the standard library may be
/// held forever, and the thread never starts.
fn serve(name: &str, signals: &[c_int], begin: fn(), act: fn(c_int)) -> std::io::Result<()> {
    let arrivals = Arrivals::new(signals)?;
    let (listens, listening) = sync_channel(1);
    let (runs, running) = sync_channel(1);
    let serve = {
        let arrivals = arrivals.clone();
        move || {
            // The handlers come after the thread: a signal that nobody waits for would be lost.
            if listening.recv().is_ok() {
                begin();
                let _ = runs.send(());
                loop {
                    act(arrivals.next());
                }
            }
        }
    };
    process::spawn(format!("spanline-{name}"), serve)?;
    arrivals.listen()?;
    let _ = listens.send(());
    let _ = running.recv_timeout(START_TIMEOUT);
    Ok(())
}

fn end_by(signal: c_int) {
    AT_ONCE.store(true, Ordering::SeqCst);
    shutdown::end_all();
    if std::process::id() == INIT {
        low_level::exit(128 + signal);
    }
    let _ = low_level::emulate_default_handler(signal);
}

/// Called in a forked child, where no thread waits for signals yet.
pub(crate) fn in_child() {
    AT_ONCE.store(true, Ordering::SeqCst);
}

/// Called in a forked child that has begun to log: signals must wait for its lines from now on.
pub(crate) fn watch_in_child() {
    let watched = std::mem::take(&mut *watched());
    if let Err(error) = watch(watched) {
        shutdown::complain("signals", &format!("in the forked process: {error:#}"));
    }
}
