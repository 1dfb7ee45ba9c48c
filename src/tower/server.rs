//! Requests from outside: a span for each, and a line when it is over.

use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, Request, Response, request, response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::LoggedBody;
use super::exchange::{Exchange, Finished};
use super::future::ResponseFuture;
use super::hooks::{Fields, Hooks};

/// Gives each request a span, with its ids, and a line when it is over.
///
/// The span is called `request`, of the target `spanline::http` and the level INFO, and the outermost: it continues the
/// trace of the caller's `traceparent` and `tracestate`, else begins one. It has the fields `request_id`, `method` and
/// `route`. The request id is the caller's `x-request-id`, if that is short and plain, else a new one; the response
/// carries it too. The ids are handed down whatever the filters say of `spanline::http`: it is the line they hide.
///
/// The line `request finished` has `status`, `latency_us`, `path` (without the query), `request_bytes`,
/// `response_bytes`, the `grpc_status` if there is one, and the [`outcome`](super::Outcome); its level is ERROR for 5xx,
/// failures and panics, WARN for 4xx and whatever ended early, else INFO. What was wrong with the caller's headers is in
/// `traceparent_rejected`, `tracestate_rejected` and `request_id_rejected`. A request is over when its response's body
/// is, or was dropped. `request_bytes` are those read where the body is axum's (with the feature `axum`), else those declared.
///
/// # Examples
/// ```
/// use spanline::tower::ServerLayer;
///
/// ServerLayer::new()
///     .request_id_header(http::HeaderName::from_static("x-correlation-id"))
///     .on_request(|request, fields| {
///         if let Some(Ok(tenant)) = request.headers.get("x-tenant").map(|tenant| tenant.to_str()) {
///             fields.add("tenant", tenant);
///         }
///     })
///     .on_response(|response, fields| fields.add("cached", response.headers.contains_key("age")))
///     .log_when(|finished| finished.path() != "/healthz" || finished.status().is_none_or(|status| !status.is_success()));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ServerLayer {
    hooks: Arc<Hooks>,
}

impl ServerLayer {
    /// A layer that logs every request.
    pub fn new() -> Self {
        Self::default()
    }

    /// The header with the request's id, in requests and responses: `x-request-id` unless set.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.hooks).request_id = name;
        self
    }

    /// Says which route a request was matched to, for the field `route`: something of which there are few, not the path.
    /// With the feature `axum` that is known where the layer is put on a `Router` by its `layer`.
    pub fn route(mut self, hook: impl Fn(&request::Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).route = Some(Arc::new(hook));
        self
    }

    /// Adds fields to the request's span: to every line below.
    pub fn on_request(mut self, hook: impl Fn(&request::Parts, &mut Fields) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).on_request = Some(Arc::new(hook));
        self
    }

    /// Adds fields to the request's line, by its response.
    pub fn on_response(mut self, hook: impl Fn(&response::Parts, &mut Fields) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).on_response = Some(Arc::new(hook));
        self
    }

    /// Chooses which requests have a line. All have a span.
    pub fn log_when(mut self, hook: impl Fn(&Finished<'_>) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).log_when = Some(Arc::new(hook));
        self
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, hooks: Arc::clone(&self.hooks) }
    }
}

/// A server's service under a [`ServerLayer`].
#[derive(Clone, Debug)]
pub struct Server<S> {
    inner: S,
    hooks: Arc<Hooks>,
}

impl<S, B, R> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
    B: Body + 'static,
    R: Body,
    R::Error: Display,
{
    type Response = Response<LoggedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut exchange, request) = Exchange::begin(&self.hooks, request);
        let future = exchange.run(|| self.inner.call(request));
        ResponseFuture::new(future, exchange)
    }
}
