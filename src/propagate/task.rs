//! Starts tokio tasks in the current span and with the current subscriber.
//!
//! tokio itself starts a task outside any span, so its lines lose their request. For a `JoinSet` and the like, use
//! [`Scope::instrument`]: `set.spawn(Scope::current().instrument(future))`.

use std::future::Future;

use tokio::task::JoinHandle;

use super::scope::Scope;

/// Calls `tokio::spawn` in the current span and with the current subscriber.
///
/// # Panics
/// Outside a runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Scope::current().instrument(future))
}

/// Calls `tokio::task::spawn_local` in the current span and with the current subscriber.
///
/// # Panics
/// Outside a `LocalSet`, as `tokio::task::spawn_local` does.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(Scope::current().instrument(future))
}

/// Calls `tokio::task::spawn_blocking` in the current span and with the current subscriber.
///
/// # Panics
/// Outside a runtime, as `tokio::task::spawn_blocking` does.
#[track_caller]
pub fn spawn_blocking<F, T>(run: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(Scope::current().wrap(run))
}
