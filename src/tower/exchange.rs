//! One request and its response, from the first header to the last byte, and the line about both.
//!
//! The owner of an exchange finishes it. If it is dropped before that, something went wrong, and its state tells what. So
//! there is a line in every case.

use std::fmt::{self, Display};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Response, request, response};
use http_body::Body;
use tracing::instrument::Instrument;
use tracing::{Level, Span, field};

use super::body::LoggedBody;
use super::finished::Finished;
use super::hooks::{Hooks, NO_VARIABLES};
#[cfg(feature = "opentelemetry")]
use super::otel;
use super::outcome::Outcome;
use super::received::{ReceivedRequest, RequestBytes};
use super::reported::Reported;
use super::request_head::RequestHead;
use super::sent::SentResponse;
use crate::context::new_request_id;
use crate::layer::complain_of_hidden_request;
use crate::propagate::{Incoming, Outside, Scope, TraceContext, Variables, context};
use crate::record::{REQUESTS, add_undeclared};
use crate::values::prefix;

/// A method is cut to this many bytes; the usual ones are far shorter.
const MAX_METHOD_BYTES: usize = 32;

/// One request and its response, for servers that are not made of `tower` services.
///
/// [`ServerLayer::begin`](super::ServerLayer::begin) opens its span. [`handle`](Self::handle) runs the handler in it.
/// [`respond`](Self::respond) takes the response and adds the ids to its headers, and [`finish`](Self::finish) logs the
/// request's line. An exchange that is dropped without `finish` logs its line too: `cancelled` without a response,
/// `panicked` if the handler has panicked, `completed` if all bytes that the response declares were added, else `aborted`.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use spanline::tower::{Outcome, ServerLayer};
///
/// # async fn handler() -> String { String::new() }
/// async fn serve(layer: &ServerLayer, request: Request<String>) -> Response<String> {
///     let (mut head, _body) = request.into_parts();
///     let mut exchange = layer.begin(&mut head);
///     let text = exchange.handle(handler()).await;
///     let (mut head, text) = Response::new(text).into_parts();
///     exchange.respond(&mut head, Some(text.len() as u64));
///     exchange.add_bytes(text.len());
///     exchange.finish(Outcome::Completed, None);
///     Response::from_parts(head, text)
/// }
/// ```
pub struct Exchange {
    hooks: Arc<Hooks>,
    /// The span in which the handler runs.
    scope: Scope,
    /// The request's span, which may be around that one.
    server_span: Span,
    began: Instant,
    request: ReceivedRequest,
    response: SentResponse,
    /// Whether code of the service is running. Being dropped meanwhile means that it panicked.
    in_service: bool,
    is_finished: bool,
    reported: Reported,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("request_id", &self.request.request_id).finish_non_exhaustive()
    }
}

/// The name of the request's span in OpenTelemetry: `GET /orders/{id}`.
struct SpanName<'a>(&'a Method, Option<&'a str>);

impl Display for SpanName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(method, route) = self;
        write!(f, "{}", prefix(method.as_str(), MAX_METHOD_BYTES))?;
        route.map_or(Ok(()), |route| write!(f, " {route}"))
    }
}

/// Marks a request that a layer already handles. A second layer inside continues it.
#[derive(Clone)]
struct OuterExchange {
    span: Span,
    request_id: String,
    reported: Reported,
}

impl Exchange {
    /// Opens the span of a request. `bytes`: the size of its body.
    pub(super) fn begin(hooks: &Arc<Hooks>, parts: &mut request::Parts, bytes: RequestBytes) -> Self {
        let began = Instant::now();
        let outer = parts.extensions.get::<OuterExchange>().cloned();
        let mut outside = Outside::current();
        let incoming = match &outer {
            Some(_) => Incoming::default(),
            None => hooks.incoming(&parts.headers),
        };
        let is_trusted = outer.is_none() && hooks.trusts(parts);
        let (baggage, baggage_rejected) = match hooks.baggage(&parts.headers) {
            Ok(baggage) => (baggage, None),
            Err(error) => (Variables::default(), Some(error)),
        };
        if is_trusted {
            outside.variables.append(baggage.into_fields());
        }
        let rejected = [
            incoming.parent_rejected,
            incoming.state_rejected,
            incoming.request_rejected,
            incoming.format_rejected,
            baggage_rejected,
        ];
        let (context, upstream) = match &outer {
            Some(_) => Default::default(),
            None if is_trusted => (incoming.context.or(outside.context), TraceContext::default()),
            None => (outside.context, incoming.context),
        };
        let route = hooks.route(parts);
        let added = hooks.request_fields(parts);
        let head = RequestHead::new(parts, &added.fields);
        // The hook's fields come last, so that they hide a variable of the same name.
        outside.variables = outside.variables.without(NO_VARIABLES);
        outside.variables.append(added.fields);
        let (parent, outer_id) = outer.as_ref().map(|outer| (outer.span.id(), outer.request_id.clone())).unzip();
        let sent = || context.request_id().map(str::to_owned);
        let request_id = added.request_id.or(outer_id).or_else(sent).unwrap_or_else(new_request_id);
        let span = tracing::info_span!(
            target: REQUESTS,
            parent: parent.flatten(),
            "request",
            request_id,
            traceparent = context.traceparent(),
            trace_id = context.lone_trace_id(),
            tracestate = context.tracestate(),
            method = prefix(parts.method.as_str(), MAX_METHOD_BYTES),
            route,
            added = outside.variables.as_value(),
            // For tracing-opentelemetry. A second layer's span is no other server's.
            otel.kind = (cfg!(feature = "opentelemetry") && outer.is_none()).then_some("server"),
            otel.name = cfg!(feature = "opentelemetry").then(|| field::display(SpanName(&parts.method, route.as_deref()))),
        );
        if span.is_disabled() {
            complain_of_hidden_request();
        }
        let mut received = ReceivedRequest::new(parts, bytes, head, route, request_id.clone(), rejected);
        received.upstream = upstream;
        if hooks.ask_for_headers() {
            received.headers = parts.headers.clone();
        }
        #[cfg(feature = "opentelemetry")]
        {
            context.adopt_for(&span);
            otel::describe_request(&span, &received);
        }
        if let Some(detail) = &hooks.detail {
            detail.grant(parts, &span);
        }
        let inner = hooks.inner_span(parts, &span);
        let reported = outer.map(|outer| outer.reported).unwrap_or_default();
        parts.extensions.insert(OuterExchange { span: inner.clone(), request_id, reported: reported.clone() });
        Self {
            hooks: Arc::clone(hooks),
            scope: Scope::of(inner),
            server_span: span,
            began,
            request: received,
            response: SentResponse::default(),
            in_service: false,
            is_finished: false,
            reported,
        }
    }

    /// Returns the span in which the handler runs.
    pub fn span(&self) -> &Span {
        self.scope.span()
    }

    /// Returns the request's id.
    pub fn request_id(&self) -> &str {
        &self.request.request_id
    }

    /// Sets the matched route, such as `/orders/{id}`, in the request's span: later lines have it as `route`.
    ///
    /// It is for frameworks that match the route after the request has begun. A route should have few distinct values, so it
    /// is not the path. An empty route changes nothing.
    pub fn set_route(&mut self, route: impl Into<String>) {
        let route = route.into();
        if route.is_empty() {
            return;
        }
        self.server_span.record("route", &route);
        #[cfg(feature = "opentelemetry")]
        {
            let name = SpanName(&self.request.method, Some(&route));
            self.server_span.record("otel.name", field::display(name));
            otel::describe_route(&self.server_span, &route);
        }
        self.request.route = Some(route);
    }

    /// Runs a handler in the request's span.
    pub async fn handle<F: Future>(&mut self, handler: F) -> F::Output {
        let mut handler = pin!(handler.instrument(self.span().clone()));
        poll_fn(|context| {
            self.enter_service();
            let polled = handler.as_mut().poll(context);
            self.leave_service();
            polled
        })
        .await
    }

    /// Runs code of the service in the request's span, such as the step of a body.
    pub fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.enter_service();
        let result = self.span().in_scope(code);
        self.leave_service();
        result
    }

    /// Must be called before code of the service runs.
    pub(super) fn enter_service(&mut self) {
        self.in_service = true;
        self.reported.enter();
    }

    /// Must be called when code of the service has returned.
    pub(super) fn leave_service(&mut self) {
        self.in_service = false;
        self.reported.leave();
    }

    /// Takes the head of the response, and adds the request's id to its headers. `exact_bytes`: the size of the body, if it
    /// is known.
    ///
    /// A [`ResponseError`](super::ResponseError) among its extensions is the error of the request's line.
    pub fn respond(&mut self, parts: &mut response::Parts, exact_bytes: Option<u64>) {
        let added = self.hooks.response_fields(parts);
        self.response.begin(parts, exact_bytes, added);
        if self.hooks.ask_for_headers() {
            self.response.headers = parts.headers.clone();
        }
        if let Ok(id) = HeaderValue::from_str(&self.request.request_id) {
            parts.headers.insert(self.hooks.request_id.clone(), id);
        }
        if let Some(name) = &self.hooks.trace_id
            && let Some(trace) = self.scope.in_scope(|| context()?.trace_id())
            && let Ok(value) = HeaderValue::from_bytes(&trace.digits())
        {
            parts.headers.insert(name.clone(), value);
        }
    }

    /// Takes a response. Its body finishes the exchange when it ends.
    pub fn into_response<B: Body>(self, response: Response<B>) -> Response<LoggedBody<B>> {
        LoggedBody::respond(response, Some(self))
    }

    /// Returns whether HTTP forbids a body for this response, whatever the service returned.
    pub(super) fn has_no_body(&self) -> bool {
        self.request.method == Method::HEAD || self.response.is_bodiless()
    }

    /// Counts bytes of the response's body that were handed over to the server.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.response.add_bytes(bytes);
    }

    pub(super) fn take_grpc_status(&mut self, headers: &HeaderMap) {
        self.response.take_grpc_status(headers);
    }

    /// Logs the request's line, once. `error`: why the service or the body has failed.
    pub fn finish(&mut self, outcome: Outcome, error: Option<&dyn Display>) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let latency = self.began.elapsed();
        let (request, response) = (&self.request, &self.response);
        #[cfg(feature = "opentelemetry")]
        otel::describe_end(&self.server_span, response, outcome);
        let is_reported = self.reported.is_reported();
        let finished = Finished { request, response, outcome, latency, error, is_reported };
        if !self.hooks.wants(&finished) {
            return;
        }
        let level = self.hooks.level(&finished);
        let [traceparent_rejected, tracestate_rejected, request_id_rejected, trace_header_rejected, baggage_rejected] =
            &request.rejected;
        let user_agent = request.head.user_agent();
        // The layer's own error is the line's.
        let passed_on = response.error.as_ref();
        let renamed = finished.error().map(|_| {
            let mut added = response.added.renamed("error", "error_");
            let name = if error.is_some() { "error_" } else { "error" };
            passed_on.into_iter().for_each(|passed| add_undeclared(&mut added, name, &passed.error().into()));
            added
        });
        let added = renamed.as_ref().unwrap_or(&response.added);
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: REQUESTS,
                    parent: self.span(),
                    $level,
                    status = response.status.map(|status| status.as_u16()),
                    latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
                    http_version = request.head.http_version(),
                    scheme = request.head.scheme(),
                    host = request.head.host(),
                    path = request.path,
                    user_agent = user_agent.as_deref(),
                    request_bytes = request.bytes.known(),
                    response_bytes = response.bytes,
                    grpc_status = response.grpc_status,
                    grpc_message = response.grpc_message,
                    outcome = outcome.as_str(),
                    traceparent_rejected,
                    tracestate_rejected,
                    request_id_rejected,
                    trace_header_rejected,
                    baggage_rejected,
                    upstream_request_id = request.upstream.request_id(),
                    upstream_trace_id = request.upstream.trace_id().map(field::display),
                    upstream_span_id = request.upstream.span_id().map(field::display),
                    added = added.as_value(),
                    error = error.map(field::display),
                    "request finished"
                )
            };
        }
        self.reported.note(level);
        self.scope.in_scope(|| match level {
            Level::ERROR => log!(Level::ERROR),
            Level::WARN => log!(Level::WARN),
            Level::INFO => log!(Level::INFO),
            Level::DEBUG => log!(Level::DEBUG),
            Level::TRACE => log!(Level::TRACE),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.reported.leave();
        let outcome = match self.response.status {
            _ if self.in_service => Outcome::Panicked,
            None => Outcome::Cancelled,
            Some(_) if self.has_no_body() || self.response.is_complete() => Outcome::Completed,
            Some(_) => Outcome::Aborted,
        };
        self.finish(outcome, None);
    }
}
