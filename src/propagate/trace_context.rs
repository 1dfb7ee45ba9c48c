//! What goes from one service to the next: the trace's id, the span it comes from, and the request's id.
//!
//! Source: W3C Trace Context, level 2, of which level 1 is a part; `x-request-id` is custom.

use tracing::Span;
use tracing::instrument::{Instrument, Instrumented};

use super::Entered;
use crate::context::{
    Carried, Dynamic, SAMPLED, SpanId, TraceId, TraceParent, open_hidden, read_request_id, read_state,
};
use crate::error::Error;
use crate::layer::with_current;
use crate::record::Value;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const REQUEST_ID: &str = "x-request-id";

/// The ids of the current span, to be handed to another service or process; `None` outside any span, and where no
/// layer of spanline's listens.
///
/// ```
/// if let Some(context) = spanline::propagate::context() {
///     context.inject(|name, value| println!("{name}: {value}"));
/// }
/// ```
pub fn context() -> Option<TraceContext> {
    with_current(|context| TraceContext { carried: context.carried() })
}

/// A place in a trace that is in another process: its ids, as W3C Trace Context has them, and the request's id.
///
/// It comes from text or headers, or from [`context`], and goes into headers by [`inject`](Self::inject). When it is
/// entered, everything inside has its trace id and request id, and its span as the parent.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    carried: Carried,
}

impl TraceContext {
    /// Reads a `traceparent`.
    ///
    /// # Errors
    /// When it is malformed; says what is wrong.
    pub fn from_traceparent(text: &str) -> Result<Self, Error> {
        Self::from_bytes(text.as_bytes())
    }

    /// Reads the bytes of a `traceparent`, as a message carries them.
    ///
    /// # Errors
    /// When it is malformed; says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let read = TraceParent::parse(bytes).map_err(|why| malformed(TRACEPARENT, bytes, why))?;
        Ok(Self::default().with_parent(read))
    }

    /// Reads `traceparent`, `tracestate` and `x-request-id` among the headers of a request or a message; names are
    /// compared without regard to case. Where none of them is there it is empty, and to enter it does nothing.
    ///
    /// # Errors
    /// When a `traceparent` or request id is malformed or there twice. A malformed `tracestate` is left out, as the
    /// specification says.
    pub fn from_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let mut found: [Vec<V>; 3] = Default::default();
        for (name, value) in headers {
            let is = |wanted: &&str| name.as_ref().eq_ignore_ascii_case(wanted);
            if let Some(place) = [TRACEPARENT, TRACESTATE, REQUEST_ID].iter().position(is)
                && let Some(values) = found.get_mut(place)
            {
                values.push(value);
            }
        }
        let [parents, states, requests] = &found;
        let incoming = Incoming::read(
            parents.iter().map(V::as_ref),
            states.iter().map(V::as_ref),
            (REQUEST_ID, requests.iter().map(V::as_ref)),
        );
        match incoming.parent_rejected.or(incoming.request_rejected) {
            Some(error) => Err(error),
            None => Ok(incoming.context),
        }
    }

    /// The flags of its `traceparent`.
    #[cfg(feature = "opentelemetry")]
    pub(super) fn flags(&self) -> u8 {
        self.carried.flags
    }

    fn with_parent(mut self, read: TraceParent) -> Self {
        self.carried.trace = Some(read.trace);
        self.carried.span = Some(read.span);
        self.carried.flags = read.flags;
        self
    }

    /// The same with a `tracestate`, which goes along unchanged but for its form: white space and empty members go, of
    /// members with one key the first stays, and of more than 512 bytes the long members go first, then the last.
    ///
    /// # Errors
    /// When it is malformed; says what is wrong.
    pub fn with_tracestate(mut self, text: &str) -> Result<Self, Error> {
        let read = read_state(std::iter::once(text.as_bytes()));
        self.carried.state = read.map_err(|why| malformed(TRACESTATE, text.as_bytes(), why))?;
        Ok(self)
    }

    /// The same with a request id: 1 to 128 letters, digits and `-_.:+/=@~`.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn with_request_id(mut self, id: &str) -> Result<Self, Error> {
        let id = read_request_id(id.as_bytes()).map_err(|why| malformed("request id", id.as_bytes(), why))?;
        self.carried.request = Some(id.to_owned());
        Ok(self)
    }

    /// The trace's id.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.carried.trace
    }

    /// The span it comes from, which will be the parent.
    pub fn span_id(&self) -> Option<SpanId> {
        self.carried.span
    }

    /// Whether its trace may have been recorded where it comes from. One that was begun in this process is.
    pub fn is_sampled(&self) -> bool {
        self.carried.flags & SAMPLED != 0
    }

    /// The text of its `traceparent`; `None` where trace or span is not known.
    pub fn traceparent(&self) -> Option<String> {
        let Carried { trace: Some(trace), span: Some(span), flags, .. } = self.carried else { return None };
        Some(TraceParent { trace, span, flags }.text())
    }

    /// What other systems say about the trace.
    pub fn tracestate(&self) -> Option<&str> {
        self.carried.state.as_deref()
    }

    /// The request's id: of [`context`], the field `request_id` as text, whatever it is.
    pub fn request_id(&self) -> Option<&str> {
        self.carried.request.as_deref()
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.carried.trace.is_none() && self.carried.request.is_none()
    }

    /// Hands names and values of the headers to `put`: `traceparent`, `tracestate` and `x-request-id`, what there is of
    /// them. A request id that could not be read at the other end is left out.
    pub fn inject(&self, mut put: impl FnMut(&'static str, &str)) {
        if let Some(parent) = self.traceparent() {
            put(TRACEPARENT, &parent);
            if let Some(state) = self.tracestate() {
                put(TRACESTATE, state);
            }
        }
        if let Some(id) = self.request_id().filter(|id| read_request_id(id.as_bytes()).is_ok()) {
            put(REQUEST_ID, id);
        }
    }

    /// Runs `run` inside it.
    pub fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
        self.span().in_scope(run)
    }

    /// Enters it until the guard is dropped. Not over an `.await`: see [`instrument`](Self::instrument).
    pub fn enter(&self) -> Entered {
        Entered::new(self.span())
    }

    /// Enters it whenever the future is polled.
    pub fn instrument<F>(self, future: F) -> Instrumented<F> {
        future.instrument(self.span())
    }

    /// It as a span, to be the parent of others: disabled when it is empty or nobody listens.
    pub fn span(&self) -> Span {
        let mut fields = Dynamic::default();
        let mut put = |name: &str, text: &str| fields.put(name, &Value::Str(text));
        match (self.traceparent(), self.carried.trace) {
            (Some(parent), _) => {
                put(TRACEPARENT, &parent);
                self.tracestate().into_iter().for_each(|state| put(TRACESTATE, state));
            }
            (None, Some(trace)) => put("trace_id", &trace.to_string()),
            (None, None) => {}
        }
        self.request_id().into_iter().for_each(|id| put("request_id", id));
        let span = open_hidden(&fields);
        #[cfg(feature = "opentelemetry")]
        super::adopt(&span, self);
        span
    }
}

/// What headers say, and what of them was refused.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pub(crate) context: TraceContext,
    pub(crate) parent_rejected: Option<Error>,
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only a server notes it"))]
    pub(crate) state_rejected: Option<Error>,
    pub(crate) request_rejected: Option<Error>,
}

impl Incoming {
    /// Reads the values of the three headers, the last with its name.
    pub(crate) fn read<'a>(
        parents: impl Iterator<Item = &'a [u8]>,
        states: impl Iterator<Item = &'a [u8]>,
        (request_name, requests): (&str, impl Iterator<Item = &'a [u8]>),
    ) -> Self {
        let mut context = TraceContext::default();
        let parent_rejected = match only(TRACEPARENT, parents, TraceParent::parse) {
            Ok(parent) => {
                context = parent.map(|read| context.clone().with_parent(read)).unwrap_or(context);
                None
            }
            Err(error) => Some(error),
        };
        let mut first = &[][..];
        let state = read_state(states.inspect(|state| first = if first.is_empty() { state } else { first }));
        let (state, state_rejected) = match state {
            Ok(state) => (state, None),
            Err(why) => (None, Some(malformed(TRACESTATE, first, why))),
        };
        // Without the trace it is about, it says nothing.
        context.carried.state = state.filter(|_| context.carried.trace.is_some());
        let request_rejected = match only(request_name, requests, read_request_id) {
            Ok(id) => {
                context.carried.request = id.map(str::to_owned);
                None
            }
            Err(error) => Some(error),
        };
        Self { context, parent_rejected, state_rejected, request_rejected }
    }
}

/// Reads the one value of a header, without the white space around it.
fn only<'a, T>(
    name: &str,
    mut values: impl Iterator<Item = &'a [u8]>,
    read: impl FnOnce(&'a [u8]) -> Result<T, &'static str>,
) -> Result<Option<T>, Error> {
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.trim_ascii();
    if values.next().is_some() {
        return Err(malformed(name, value, "it is there more than once"));
    }
    read(value).map(Some).map_err(|why| malformed(name, value, why))
}

/// So much of a malformed value is shown.
const SHOWN_BYTES: usize = 64;

fn malformed(name: &str, value: &[u8], why: &str) -> Error {
    let shown = value.get(..SHOWN_BYTES).unwrap_or(value);
    let more = if shown.len() < value.len() { "…" } else { "" };
    Error::invalid(format!("{name} `{}{more}`: {why}", shown.escape_ascii()))
}
