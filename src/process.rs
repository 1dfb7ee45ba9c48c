//! The process as a whole: its end, its forks and its signals. The only file with `unsafe`. Safe functions elsewhere
//! decide what happens; this file calls them.
//!
//! On Unix, it watches the end and forks. On Windows, it watches the end, when `main` returns; `std::process::exit`
//! calls nothing there. On other platforms, it watches nothing.

#![expect(unsafe_code, reason = "the C library's hooks and signals, and a lock that is held together with its owner")]

#[cfg(unix)]
use std::ffi::c_int;
use std::io;
#[cfg(any(unix, windows))]
use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};

/// What to do at each event in the process's life.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "no forks there"))]
pub(crate) struct Hooks {
    pub(crate) at_exit: fn(),
    pub(crate) before_fork: fn(),
    pub(crate) after_fork_in_parent: fn(),
    pub(crate) after_fork_in_child: fn(),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Installs the hooks. Only the first call counts.
pub(crate) fn watch(hooks: Hooks) {
    if HOOKS.set(hooks).is_err() {
        return;
    }
    #[cfg(any(unix, windows))]
    // SAFETY: the functions live as long as the program, or as the library that this is part of. When that is unloaded,
    // the C library forgets its handlers. They have the C calling convention and do not unwind.
    unsafe {
        libc::atexit(at_exit);
    }
    #[cfg(unix)]
    // SAFETY: as above.
    unsafe {
        libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child));
    }
}

macro_rules! callbacks {
    ($($(#[$condition:meta])* $name:ident)*) => {
        $($(#[$condition])* extern "C" fn $name() {
            // A panic must not unwind into the C library. Its payload belongs to the user, and dropping it might panic.
            let result = HOOKS.get().map_or(Ok(()), |hooks| catch_unwind(hooks.$name));
            result.unwrap_or_else(std::mem::forget);
        })*
    };
}

callbacks! {
    #[cfg(any(unix, windows))] at_exit
    #[cfg(unix)] before_fork
    #[cfg(unix)] after_fork_in_parent
    #[cfg(unix)] after_fork_in_child
}

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

/// Signals that this thread does not take until this is dropped.
#[cfg(unix)]
struct Blocked {
    before: libc::sigset_t,
    /// Signals of writes, none of which waited for this thread before.
    discarded: Vec<c_int>,
}

/// Signals of a thread's own faults. Blocked, they would end the process without a word.
#[cfg(unix)]
const FAULTS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS, libc::SIGPROF];

#[cfg(unix)]
const WRITE_SIGNALS: [c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

#[cfg(unix)]
impl Blocked {
    fn all_but_faults() -> Self {
        let mut set = signal_set(&[]);
        // SAFETY: `set` is initialized, and the calls write only to it. A number that is no signal is refused.
        unsafe {
            libc::sigfillset(&raw mut set);
            for signal in FAULTS {
                libc::sigdelset(&raw mut set, signal);
            }
        }
        Self { before: block(&set), discarded: Vec::new() }
    }

    fn write_signals() -> Self {
        let before = block(&signal_set(&WRITE_SIGNALS));
        let pending = pending_signals();
        let discarded = WRITE_SIGNALS.into_iter().filter(|signal| !is_member(&pending, *signal)).collect();
        Self { before, discarded }
    }
}

#[cfg(unix)]
impl Drop for Blocked {
    fn drop(&mut self) {
        let pending = if self.discarded.is_empty() { None } else { Some(pending_signals()) };
        for signal in self.discarded.iter().filter(|signal| pending.is_some_and(|set| is_member(&set, **signal))) {
            take_pending(&signal_set(&[*signal]));
        }
        // SAFETY: `before` is what the same function gave. No old mask is asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

#[cfg(unix)]
fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::zeroed();
    // SAFETY: `sigemptyset` initializes the set, whose zeros are a valid value besides. `sigaddset` writes only to it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Blocks signals on this thread. Returns which were blocked before.
#[cfg(unix)]
fn block(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = signal_set(&[]);
    // SAFETY: both sets are initialized, and the call writes only to `before`.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, &raw mut before) };
    before
}

#[cfg(unix)]
fn pending_signals() -> libc::sigset_t {
    let mut pending = signal_set(&[]);
    // SAFETY: `pending` is initialized, and the call writes only to it.
    unsafe { libc::sigpending(&raw mut pending) };
    pending
}

#[cfg(unix)]
fn is_member(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: the set is initialized. A number that is no signal is refused.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Takes a pending signal, so that it does not arrive.
#[cfg(unix)]
fn take_pending(signals: &libc::sigset_t) {
    // SAFETY: the set and the time are initialized, and nothing is written: no information about the signal is asked for.
    #[cfg(target_os = "linux")]
    unsafe {
        let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const no_time);
    }
    // SAFETY: the set is initialized, and the call writes only to `signal`. The signal is pending for this thread.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        let mut signal = 0;
        libc::sigwait(signals, &raw mut signal);
    }
}

/// Whether the process ignores a signal.
#[cfg(all(unix, feature = "signals"))]
pub(crate) fn is_ignored(signal: c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, so nothing changes. `action` has room for the present one. If the call does not
    // fill it in, its zeros are a valid value.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Held locks, together with the owner that they borrow from.
pub(crate) struct Held<O: ?Sized + 'static> {
    /// Borrows from `owner`, so it stands before it and is dropped before it.
    locks: Box<dyn FnMut() + 'static>,
    owner: Arc<O>,
}

impl<O: ?Sized> Held<O> {
    /// Takes the locks of `owner`. The closure that `hold` returns keeps them.
    pub(crate) fn new(owner: Arc<O>, hold: impl for<'a> FnOnce(&'a O) -> Box<dyn FnMut() + 'a>) -> Self {
        let locks = hold(&owner);
        // SAFETY: `hold` accepts any lifetime, so what it returns borrows only from `*owner`, or from what is `'static`.
        // `*owner` does not move. It lives as long as the `Arc` beside `locks`, which is dropped after them.
        // The longer lifetime is handed out nowhere.
        let locks = unsafe { std::mem::transmute::<Box<dyn FnMut() + '_>, Box<dyn FnMut() + 'static>>(locks) };
        Self { locks, owner }
    }

    /// Calls the closure that keeps the locks.
    pub(crate) fn call(&mut self) {
        (self.locks)();
    }

    /// Releases the locks and returns their owner.
    pub(crate) fn release(self) -> Arc<O> {
        let Self { locks, owner } = self;
        drop(locks);
        owner
    }
}
