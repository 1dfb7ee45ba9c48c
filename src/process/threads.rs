//! The log's threads, and its writes on threads of the program.

use std::io;

#[cfg(unix)]
use super::signals::Blocked;

/// Starts a thread of the log. It takes none of the program's signals: a program may wait for them with `sigwait`, or have
/// chosen the thread that takes them.
///
/// # Errors
/// The system starts no thread.
#[expect(clippy::disallowed_methods, reason = "the one place that starts threads")]
pub(crate) fn spawn(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // The thread inherits the mask, so no signal reaches it as it starts.
    #[cfg(unix)]
    let _blocked = Blocked::all_but_faults();
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// Runs `write` on a thread of the program. A signal that a write sends to its thread, because the reader is gone or the
/// file may not grow, does not arrive: the error says the same.
pub(crate) fn without_write_signals<T>(write: impl FnOnce() -> T) -> T {
    #[cfg(unix)]
    let _blocked = Blocked::write_signals();
    write()
}
