//! Signals: threads that take none, writes that send none, and which are ignored.

#![expect(unsafe_code, reason = "the C library's signals")]

use std::ffi::c_int;
use std::mem::MaybeUninit;

/// Signals that this thread does not take until this is dropped.
pub(super) struct Blocked {
    before: libc::sigset_t,
    /// Signals of writes, none of which waited for this thread before.
    discarded: Vec<c_int>,
}

/// Signals of a thread's own faults. Blocked, they would end the process without a word.
const FAULTS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS, libc::SIGPROF];

const WRITE_SIGNALS: [c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

impl Blocked {
    pub(super) fn all_but_faults() -> Self {
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

    pub(super) fn write_signals() -> Self {
        let before = block(&signal_set(&WRITE_SIGNALS));
        let pending = pending_signals();
        let discarded = WRITE_SIGNALS.into_iter().filter(|signal| !is_member(&pending, *signal)).collect();
        Self { before, discarded }
    }
}

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

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
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
fn block(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = signal_set(&[]);
    // SAFETY: both sets are initialized, and the call writes only to `before`.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, &raw mut before) };
    before
}

fn pending_signals() -> libc::sigset_t {
    let mut pending = signal_set(&[]);
    // SAFETY: `pending` is initialized, and the call writes only to it.
    unsafe { libc::sigpending(&raw mut pending) };
    pending
}

fn is_member(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: the set is initialized. A number that is no signal is refused.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Takes a pending signal, so that it does not arrive.
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
#[cfg(feature = "signals")]
pub(crate) fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, so nothing changes. `action` has room for the present one. If the call does not
    // fill it in, its zeros are a valid value.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
