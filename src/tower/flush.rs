//! Flushes at the end of each call, for environments that freeze the process between two.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use crate::control::Handle;

/// A layer that flushes the log when a call has ended, before its response goes on.
///
/// It is for environments such as AWS Lambda, which freeze the process once a response is sent. Without it, the lines of
/// the last moments stay in memory. They are written when the process goes on, and lost if it never does.
///
/// It must be the outermost layer, around whatever reads the response's body, so that the request's line is flushed too.
/// The service may have any type of request, such as `LambdaEvent`.
///
/// # Blocking
/// The flush blocks the thread, at most `max_wait`. Such environments handle one call at a time.
///
/// ```
/// use std::time::Duration;
///
/// use spanline::tower::FlushLayer;
///
/// # fn layer(guard: &spanline::Guard) {
/// let layer = FlushLayer::new(guard.handle(), Duration::from_millis(500));
/// # let _ = layer;
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct FlushLayer {
    handle: Handle,
    max_wait: Duration,
}

impl FlushLayer {
    /// Makes a layer that waits at most `max_wait` for the outputs of a log.
    pub fn new(handle: Handle, max_wait: Duration) -> Self {
        Self { handle, max_wait }
    }
}

impl<S> Layer<S> for FlushLayer {
    type Service = Flushed<S>;

    fn layer(&self, inner: S) -> Flushed<S> {
        Flushed { inner, layer: self.clone() }
    }
}

/// A service under a [`FlushLayer`].
#[derive(Clone, Debug)]
pub struct Flushed<S> {
    inner: S,
    layer: FlushLayer,
}

impl<S, R> Service<R> for Flushed<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FlushedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // It exists before the service runs: a panic in there is flushed too.
        let end = FlushAtEnd { layer: self.layer.clone(), is_flushed: false };
        FlushedFuture { inner: Some(self.inner.call(request)), end }
    }
}

pin_project_lite::pin_project! {
    /// The future of a response from a service under a [`FlushLayer`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct FlushedFuture<F> {
        // Dropped first, so that its lines are flushed.
        #[pin]
        inner: Option<F>,
        end: FlushAtEnd,
    }
}

impl<F: Future> Future for FlushedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        let output = ready!(inner.poll(context));
        // Its drop may log: spans that close, guards of the handler.
        this.inner.set(None);
        this.end.flush();
        Poll::Ready(output)
    }
}

/// Flushes when a call ends by being dropped: cancelled, or with a panic.
#[derive(Debug)]
struct FlushAtEnd {
    layer: FlushLayer,
    is_flushed: bool,
}

impl FlushAtEnd {
    /// Flushes, once.
    fn flush(&mut self) {
        if !std::mem::replace(&mut self.is_flushed, true) {
            // An output that fails has reported so itself, and the response must go on.
            let _ = self.layer.handle.flush(self.layer.max_wait);
        }
    }
}

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        self.flush();
    }
}
