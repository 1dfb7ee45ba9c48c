//! The current span and subscriber, to be taken to other tasks and threads.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::instrument::{Instrument, Instrumented};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Span, dispatcher};
use tracing_subscriber::Registry;

use crate::layer::Layer;

/// A span with its context, and the subscriber if that is set for a scope.
///
/// Many threads can use it at once by reference, for example those of `rayon`.
///
/// # Examples
/// ```
/// use spanline::propagate::Scope;
/// use tracing::info;
///
/// let scope = Scope::current();
/// std::thread::scope(|threads| {
///     for part in 0..4 {
///         let scope = &scope;
///         threads.spawn(move || scope.in_scope(|| info!(part, "in the span of the starting thread")));
///     }
/// });
/// ```
#[derive(Clone)]
#[must_use = "a scope does nothing until `in_scope`, `wrap` or `instrument` is called"]
pub struct Scope {
    span: Span,
    dispatch: Dispatch,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("span", &self.span).finish_non_exhaustive()
    }
}

/// Takes the current span and subscriber into a closure for another thread.
///
/// # Examples
/// ```
/// let worker = std::thread::spawn(spanline::propagate::carry(|| tracing::info!("in the span of the starting thread")));
/// # worker.join().unwrap();
/// ```
#[must_use = "the closure does nothing until it is called"]
pub fn carry<T>(run: impl FnOnce() -> T) -> impl FnOnce() -> T {
    Scope::current().wrap(run)
}

impl Scope {
    /// Returns the current span and subscriber of this thread.
    pub fn current() -> Self {
        Self::of(Span::current())
    }

    /// Returns a span with the subscriber of this thread.
    pub fn of(span: Span) -> Self {
        Self { span, dispatch: dispatcher::get_default(Dispatch::clone) }
    }

    /// Returns the span.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs `run` in the scope.
    pub fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
        with_subscriber(&self.dispatch, || self.span.in_scope(run))
    }

    /// Returns a closure that runs in the scope on any thread.
    #[must_use = "the closure does nothing until it is called"]
    pub fn wrap<T>(self, run: impl FnOnce() -> T) -> impl FnOnce() -> T {
        move || self.in_scope(run)
    }

    /// Returns a future that runs in the scope on any thread.
    pub fn instrument<F>(self, future: F) -> InScope<F> {
        InScope { future: future.instrument(self.span), dispatch: self.dispatch }
    }
}

/// Runs `run` with a subscriber.
///
/// If the thread already has that one, it sets none: setting a subscriber for a scope permanently slows down every look-up
/// of the current one in the process.
fn with_subscriber<T>(dispatch: &Dispatch, run: impl FnOnce() -> T) -> T {
    let identity = |dispatch: &Dispatch| {
        let layer = dispatch.downcast_ref::<Layer>().map(|layer| std::ptr::from_ref(layer) as usize);
        layer.or_else(|| dispatch.downcast_ref::<Registry>().map(|registry| std::ptr::from_ref(registry) as usize))
    };
    let own = identity(dispatch);
    if dispatch.is::<NoSubscriber>() || own.is_some() && own == dispatcher::get_default(identity) {
        return run();
    }
    dispatcher::with_default(dispatch, run)
}

pin_project_lite::pin_project! {
    /// A future that runs in a [`Scope`] on any thread.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InScope<F> {
        #[pin]
        future: Instrumented<F>,
        dispatch: Dispatch,
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        with_subscriber(this.dispatch, || this.future.poll(context))
    }
}
