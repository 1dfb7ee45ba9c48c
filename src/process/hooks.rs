//! The end of the process, its forks, and locks that are held over a fork.
//!
//! On Unix, this watches the end and forks. On Windows, this watches the end, when `main` returns; `std::process::exit`
//! calls nothing there. On other platforms, this watches nothing.

#![expect(unsafe_code, reason = "the C library's hooks, and a lock that is held together with its owner")]

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
