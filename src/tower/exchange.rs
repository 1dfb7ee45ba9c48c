//! One request and its response, from the first header to the last byte, and the line about both.
//!
//! Whoever holds the exchange finishes it; when it is dropped before, something went wrong, and what it was doing says
//! what. So there is a line whatever happens.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[cfg(not(feature = "axum"))]
use http::request;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, response};
use http_body::Body;
use tracing::{Level, Span, field};

use super::hooks::Hooks;
#[cfg(feature = "axum")]
use super::in_axum::path;
use crate::context::{Dynamic, new_request_id};
use crate::propagate::{Incoming, Scope};
use crate::record::prefix;

const TARGET: &str = "spanline::http";

/// A path is cut to this.
const MAX_PATH_BYTES: usize = 1024;
/// A method is cut to this; the usual ones are far shorter.
const MAX_METHOD_BYTES: usize = 32;

/// How a request ended: the field `outcome` of its line, in lower case with underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The response was handed over to its end. The status says whether it was a good one.
    Completed,
    /// There was no response yet when the request was dropped: the client has gone, or a timeout outside struck.
    Cancelled,
    /// The response's body was dropped before its end: the client has gone.
    Aborted,
    /// The service failed instead of giving a response.
    ServiceError,
    /// The response's body failed.
    BodyError,
    /// The service or the body panicked.
    Panicked,
}

impl Outcome {
    /// What the line says.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Cancelled => "cancelled",
            Outcome::Aborted => "aborted",
            Outcome::ServiceError => "service_error",
            Outcome::BodyError => "body_error",
            Outcome::Panicked => "panicked",
        }
    }

    fn level(self) -> Level {
        match self {
            Outcome::Completed => Level::INFO,
            Outcome::Cancelled | Outcome::Aborted => Level::WARN,
            Outcome::ServiceError | Outcome::BodyError | Outcome::Panicked => Level::ERROR,
        }
    }
}

/// A request that is over, as [`log_when`](super::ServerLayer::log_when) sees it.
#[derive(Debug)]
pub struct Finished<'a> {
    exchange: &'a Exchange,
    outcome: Outcome,
    latency: Duration,
}

impl Finished<'_> {
    /// The request's method.
    pub fn method(&self) -> &Method {
        &self.exchange.method
    }

    /// The request's path without the query, at most 1024 bytes of it.
    pub fn path(&self) -> &str {
        &self.exchange.path
    }

    /// The route that was matched, where it is known.
    pub fn route(&self) -> Option<&str> {
        self.exchange.route.as_deref()
    }

    /// The response's status; `None` when there was no response.
    pub fn status(&self) -> Option<StatusCode> {
        self.exchange.status
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How long it took, to the end of the body.
    pub fn latency(&self) -> Duration {
        self.latency
    }
}

/// One request and what has come of it.
pub(super) struct Exchange {
    hooks: Arc<Hooks>,
    scope: Scope,
    began: Instant,
    method: Method,
    path: String,
    route: Option<String>,
    request_id: String,
    /// What was wrong with the caller's `traceparent`, `tracestate` and request id.
    rejected: [Option<String>; 3],
    request_bytes: RequestBytes,
    status: Option<StatusCode>,
    grpc_status: Option<u32>,
    response_bytes: u64,
    /// As the response declares them.
    expected_bytes: Option<u64>,
    added: Dynamic,
    /// Whether code of the service runs: who is dropped meanwhile has seen a panic.
    in_code: bool,
    is_over: bool,
}

#[derive(Debug)]
enum RequestBytes {
    Declared(Option<u64>),
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "only axum's bodies can be counted"))]
    Counted(Arc<AtomicU64>),
}

impl RequestBytes {
    fn of<B: Body + 'static>(body: &mut B) -> Self {
        #[cfg(feature = "axum")]
        if let Some(counted) = super::in_axum::count(body) {
            return Self::Counted(counted);
        }
        Self::Declared(body.size_hint().exact())
    }

    fn known(&self) -> Option<u64> {
        match self {
            Self::Declared(bytes) => *bytes,
            Self::Counted(bytes) => Some(bytes.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

#[cfg(not(feature = "axum"))]
fn path(parts: &request::Parts) -> &str {
    parts.uri.path()
}

/// With a request that a layer has in hand: to a second one, inside, it is no other request.
#[derive(Clone)]
struct InHand {
    span: Span,
    request_id: String,
}

impl Exchange {
    /// Opens the span of a request.
    pub(super) fn begin<B: Body + 'static>(hooks: &Arc<Hooks>, request: Request<B>) -> (Self, Request<B>) {
        let began = Instant::now();
        let (mut parts, mut body) = request.into_parts();
        let outer = parts.extensions.get::<InHand>().cloned();
        let header = |name: &str| parts.headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
        let name = hooks.request_id.as_str();
        let incoming = match &outer {
            Some(_) => Incoming::default(),
            None => Incoming::read(header("traceparent"), header("tracestate"), (name, header(name))),
        };
        let rejected = [incoming.parent_rejected, incoming.state_rejected, incoming.request_rejected];
        let context = incoming.context;
        let route = hooks.route(&parts);
        let added = hooks.request_fields(&parts);
        let (parent, outer_id) = outer.map(|outer| (outer.span.id(), outer.request_id)).unzip();
        let sent = || context.request_id().map(str::to_owned);
        let request_id = added.request_id.or(outer_id).or_else(sent).unwrap_or_else(new_request_id);
        let span = tracing::info_span!(
            target: TARGET,
            parent: parent.flatten(),
            "request",
            request_id,
            traceparent = context.traceparent(),
            tracestate = context.tracestate(),
            method = prefix(parts.method.as_str(), MAX_METHOD_BYTES),
            route,
            added = added.fields.as_error(),
        );
        #[cfg(feature = "opentelemetry")]
        crate::propagate::adopt(&span, &context);
        parts.extensions.insert(InHand { span: span.clone(), request_id: request_id.clone() });
        let exchange = Self {
            hooks: Arc::clone(hooks),
            scope: Scope::of(span),
            began,
            method: parts.method.clone(),
            path: prefix(path(&parts), MAX_PATH_BYTES).to_owned(),
            route,
            request_id,
            rejected: rejected.map(|error| error.map(|error| error.to_string())),
            request_bytes: RequestBytes::of(&mut body),
            status: None,
            grpc_status: None,
            response_bytes: 0,
            expected_bytes: None,
            added: Dynamic::default(),
            in_code: false,
            is_over: false,
        };
        (exchange, Request::from_parts(parts, body))
    }

    pub(super) fn span(&self) -> &Span {
        self.scope.span()
    }

    /// Runs code of the service in the request's span.
    pub(super) fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.enter_code();
        let result = self.span().in_scope(code);
        self.leave_code();
        result
    }

    /// Said before code of the service runs.
    pub(super) fn enter_code(&mut self) {
        self.in_code = true;
    }

    /// Said when it has returned.
    pub(super) fn leave_code(&mut self) {
        self.in_code = false;
    }

    /// Takes the response down and gives it the request's id.
    pub(super) fn respond(&mut self, parts: &mut response::Parts, exact_bytes: Option<u64>) {
        self.status = Some(parts.status);
        self.added = self.hooks.response_fields(parts);
        self.take_grpc_status(&parts.headers);
        let declared = parts.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        self.expected_bytes = exact_bytes.or_else(|| declared?.parse().ok());
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            parts.headers.insert(self.hooks.request_id.clone(), id);
        }
    }

    /// Whether the protocol has no body for this response, whatever the service gave.
    pub(super) fn has_no_body(&self) -> bool {
        let is_bodiless = |status: StatusCode| {
            status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        };
        self.method == Method::HEAD || self.status.is_some_and(is_bodiless)
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.response_bytes = self.response_bytes.saturating_add(bytes as u64);
    }

    /// gRPC says at the end, or in headers that are all there is, what has come of a call.
    pub(super) fn take_grpc_status(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok());
        self.grpc_status = status.and_then(|status| status.parse().ok()).or(self.grpc_status);
    }

    /// Logs the request's line, once.
    pub(super) fn finish(&mut self, outcome: Outcome, error: Option<&dyn Display>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let latency = self.began.elapsed();
        if !self.hooks.wants(&Finished { exchange: self, outcome, latency }) {
            return;
        }
        let [traceparent_rejected, tracestate_rejected, request_id_rejected] = &self.rejected;
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    parent: self.span(),
                    $level,
                    status = self.status.map(|status| status.as_u16()),
                    latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
                    path = self.path,
                    request_bytes = self.request_bytes.known(),
                    response_bytes = self.response_bytes,
                    grpc_status = self.grpc_status,
                    outcome = outcome.as_str(),
                    traceparent_rejected,
                    tracestate_rejected,
                    request_id_rejected,
                    added = self.added.as_error(),
                    // Behind what was added: of equal names the last counts.
                    error = error.map(field::display),
                    "request finished"
                )
            };
        }
        self.scope.in_scope(|| match self.level(outcome) {
            Level::ERROR => log!(Level::ERROR),
            Level::WARN => log!(Level::WARN),
            _ => log!(Level::INFO),
        });
    }

    /// The most severe of what is known.
    fn level(&self, outcome: Outcome) -> Level {
        let by_status = match self.status.map_or(0, |status| status.as_u16()) {
            500.. => Level::ERROR,
            400.. => Level::WARN,
            _ => Level::INFO,
        };
        // As OpenTelemetry's conventions have it: these are the server's own fault.
        let by_grpc = match self.grpc_status {
            None | Some(0) => Level::INFO,
            Some(2 | 4 | 12..=15) => Level::ERROR,
            Some(_) => Level::WARN,
        };
        // Of levels the more severe is the smaller.
        by_status.min(by_grpc).min(outcome.level())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let outcome = match self.status {
            _ if self.in_code => Outcome::Panicked,
            None => Outcome::Cancelled,
            // A server that has sent what was declared asks no more.
            Some(_) if self.expected_bytes == Some(self.response_bytes) => Outcome::Completed,
            Some(_) => Outcome::Aborted,
        };
        self.finish(outcome, None);
    }
}
