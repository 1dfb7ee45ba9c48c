//! Locks whose order shuttle chooses, and a clock that only waiting moves.
//!
//! A wait that has an end may end at any time: others run, then the thread looks again, and the clock has moved by what
//! it was ready to wait. A wait without end needs to be woken: a wake-up that is forgotten is a deadlock, which is found.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use std::sync::LockResult;
pub(crate) use std::sync::PoisonError;

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

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        Ok(MutexGuard { mutex: self, inner: self.0.lock().unwrap() })
    }

    pub(crate) fn try_lock(&self) -> Result<MutexGuard<'_, T>, ()> {
        self.0.try_lock().map(|inner| MutexGuard { mutex: self, inner }).map_err(drop)
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

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { mutex, inner } = guard;
        Ok(MutexGuard { mutex, inner: self.0.wait(inner).unwrap() })
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        longest: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let mutex = guard.mutex;
        drop(guard);
        CLOCK.set(CLOCK.get() + longest.min(LONGEST_STEP));
        shuttle::thread::yield_now();
        Ok((mutex.lock().unwrap(), true))
    }

    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        longest: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let begun = Instant::now();
        while condition(&mut guard) && begun.elapsed() < longest {
            (guard, _) = self.wait_timeout(guard, longest - begun.elapsed())?;
        }
        Ok((guard, true))
    }
}

/// A long wait need not end because one look was in vain.
const LONGEST_STEP: Duration = Duration::from_millis(10);

thread_local! {
    static CLOCK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Time passes, without anybody waiting for it.
pub(crate) fn pass(time: Duration) {
    CLOCK.set(CLOCK.get() + time);
}

pub(crate) fn begin_anew() {
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

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub(crate) fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
