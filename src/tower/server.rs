//! Incoming requests: a span for each, and a line when it has finished.

use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request, Response, request, response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Level, Span};

use super::body::LoggedBody;
use super::detail::{Detail, DetailHeader};
use super::exchange::Exchange;
use super::finished::Finished;
use super::future::ResponseFuture;
use super::hooks::{Fields, Hooks};
use super::received::RequestBytes;
use crate::propagate::Format;

/// A layer that gives each request a span with its ids, and logs a line when it has finished.
///
/// The span `request` has the target `spanline::http`, the level INFO, and the fields `request_id`, `method` and `route`. It
/// is an outermost span: it continues the trace of the caller's `traceparent` and `tracestate`, or begins one. The request
/// id is the caller's `x-request-id` if that is short and plain, else a new one. The response carries it too. Filters for
/// `spanline::http` hide only the line; the ids are always passed on.
///
/// The line `request finished` has `status`, `latency_us`, `path` (without the query), `request_bytes`, `response_bytes`,
/// `grpc_status` and `grpc_message` if there are any, and the [`outcome`](super::Outcome). Its level is ERROR for 5xx,
/// failures and panics, WARN for 4xx and requests that ended early, else INFO; [`level`](Self::level) sets another. The
/// [`ResponseError`](super::ResponseError) that the handler passes on is its `error`. It also has `http_version`, and if the request names them, `scheme`,
/// `host` with its port, and `user_agent`, cut to 256 bytes. `traceparent_rejected`, `tracestate_rejected` and
/// `request_id_rejected` tell what was wrong with the caller's headers; `trace_header_rejected` does for other
/// [`formats`](Self::formats).
///
/// A request finishes when its response's body ends or is dropped. `request_bytes` counts the bytes read if the body has
/// axum's type (feature `axum`); otherwise it is the declared size.
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
    /// Makes a layer that logs every request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the span of a request, for servers that are not made of `tower` services. The layer's settings apply.
    ///
    /// The size of the request's body is the one that the headers declare.
    pub fn begin(&self, head: &mut request::Parts) -> Exchange {
        let bytes = RequestBytes::declared(head);
        Exchange::begin(&self.hooks, head, bytes)
    }

    /// Sets the header with the request's id, in requests and responses; `x-request-id` by default.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.hooks).request_id = name;
        self
    }

    /// Sets the formats of the caller's trace headers; [`Format::W3c`] by default. The first one that names a trace counts.
    ///
    /// ```
    /// use spanline::propagate::Format;
    /// use spanline::tower::ServerLayer;
    ///
    /// ServerLayer::new().formats([Format::W3c, Format::B3, Format::Datadog]);
    /// ```
    pub fn formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        Arc::make_mut(&mut self.hooks).formats = formats.into_iter().collect();
        self
    }

    /// Makes these members of the caller's W3C `baggage` fields of the request; none by default.
    ///
    /// The values are decoded and cut to 256 bytes. Malformed baggage is ignored, and `baggage_rejected` in the line says
    /// why. [`ClientLayer::baggage`](super::ClientLayer::baggage) sends them on.
    pub fn baggage(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Arc::make_mut(&mut self.hooks).baggage = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a hook that tells whose ids are continued; by default, everyone's are.
    ///
    /// A request that is not trusted gets its own trace and request id, and no baggage. The caller's ids are fields of its line:
    /// `upstream_request_id`, `upstream_trace_id` and `upstream_span_id`.
    ///
    /// ```
    /// use spanline::tower::ServerLayer;
    ///
    /// ServerLayer::new().trust_when(|_| false); // at the edge, where anyone can call
    /// ```
    pub fn trust_when(mut self, hook: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).trust_when = Some(Arc::new(hook));
        self
    }

    /// Sets a header by which a caller asks for more lines about its request; none by default.
    ///
    /// `check` gets the header's value, and grants [`Detail`] or nothing. Inside the request's span and all spans and tasks
    /// below it, events and spans of that level are then logged as if the [global filter](crate::Builder::filter) let them
    /// pass; an output's own filter stays. Other requests are unchanged. A value that is refused, a second value, and a
    /// check that panics change nothing. The value is not logged, and is marked as sensitive in the request's headers.
    ///
    /// The first grant of a level makes the call sites up to that level ask, from then on, whether they are inside such a
    /// request. Until then, the setting costs nothing.
    ///
    /// ```
    /// use http::HeaderName;
    /// use spanline::tower::{Detail, ServerLayer};
    ///
    /// # fn layer(secret: String) -> Result<ServerLayer, spanline::Error> {
    /// let detail = Detail::new("debug,hyper=info")?;
    /// let layer = ServerLayer::new().detail_header(HeaderName::from_static("x-log-detail"), move |value, _request| {
    ///     (!secret.is_empty() && value == &secret).then(|| detail.clone())
    /// });
    /// # Ok(layer)
    /// # }
    /// ```
    pub fn detail_header(
        mut self,
        name: HeaderName,
        check: impl Fn(&HeaderValue, &request::Parts) -> Option<Detail> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.hooks).detail = Some(DetailHeader::new(name, check));
        self
    }

    /// Sets a header of responses that carries the trace's id; none by default.
    pub fn trace_id_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.hooks).trace_id = Some(name);
        self
    }

    /// Sets a hook that returns the matched route of a request, for the field `route`.
    ///
    /// A route should have few distinct values, so it is not the path. With the feature `axum`, the route is known by
    /// default if the layer is added by `Router::layer`.
    pub fn route(mut self, hook: impl Fn(&request::Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).route = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that adds fields to the request's span, and so to every line below it.
    pub fn on_request(mut self, hook: impl Fn(&request::Parts, &mut Fields) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).on_request = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that opens a span inside the request's span. The service runs in it, and the request's line is logged
    /// in it.
    ///
    /// The handler's `Span::current()` is this span, so what it records on a declared field is in the request's line. A
    /// field that no span declares is set by [`set_request_variable`](super::set_request_variable).
    ///
    /// ```
    /// use spanline::tower::ServerLayer;
    /// use tracing::field::Empty;
    ///
    /// ServerLayer::new().span(|_| tracing::info_span!("order", order = Empty));
    ///
    /// async fn handler() {
    ///     tracing::Span::current().record("order", 7);
    /// }
    /// ```
    pub fn span(mut self, hook: impl Fn(&request::Parts) -> Span + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).span = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that adds fields to the request's line when there is a response.
    pub fn on_response(mut self, hook: impl Fn(&response::Parts, &mut Fields) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).on_response = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that returns the level of a request's line. [`Finished::level`] is the default.
    ///
    /// ```
    /// use spanline::tower::ServerLayer;
    /// use tracing::Level;
    ///
    /// ServerLayer::new().level(|finished| match finished.status().map(|status| status.as_u16()) {
    ///     Some(404) => Level::INFO,
    ///     _ if finished.path() == "/healthz" => Level::DEBUG,
    ///     _ => finished.level(),
    /// });
    /// ```
    pub fn level(mut self, hook: impl Fn(&Finished<'_>) -> Level + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.hooks).level = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that decides which requests log a line. Every request has a span.
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

/// A server service under a [`ServerLayer`].
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
        let (mut head, mut body) = request.into_parts();
        let mut exchange = Exchange::begin(&self.hooks, &mut head, RequestBytes::of(&mut body));
        let future = exchange.run(|| self.inner.call(Request::from_parts(head, body)));
        ResponseFuture::new(future, exchange)
    }
}
