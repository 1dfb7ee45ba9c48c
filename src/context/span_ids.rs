//! The ids of one span: made here, or given by OpenTelemetry.

use super::ids::{SpanId, TraceId};
#[cfg(feature = "opentelemetry")]
use super::otel::OtelIds;

/// The ids of one span.
#[derive(Debug)]
pub(super) struct SpanIds {
    /// A hidden span has none.
    span: Option<SpanId>,
    /// Made for an outermost span that no trace is known for.
    made_trace: Option<TraceId>,
    /// OpenTelemetry's ids; set once that has been asked.
    #[cfg(feature = "opentelemetry")]
    otel: std::sync::OnceLock<Option<Box<OtelIds>>>,
}

impl SpanIds {
    #[inline]
    pub(super) fn new(span: Option<SpanId>, made_trace: Option<TraceId>) -> Self {
        Self {
            span,
            made_trace,
            #[cfg(feature = "opentelemetry")]
            otel: std::sync::OnceLock::new(),
        }
    }

    /// Returns the span's id made here; a hidden span has none.
    pub(super) fn made_span(&self) -> Option<SpanId> {
        self.span
    }

    /// Returns the span's id; a hidden span has none.
    #[inline]
    pub(super) fn span(&self) -> Option<SpanId> {
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.otel() {
            return Some(ids.span);
        }
        self.span
    }

    /// Returns the trace id made for the span.
    #[inline]
    pub(super) fn made_trace(&self) -> Option<TraceId> {
        self.made_trace
    }

    /// Returns the trace that OpenTelemetry has put the span in.
    #[inline]
    pub(super) fn otel_trace(&self) -> Option<TraceId> {
        #[cfg(feature = "opentelemetry")]
        return self.otel().map(|ids| ids.trace);
        #[cfg(not(feature = "opentelemetry"))]
        None
    }
}

#[cfg(feature = "opentelemetry")]
impl SpanIds {
    /// The ids of a span that only OpenTelemetry knows.
    pub(super) fn only_otel(ids: OtelIds) -> Self {
        Self { span: None, made_trace: None, otel: Some(Box::new(ids)).into() }
    }

    /// Returns OpenTelemetry's ids, if it has been asked and knows the span.
    pub(super) fn otel(&self) -> Option<&OtelIds> {
        self.otel.get()?.as_deref()
    }

    /// Returns whether OpenTelemetry has been asked.
    #[inline]
    pub(super) fn is_otel_known(&self) -> bool {
        self.otel.get().is_some()
    }

    /// Stores OpenTelemetry's answer; the first one stays.
    pub(super) fn set_otel(&self, ids: Option<OtelIds>) {
        let _ = self.otel.set(ids.filter(|_| self.span.is_some()).map(Box::new));
    }
}
