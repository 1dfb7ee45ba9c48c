//! Locks and the clock: the only place that calls `lock` and `wait`.
//!
//! A panic while a lock is held does not make the log unusable, so these functions ignore poisoning. What a lock guards
//! stays consistent: no user code runs under it, or its user is told that a call panicked.
//!
//! `.ci/model` builds the queue with its own version of this module, which tries out thread schedules.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use std::time::Instant;

use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

/// Takes a lock.
///
/// # Blocking
/// Until it is free.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock if it is free.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Takes a lock for reading.
///
/// # Blocking
/// While another thread writes.
#[inline]
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock for writing.
///
/// # Blocking
/// While another thread reads or writes.
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a signal. It may return without one.
///
/// # Blocking
/// Until the signal comes.
pub(crate) fn wait<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    signal.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a signal, for `longest` at most. It may return earlier without one.
///
/// # Blocking
/// For `longest` at most.
pub(crate) fn wait_timeout<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>, longest: Duration) -> MutexGuard<'a, T> {
    signal.wait_timeout(guard, longest).unwrap_or_else(PoisonError::into_inner).0
}

/// Waits while `condition` holds, for `longest` at most.
///
/// # Blocking
/// For `longest` at most.
pub(crate) fn wait_timeout_while<'a, T>(
    signal: &Condvar,
    guard: MutexGuard<'a, T>,
    longest: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    signal.wait_timeout_while(guard, longest, condition).unwrap_or_else(PoisonError::into_inner).0
}

/// Returns `start + duration`. A duration that an instant cannot hold becomes one year.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    start.checked_add(duration.min(YEAR)).unwrap_or(start)
}
