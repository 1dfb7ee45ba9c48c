//! Tells OpenTelemetry about remote contexts, so that its spans join the same trace.

use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context::{SpanId, TraceId};

/// Makes a remote span the parent of OpenTelemetry's span, if that exists and has not begun.
pub(crate) fn adopt(span: &Span, trace: TraceId, parent: SpanId, flags: u8, state: Option<&str>) {
    let remote = SpanContext::new(
        opentelemetry::trace::TraceId::from_bytes(trace.bytes()),
        opentelemetry::trace::SpanId::from_bytes(parent.bytes()),
        TraceFlags::new(flags),
        true,
        state.and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default(),
    );
    // An error means that the subscriber has no layer of OpenTelemetry.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
}
