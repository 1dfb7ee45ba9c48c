//! What OpenTelemetry calls a span: its ids go before those of this crate.

use super::{Node, SpanId, TraceId};

/// The ids that OpenTelemetry has given a span, and what goes with them to other services.
#[derive(Debug)]
pub(crate) struct OtelIds {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) flags: u8,
    pub(super) state: Option<Box<str>>,
}

impl OtelIds {
    /// `None` when an id is invalid.
    pub(crate) fn new(trace: u128, span: u64, flags: u8, state: &str) -> Option<Self> {
        let state = (!state.is_empty()).then(|| state.into());
        Some(Self { trace: TraceId::from_number(trace)?, span: SpanId::from_number(span)?, flags, state })
    }
}

impl Node {
    /// Whether OpenTelemetry has been asked about it.
    #[inline]
    pub(crate) fn knows_otel(&self) -> bool {
        self.otel.get().is_some()
    }

    /// Sets what OpenTelemetry says of it, once.
    pub(crate) fn know_otel(&self, ids: Option<OtelIds>) {
        let _ = self.otel.set(ids.filter(|_| self.is_shown()).map(Box::new));
    }

    /// Whether it is a span and not a hidden one.
    pub(crate) fn is_shown(&self) -> bool {
        self.span_id.is_some()
    }

    pub(super) fn otel_ids(&self) -> Option<&OtelIds> {
        self.otel.get()?.as_deref()
    }
}
