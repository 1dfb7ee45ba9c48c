//! What goes from one service to the next: the trace's id, the calling span, and the request's id.
//!
//! Source: W3C Trace Context, level 2, which includes level 1. The header `x-request-id` is a convention.

use std::fmt;

use tracing::Span;
use tracing::instrument::{Instrument, Instrumented};

use super::entered::Entered;
use super::formats::{Format, Ids};
use super::incoming::{Incoming, malformed};
#[cfg(feature = "opentelemetry")]
use super::otel::adopt;
use crate::context::{PropagatedContext, SAMPLED, SpanId, TraceId, TraceParent, read_request_id, read_state};
use crate::error::Error;
use crate::layer::{open_context, with_current};
use crate::record::Value;
use crate::values::UndeclaredFields;

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
const REQUEST_ID: &str = "x-request-id";

/// Returns the ids of the current span, to be sent to another service or process.
///
/// Returns `None` outside any span, and when the current subscriber has no spanline layer.
///
/// ```
/// if let Some(context) = spanline::propagate::context() {
///     context.inject(|name, value| println!("{name}: {value}"));
/// }
/// ```
pub fn context() -> Option<TraceContext> {
    with_current(|context| TraceContext { ids: context.propagated() })
}

/// A place in a trace: the ids of a span, in this process or another, and the request's id.
///
/// It is read from text or headers, or comes from [`context`]. [`inject`](Self::inject) writes it to headers. When it is
/// entered, everything inside has its trace id and request id, and has its span as the parent.
///
/// # Examples
/// ```
/// use spanline::propagate::TraceContext;
/// use tracing::{info, info_span};
///
/// let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("x-request-id", "r-1")];
/// let context = TraceContext::from_headers(headers)?;
/// context.in_scope(|| {
///     let _span = info_span!("consume").entered();
///     info!("in the producer's trace and request");
/// });
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "a context does nothing until it is entered or injected"]
pub struct TraceContext {
    ids: PropagatedContext,
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext")
            .field("traceparent", &self.traceparent())
            .field("tracestate", &self.tracestate())
            .field("request_id", &self.request_id())
            .finish()
    }
}

impl TraceContext {
    /// Parses a `traceparent`.
    ///
    /// # Errors
    /// Returns an error that describes what is malformed.
    pub fn from_traceparent(text: &str) -> Result<Self, Error> {
        Self::from_bytes(text.as_bytes())
    }

    /// Parses the bytes of a `traceparent`, as a message carries them.
    ///
    /// # Errors
    /// Returns an error that describes what is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let read = TraceParent::parse(bytes).map_err(|why| malformed(TRACEPARENT, bytes, why))?;
        Ok(Self::default().with_parent(read))
    }

    /// Parses `traceparent`, `tracestate` and `x-request-id` among the headers of a request or a message.
    ///
    /// Names are compared case-insensitively. Without any of these headers the context is empty, and entering it does
    /// nothing. A malformed `tracestate` is ignored, as the specification requires.
    ///
    /// # Errors
    /// Returns an error when `traceparent` or the request id is malformed or present twice.
    pub fn from_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        Self::from_headers_in(&[Format::W3c], headers)
    }

    /// Parses the headers of these formats, and `x-request-id`. The first format that names a trace counts.
    ///
    /// ```
    /// use spanline::propagate::{Format, TraceContext};
    ///
    /// let headers = [("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")];
    /// let context = TraceContext::from_headers_in(&[Format::W3c, Format::B3], headers)?;
    /// assert_eq!(context.trace_id().unwrap().to_string(), "80f198ee56343ba864fe8b2a57d3eff7");
    /// # Ok::<(), spanline::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error when a header up to that format, or the request id, is malformed or present twice.
    pub fn from_headers_in<N: AsRef<str>, V: AsRef<[u8]>>(
        formats: &[Format],
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let names = || formats.iter().flat_map(|format| format.headers()).chain([&REQUEST_ID]);
        let is_read = |(name, _): &(N, V)| names().any(|wanted| name.as_ref().eq_ignore_ascii_case(wanted));
        let found: Vec<(N, V)> = headers.into_iter().filter(is_read).collect();
        let incoming = Incoming::read(formats, REQUEST_ID, |wanted| {
            let is_it = |(name, _): &&(N, V)| name.as_ref().eq_ignore_ascii_case(wanted);
            found.iter().filter(is_it).map(|(_, value)| value.as_ref()).collect::<Vec<_>>().into_iter()
        });
        match incoming.parent_rejected.or(incoming.format_rejected).or(incoming.request_rejected) {
            Some(error) => Err(error),
            None => Ok(incoming.context),
        }
    }

    /// Moves to the trace and the span of another format.
    pub(super) fn with_ids(mut self, ids: Ids) -> Self {
        let state = None;
        let request_id = self.ids.request_id.take();
        self.ids = PropagatedContext { trace: Some(ids.trace), span: ids.span, flags: ids.flags(), state, request_id };
        self
    }

    /// Sets the rest: a `tracestate` in its normal form, and a checked request id.
    pub(super) fn with_rest(mut self, state: Option<String>, request_id: Option<String>) -> Self {
        self.ids.state = state;
        self.ids.request_id = request_id;
        self
    }

    pub(super) fn with_parent(mut self, read: TraceParent) -> Self {
        self.ids.trace = Some(read.trace);
        self.ids.span = Some(read.span);
        self.ids.flags = read.flags;
        self
    }

    /// Adds a `tracestate` in its normal form: without white space, empty members and duplicates.
    ///
    /// The first of several members with one key stays. Beyond 512 bytes, long members are removed first, then the last
    /// ones.
    ///
    /// # Errors
    /// Returns an error that describes what is malformed.
    pub fn with_tracestate(mut self, text: &str) -> Result<Self, Error> {
        let read = read_state(std::iter::once(text.as_bytes()));
        self.ids.state = read.map_err(|why| malformed(TRACESTATE, text.as_bytes(), why))?;
        Ok(self)
    }

    /// Adds a request id of 1 to 128 letters, digits and `-_.:+/=@~`.
    ///
    /// # Errors
    /// Returns an error for any other text.
    pub fn with_request_id(mut self, id: &str) -> Result<Self, Error> {
        let id = read_request_id(id.as_bytes()).map_err(|why| malformed("request id", id.as_bytes(), why))?;
        self.ids.request_id = Some(id.to_owned());
        Ok(self)
    }

    /// The same with an id that need not be well-formed; such an id is ignored.
    #[cfg(feature = "tower")]
    pub(super) fn with_any_request_id(self, id: &str) -> Self {
        self.clone().with_request_id(id).unwrap_or(self)
    }

    /// Moves to the trace of a `traceparent`; a malformed one is ignored.
    #[cfg(feature = "tower")]
    pub(super) fn in_trace_of(self, text: &str) -> Self {
        match TraceParent::parse(text.as_bytes()) {
            Ok(read) => Self { ids: PropagatedContext { state: None, ..self.ids } }.with_parent(read),
            Err(_) => self,
        }
    }

    /// Moves to a trace without a known span; a malformed id is ignored.
    #[cfg(feature = "tower")]
    pub(super) fn in_trace(self, text: &str) -> Self {
        let Some(trace) = TraceId::parse(text) else { return self };
        let ids = PropagatedContext { trace: Some(trace), span: None, flags: SAMPLED, state: None, ..self.ids };
        Self { ids }
    }

    /// Fills in what it lacks: a trace, with its span, flags and state, and a request id.
    #[cfg(feature = "tower")]
    pub(crate) fn or(mut self, other: Self) -> Self {
        if self.ids.trace.is_none() {
            let request_id = self.ids.request_id.take();
            self.ids = PropagatedContext { request_id: request_id.or(other.ids.request_id), ..other.ids };
        } else {
            self.ids.request_id = self.ids.request_id.or(other.ids.request_id);
        }
        self
    }

    /// Returns the trace's id as text where no span of the trace is known.
    #[cfg(feature = "tower")]
    pub(crate) fn lone_trace_id(&self) -> Option<String> {
        self.ids.trace.filter(|_| self.ids.span.is_none()).map(|trace| trace.to_string())
    }

    /// Returns the trace's id.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.ids.trace
    }

    /// Returns the id of the span, which becomes the parent of spans inside.
    pub fn span_id(&self) -> Option<SpanId> {
        self.ids.span
    }

    /// Returns whether the sender may have recorded the trace. A trace that began in this process is sampled.
    pub fn is_sampled(&self) -> bool {
        self.ids.flags & SAMPLED != 0
    }

    /// Returns the text of its `traceparent`; `None` when trace or span is unknown.
    pub fn traceparent(&self) -> Option<String> {
        let PropagatedContext { trace: Some(trace), span: Some(span), flags, .. } = self.ids else { return None };
        Some(TraceParent { trace, span, flags }.text())
    }

    /// Returns its `tracestate`: what other systems say about the trace.
    pub fn tracestate(&self) -> Option<&str> {
        self.ids.state.as_deref()
    }

    /// Returns the request's id. For a context from [`context`], this is the field `request_id` as text, unchecked.
    pub fn request_id(&self) -> Option<&str> {
        self.ids.request_id.as_deref()
    }

    /// Returns whether it has neither a trace nor a request id.
    pub fn is_empty(&self) -> bool {
        self.ids.trace.is_none() && self.ids.request_id.is_none()
    }

    /// Passes the headers to `put`, name and value: those of `traceparent`, `tracestate` and `x-request-id` that it has.
    ///
    /// A request id that the receiver would reject is omitted.
    pub fn inject(&self, put: impl FnMut(&'static str, &str)) {
        self.inject_in(&[Format::W3c], put);
    }

    /// Passes the headers of these formats to `put`, and `x-request-id`.
    ///
    /// A format whose header needs a span has no header where only the trace is known.
    pub fn inject_in(&self, formats: &[Format], mut put: impl FnMut(&'static str, &str)) {
        for format in formats {
            if *format == Format::W3c {
                if let Some(parent) = self.traceparent() {
                    put(TRACEPARENT, &parent);
                    self.tracestate().into_iter().for_each(|state| put(TRACESTATE, state));
                }
            } else if let Some(trace) = self.ids.trace {
                format.write(Ids { trace, span: self.ids.span, is_sampled: self.is_sampled() }, &mut put);
            }
        }
        if let Some(id) = self.request_id().filter(|id| read_request_id(id.as_bytes()).is_ok()) {
            put(REQUEST_ID, id);
        }
    }

    /// Runs `run` inside the context.
    pub fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
        self.span().in_scope(run)
    }

    /// Enters the context until the guard is dropped.
    ///
    /// Do not hold the guard over an `.await`; use [`instrument`](Self::instrument) there.
    pub fn enter(&self) -> Entered {
        Entered::new(self.span())
    }

    /// Enters the context whenever the future is polled.
    pub fn instrument<F>(self, future: F) -> Instrumented<F> {
        future.instrument(self.span())
    }

    /// Returns the context as a span, to be the parent of other spans.
    ///
    /// The span is disabled when the context is empty or no subscriber wants it.
    pub fn span(&self) -> Span {
        let mut fields = UndeclaredFields::default();
        let mut put = |name: &str, text: &str| fields.put(name, &Value::Str(text));
        match (self.traceparent(), self.ids.trace) {
            (Some(parent), _) => {
                put(TRACEPARENT, &parent);
                self.tracestate().into_iter().for_each(|state| put(TRACESTATE, state));
            }
            (None, Some(trace)) => put("trace_id", &trace.to_string()),
            (None, None) => {}
        }
        self.request_id().into_iter().for_each(|id| put("request_id", id));
        let span = open_context(&fields);
        #[cfg(feature = "opentelemetry")]
        self.adopt_for(&span);
        span
    }

    /// Makes its span the parent of OpenTelemetry's span, if there is one.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn adopt_for(&self, span: &Span) {
        if let (Some(trace), Some(parent)) = (self.ids.trace, self.ids.span) {
            adopt(span, trace, parent, self.ids.flags, self.tracestate());
        }
    }
}
