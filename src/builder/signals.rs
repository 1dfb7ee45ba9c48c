//! Signals, for who asked for it: those that end the process are answered when the log is written, SIGHUP by opening
//! files anew.
//!
//! A signal handler may hardly do anything, so a thread waits for the signals. They are registered beside whatever
//! else is (tokio's, for example), through the same crate as tokio does it.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use super::end;
use crate::error::Error;
use crate::process;
use crate::sync;

/// The signals that ask a program to end; each does so by default.
const ENDING: [c_int; 3] = [SIGTERM, SIGINT, SIGQUIT];

/// The first process of a container: signals have no default action there.
const INIT: u32 = 1;

/// A thread that does not run after this will hardly ever do.
const START: Duration = Duration::from_millis(100);

/// One of [`ENDING`] has come: the next ends the process at once. Also in a forked child as long as no thread waits for
/// signals there.
static AT_ONCE: AtomicBool = AtomicBool::new(false);

/// What is watched for in this process.
static WATCHED: Mutex<Wanted> = Mutex::new(Wanted { end: false, reopen: false });

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) end: bool,
    pub(super) reopen: bool,
}

fn watched() -> MutexGuard<'static, Wanted> {
    sync::lock(&WATCHED)
}

/// Watches for signals; those that are watched for already stay so.
pub(super) fn watch(wanted: Wanted) -> Result<(), Error> {
    let mut watched = watched();
    if wanted.end && !watched.end {
        watch_for_the_end().map_err(|error| Error::io("handle signals", error))?;
        watched.end = true;
    }
    if wanted.reopen && !watched.reopen {
        serve("sighup", &[SIGHUP], || {}, |_| end::reopen_all()).map_err(|error| Error::io("handle SIGHUP", error))?;
        watched.reopen = true;
    }
    Ok(())
}

fn watch_for_the_end() -> std::io::Result<()> {
    // Whoever started the program may have wanted it to ignore them: nohup, a shell's background job.
    let signals: Vec<_> = ENDING.into_iter().filter(|signal| !process::is_ignored(*signal)).collect();
    for &signal in &signals {
        match std::process::id() {
            INIT => flag::register_conditional_shutdown(signal, 128 + signal, &AT_ONCE)?,
            _ => flag::register_conditional_default(signal, &AT_ONCE)?,
        };
    }
    serve("signals", &signals, || AT_ONCE.store(false, Ordering::SeqCst), end_by)
}

/// Starts a thread that does `act` for each signal, once it has begun.
///
/// # Blocking
/// Until the thread runs. In a forked child it may never do that, as a lock of the standard library's may be held for
/// ever there, so it is not waited for longer than [`START`].
#[expect(clippy::disallowed_methods, reason = "waits for signals")]
fn serve(name: &str, signals: &[c_int], begin: fn(), act: fn(c_int)) -> std::io::Result<()> {
    let mut signals = Signals::new(signals)?;
    let (runs, running) = sync_channel(1);
    let serve = move || {
        begin();
        let _ = runs.send(());
        signals.forever().for_each(act);
    };
    std::thread::Builder::new().name(format!("spanline-{name}")).spawn(serve)?;
    let _ = running.recv_timeout(START);
    Ok(())
}

fn end_by(signal: c_int) {
    AT_ONCE.store(true, Ordering::SeqCst);
    end::end_all();
    if std::process::id() == INIT {
        low_level::exit(128 + signal);
    }
    let _ = low_level::emulate_default_handler(signal);
}

/// In a forked child: nobody waits for signals there yet.
pub(super) fn in_child() {
    AT_ONCE.store(true, Ordering::SeqCst);
}

/// In a forked child that logs: lines are waiting, so signals have to wait for them.
pub(super) fn watch_in_child() {
    let watched = std::mem::take(&mut *watched());
    if let Err(error) = watch(watched) {
        end::complain("signals", &format!("in the forked process: {error}"));
    }
}
