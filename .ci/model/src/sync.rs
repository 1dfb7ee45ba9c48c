//! Locks whose order shuttle chooses, and a clock that only waiting moves.
//!
//! A wait with a timeout may end at any time: other threads run, then the thread looks again, and the clock has moved by
//! the timeout. A wait without a timeout needs a signal, so a forgotten wake-up is a deadlock, which shuttle finds.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    inner: shuttle::sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    MutexGuard { mutex, inner: mutex.0.lock().unwrap() }
}

pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    mutex.0.try_lock().map(|inner| MutexGuard { mutex, inner }).ok()
}

#[derive(Debug)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

pub(crate) fn wait<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    let MutexGuard { mutex, inner } = guard;
    MutexGuard { mutex, inner: signal.0.wait(inner).unwrap() }
}

pub(crate) fn wait_timeout<'a, T>(_: &Condvar, guard: MutexGuard<'a, T>, longest: Duration) -> MutexGuard<'a, T> {
    let mutex = guard.mutex;
    drop(guard);
    pass(longest.min(LONGEST_STEP));
    shuttle::thread::yield_now();
    lock(mutex)
}

pub(crate) fn wait_timeout_while<'a, T>(
    signal: &Condvar,
    mut guard: MutexGuard<'a, T>,
    longest: Duration,
    mut condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    let begun = Instant::now();
    while condition(&mut guard) && begun.elapsed() < longest {
        guard = wait_timeout(signal, guard, longest - begun.elapsed());
    }
    guard
}

/// The longest that one wait moves the clock, so that a long timeout is not over after one look.
const LONGEST_STEP: Duration = Duration::from_millis(10);

thread_local! {
    static CLOCK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Moves the clock, although no thread waits.
pub(crate) fn pass(time: Duration) {
    CLOCK.set(CLOCK.get() + time);
}

/// Sets the clock to zero, for a new schedule.
pub(crate) fn reset_clock() {
    CLOCK.set(Duration::ZERO);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(CLOCK.get())
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    pub(crate) fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    Instant(start.0 + duration.min(Duration::from_secs(365 * 24 * 60 * 60)))
}
