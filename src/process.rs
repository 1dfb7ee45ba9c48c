//! The process as a whole: its end and its forks. The only file with `unsafe`; what is to be done is decided elsewhere,
//! in safe functions that are called from here.
//!
//! On Unix both are watched. On Windows the end is, when `main` returns; `std::process::exit` asks nobody there. On
//! other platforms nothing is.

#![expect(unsafe_code, reason = "the C library's hooks, and a lock held together with its owner")]

use std::ops::{Deref, DerefMut};
#[cfg(any(unix, windows))]
use std::panic::catch_unwind;
use std::sync::{Arc, MutexGuard, OnceLock};

/// What to do at each turn of the process's life.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "no forks there"))]
pub(crate) struct Hooks {
    pub(crate) at_exit: fn(),
    pub(crate) before_fork: fn(),
    pub(crate) after_fork_in_parent: fn(),
    pub(crate) after_fork_in_child: fn(),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Has the hooks called from now on. Only the first call counts.
pub(crate) fn watch(hooks: Hooks) {
    if HOOKS.set(hooks).is_err() {
        return;
    }
    #[cfg(any(unix, windows))]
    // SAFETY: the functions live as long as the program, or the library that this is part of, which the C library
    // forgets with its handlers when it is unloaded. They have the C calling convention and do not unwind.
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
            // A panic must not unwind into the C library; what it carries is the user's, and its drop might panic again.
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

/// Whether the process ignores a signal.
#[cfg(all(unix, feature = "signals"))]
pub(crate) fn is_ignored(signal: std::ffi::c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, so nothing changes. `action` has room for the present one, and zeros are a valid
    // value of it if it is not filled in.
    let action = unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// A lock that is held, together with what it is part of.
#[derive(Debug)]
pub(crate) struct Held<O: 'static, T: 'static> {
    /// Borrowed from `owner`, so it stands, and is dropped, before that.
    guard: MutexGuard<'static, T>,
    owner: Arc<O>,
}

impl<O, T> Held<O, T> {
    /// Holds the lock that `lock` takes.
    pub(crate) fn new(owner: &Arc<O>, lock: impl FnOnce(&O) -> Option<MutexGuard<'_, T>>) -> Option<Self> {
        let guard = lock(owner)?;
        // SAFETY: `lock` is good for any lifetime, so the guard borrows from nothing but `*owner` (or from what lives
        // for ever). That does not move and lives as long as the `Arc` beside the guard, which is dropped after it; the
        // longer lifetime is handed out nowhere.
        let guard = unsafe { std::mem::transmute::<MutexGuard<'_, T>, MutexGuard<'static, T>>(guard) };
        Some(Self { guard, owner: Arc::clone(owner) })
    }

    pub(crate) fn owner(&self) -> &Arc<O> {
        &self.owner
    }
}

impl<O, T> Deref for Held<O, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<O, T> DerefMut for Held<O, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
