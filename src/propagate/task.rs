//! tokio's tasks with the span and the subscriber of where they are begun.
//!
//! tokio itself begins a task outside any span: what it logs has lost its request. For a `JoinSet` and the like there is
//! [`Scope::instrument`]: `set.spawn(Scope::current().instrument(future))`.

use std::future::Future;

use tokio::task::JoinHandle;

use super::Scope;

/// `tokio::spawn`, in the current span and with the current subscriber.
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

/// `tokio::task::spawn_local`, in the current span and with the current subscriber.
///
/// # Panics
/// Outside a `LocalSet`, as tokio's does.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(Scope::current().instrument(future))
}

/// `tokio::task::spawn_blocking`, in the current span and with the current subscriber.
///
/// # Panics
/// Outside a runtime, as tokio's does.
#[track_caller]
pub fn spawn_blocking<F, T>(run: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(Scope::current().wrap(run))
}
