//! The ids that OpenTelemetry has given a span. They take precedence over this crate's.

use super::ids::{SpanId, TraceId};

/// The ids that OpenTelemetry has given a span, and what goes with them to other services.
#[derive(Debug)]
pub(crate) struct OtelIds {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) flags: u8,
    pub(super) state: Option<Box<str>>,
}

impl OtelIds {
    /// Returns `None` when an id is invalid.
    pub(crate) fn new(trace: u128, span: u64, flags: u8, state: &str) -> Option<Self> {
        let state = (!state.is_empty()).then(|| state.into());
        Some(Self { trace: TraceId::from_number(trace)?, span: SpanId::from_number(span)?, flags, state })
    }
}
