//! The part of a context that goes to other services: trace, span, flags, state, and request id.

use std::borrow::Cow;

use super::context::Context;
use super::ids::{SpanId, TraceId};
use super::traceparent::{SAMPLED, TraceParent, read_state};

/// What a context sends to other services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PropagatedContext {
    pub(crate) trace: Option<TraceId>,
    /// The current span; the remote one when no span of this process is open.
    pub(crate) span: Option<SpanId>,
    pub(crate) flags: u8,
    pub(crate) state: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Context<'_> {
    /// Returns what goes on to other services.
    pub(crate) fn propagated(&self) -> PropagatedContext {
        let (span, parent) = self.span_and_parent();
        let trace = self.trace_id();
        let mut propagated = PropagatedContext {
            trace,
            span: span.or(parent),
            flags: if trace.is_some() { SAMPLED } else { 0 },
            state: None,
            request_id: self.request_id(),
        };
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.otel_ids().filter(|_| span.is_some()) {
            propagated.flags = ids.flags;
            propagated.state = ids.state.as_deref().map(str::to_owned);
            return propagated;
        }
        // The span that names the trace also provides its flags and state. A trace made here is recorded here.
        if let Some(node) = self.nodes().find(|node| self.view(node).own_trace().is_some()) {
            let field = |name: &str| self.view(node).last_field(name).and_then(|value| value.as_str());
            if let Some(read) = field("traceparent").and_then(|text| TraceParent::parse(text.as_bytes()).ok()) {
                propagated.flags = read.flags;
                let state = field("tracestate").map(|text| read_state(std::iter::once(text.as_bytes())));
                propagated.state = state.and_then(Result::ok).flatten();
            }
        }
        propagated
    }

    /// Returns the nearest field `request_id` as text.
    fn request_id(&self) -> Option<String> {
        self.spans()
            .find_map(|span| span.last_field("request_id").and_then(|value| value.to_text()).map(Cow::into_owned))
    }
}
