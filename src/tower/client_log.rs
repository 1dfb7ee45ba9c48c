//! Outgoing requests: a line for each when its response has begun.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Method, Request, Response, StatusCode, Uri};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Level, field};

use super::client::{Client, ClientLayer};
use crate::propagate::Scope;
use crate::values::prefix;

/// The target of the lines of outgoing requests.
const TARGET: &str = "spanline::http::client";

/// A method and a host are cut to this many bytes.
const MAX_SHORT_BYTES: usize = 260;

/// A path is cut to this many bytes.
const MAX_PATH_BYTES: usize = 1024;

/// A [`ClientLayer`] that also logs a line for each request, made by [`ClientLayer::log_requests`].
///
/// The line `request sent` has the target `spanline::http::client`. It has `method`, `host`, `path` (without the query),
/// `status`, `latency_us` until the response's headers, `outcome`, and the `error` of the service. It is in the span that
/// is current when the request is passed to the service. Its level is WARN for 5xx and errors, and for a request that is
/// dropped before its response, else INFO: whether the failed call is an ERROR is for the caller to say.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct LoggedClientLayer {
    client: ClientLayer,
}

impl ClientLayer {
    /// Also logs a line for each request, with its duration and status.
    ///
    /// ```
    /// use spanline::tower::ClientLayer;
    ///
    /// let layer = ClientLayer::new().log_requests();
    /// # let _ = layer;
    /// ```
    pub fn log_requests(self) -> LoggedClientLayer {
        LoggedClientLayer { client: self }
    }
}

impl<S> Layer<S> for LoggedClientLayer {
    type Service = LoggedClient<S>;

    fn layer(&self, inner: S) -> LoggedClient<S> {
        LoggedClient { client: self.client.layer(inner) }
    }
}

/// A client service under a [`LoggedClientLayer`].
#[derive(Clone, Debug)]
pub struct LoggedClient<S> {
    client: Client<S>,
}

impl<S, B, R> Service<Request<B>> for LoggedClient<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LoggedClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.client.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = Call {
            began: Instant::now(),
            scope: Scope::current(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            is_logged: false,
        };
        LoggedClientFuture { inner: self.client.call(request), call }
    }
}

pin_project_lite::pin_project! {
    /// The future of a response from a service under a [`LoggedClientLayer`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct LoggedClientFuture<F> {
        // Dropped first, so that its lines come before the request's line.
        #[pin]
        inner: F,
        call: Call,
    }
}

impl<F, R, E> Future for LoggedClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Display,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(context));
        match &result {
            Ok(response) => this.call.log("completed", Some(response.status()), None),
            Err(error) => this.call.log("service_error", None, Some(error)),
        }
        Poll::Ready(result)
    }
}

/// One outgoing request.
#[derive(Debug)]
struct Call {
    began: Instant,
    scope: Scope,
    method: Method,
    uri: Uri,
    is_logged: bool,
}

impl Call {
    /// Logs the line, once.
    fn log(&mut self, outcome: &str, status: Option<StatusCode>, error: Option<&dyn Display>) {
        if std::mem::replace(&mut self.is_logged, true) {
            return;
        }
        let latency_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        // The URI may have a user's name and password before the host.
        let authority = self.uri.authority().map(|authority| authority.as_str());
        let host = authority.map(|text| text.rsplit_once('@').map_or(text, |(_, host)| host));
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    method = prefix(self.method.as_str(), MAX_SHORT_BYTES),
                    host = host.map(|host| prefix(host, MAX_SHORT_BYTES)),
                    path = prefix(self.uri.path(), MAX_PATH_BYTES),
                    status = status.map(|status| status.as_u16()),
                    latency_us,
                    outcome,
                    error = error.map(field::display),
                    "request sent"
                )
            };
        }
        let has_failed = status.is_none_or(|status| status.is_server_error());
        self.scope.in_scope(|| if has_failed { log!(Level::WARN) } else { log!(Level::INFO) });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.log("cancelled", None, None);
    }
}
