//! The ids of a context: its trace, its span, and the span around that.
//!
//! Hidden spans have no id. A hidden span with a `traceparent` comes from another process. The parent of a span directly
//! inside it is then the remote span.

use super::context::Context;
use super::ids::{SpanId, TraceId};
use super::traceparent::{SAMPLED, TraceParent};

impl Context<'_> {
    /// Returns the trace's id: the one that the nearest span names, or the one made for the outermost span.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.nodes().find_map(|node| {
            let named = || self.view(node).own_trace().map(|(trace, _)| trace);
            node.ids.otel_trace().or_else(named).or(node.ids.made_trace())
        })
    }

    /// Returns whether one of its spans has ids of OpenTelemetry.
    #[inline]
    pub(crate) fn is_of_otel(&self) -> bool {
        cfg!(feature = "opentelemetry") && self.nodes().any(|node| node.ids.otel_trace().is_some())
    }

    /// Returns the innermost span's id; `None` when there are context variables but no span of this process.
    pub fn span_id(&self) -> Option<SpanId> {
        self.leaf.ids.span().or_else(|| self.span_and_parent().0)
    }

    /// Returns the id of the span around the innermost one, which may be in another process.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.span_and_parent().1
    }

    /// Returns the same where no `traceparent` names a parent in another process.
    pub(crate) fn local_parent_span_id(&self) -> Option<SpanId> {
        self.nodes().filter_map(|node| node.ids.span()).nth(1)
    }

    /// Returns the trace id made for the outermost span.
    pub(crate) fn made_trace_id(&self) -> Option<TraceId> {
        self.nodes().find_map(|node| node.ids.made_trace())
    }

    /// Returns the innermost span and the one around it.
    pub(super) fn span_and_parent(&self) -> (Option<SpanId>, Option<SpanId>) {
        let mut inside = None;
        for node in self.nodes() {
            match (inside, node.ids.span()) {
                (None, Some(span)) => inside = Some(span),
                (Some(_), Some(around)) => return (inside, Some(around)),
                (_, None) => {}
            }
            if let Some((trace, Some(parent))) = self.view(node).own_trace() {
                // OpenTelemetry may not know the remote span, and put the spans inside it in another trace.
                return (inside, (self.trace_id() == Some(trace)).then_some(parent));
            }
        }
        (inside, None)
    }

    /// Returns whether the trace is sampled; `None` when neither OpenTelemetry nor a `traceparent` says so.
    pub(crate) fn is_sampled(&self) -> Option<bool> {
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.otel_ids() {
            return Some(ids.flags & SAMPLED != 0);
        }
        let node = self.nodes().find(|node| self.view(node).own_trace().is_some())?;
        let traceparent = self.view(node).last_field("traceparent")?;
        let read = TraceParent::parse(traceparent.as_str()?.as_bytes()).ok()?;
        Some(read.flags & SAMPLED != 0)
    }

    /// Returns OpenTelemetry's ids of the innermost span.
    #[cfg(feature = "opentelemetry")]
    pub(super) fn otel_ids(&self) -> Option<&super::otel::OtelIds> {
        self.nodes().find(|node| node.is_shown())?.ids.otel()
    }
}
