//! Contexts from elsewhere, told to OpenTelemetry: its spans then are in the same trace.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::TraceContext;

/// Makes a context the parent of OpenTelemetry's span, where there is one and it has not begun.
pub(crate) fn adopt(span: &Span, context: &TraceContext) {
    let (Some(trace), Some(parent)) = (context.trace_id(), context.span_id()) else { return };
    let remote = SpanContext::new(
        TraceId::from_bytes(trace.bytes()),
        SpanId::from_bytes(parent.bytes()),
        TraceFlags::new(context.flags()),
        true,
        context.tracestate().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default(),
    );
    // Without its layer there is nothing to be told.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
}
