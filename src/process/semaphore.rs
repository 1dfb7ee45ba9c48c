//! A semaphore that a signal handler may post. It has no descriptor, which the program could close or reuse.

#![expect(unsafe_code, reason = "the C library's semaphores")]

use std::io;

#[cfg(not(target_vendor = "apple"))]
pub(super) use posix::Semaphore;

#[cfg(target_vendor = "apple")]
pub(super) use dispatch::Semaphore;

#[cfg(not(target_vendor = "apple"))]
mod posix {
    use std::cell::UnsafeCell;
    use std::mem::MaybeUninit;

    use super::io;

    /// It stays where it is for the rest of the process: a handler may post it at any time.
    pub(in super::super) struct Semaphore(UnsafeCell<libc::sem_t>);

    // SAFETY: semaphores are made to be shared between threads, and are touched through the C library only.
    unsafe impl Sync for Semaphore {}

    impl Semaphore {
        pub(in super::super) fn new() -> io::Result<&'static Self> {
            // SAFETY: zeros are a valid value of the type.
            let this: &Self =
                Box::leak(Box::new(Self(UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }))));
            // SAFETY: the address stays valid and does not change.
            match unsafe { libc::sem_init(this.0.get(), 0, 0) } {
                0 => Ok(this),
                _ => Err(io::Error::last_os_error()),
            }
        }

        /// Lets one wait return. A signal handler may call it.
        pub(in super::super) fn post(&self) {
            // SAFETY: it was initialized, and is never destroyed.
            unsafe { libc::sem_post(self.0.get()) };
        }

        /// Waits for a post. It may return without one.
        pub(in super::super) fn wait(&self) {
            // SAFETY: as above.
            unsafe { libc::sem_wait(self.0.get()) };
        }
    }
}

/// There, semaphores of POSIX are descriptors.
#[cfg(target_vendor = "apple")]
mod dispatch {
    use std::ffi::c_void;

    use super::io;

    unsafe extern "C" {
        fn dispatch_semaphore_create(value: isize) -> *mut c_void;
        fn dispatch_semaphore_signal(semaphore: *mut c_void) -> isize;
        fn dispatch_semaphore_wait(semaphore: *mut c_void, until: u64) -> isize;
    }

    const FOREVER: u64 = u64::MAX;

    pub(in super::super) struct Semaphore(*mut c_void);

    // SAFETY: semaphores are made to be shared between threads, and are touched through the system's library only.
    unsafe impl Sync for Semaphore {}

    impl Semaphore {
        pub(in super::super) fn new() -> io::Result<&'static Self> {
            // SAFETY: the call has no conditions.
            match unsafe { dispatch_semaphore_create(0) } {
                created if created.is_null() => Err(io::ErrorKind::OutOfMemory.into()),
                created => Ok(Box::leak(Box::new(Self(created)))),
            }
        }

        /// Lets one wait return. Signal handlers call it.
        ///
        /// Apple does not list `dispatch_semaphore_signal` among the functions that are safe in signal handlers. In the
        /// source of libdispatch, it takes no lock and allocates nothing: it adds to a counter and, if a thread waits,
        /// wakes it by a system call.
        pub(in super::super) fn post(&self) {
            // SAFETY: it was created, and is never released. For signal handlers, see above.
            unsafe { dispatch_semaphore_signal(self.0) };
        }

        /// Waits for a post.
        pub(in super::super) fn wait(&self) {
            // SAFETY: as above.
            unsafe { dispatch_semaphore_wait(self.0, FOREVER) };
        }
    }
}
