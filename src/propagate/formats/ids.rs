//! The ids that all formats name, and the numbers that several of them share.

use crate::context::{SAMPLED, SpanId, TraceId};

/// The ids that a format's headers name. A trace without a span begins at the caller's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Ids {
    pub(in super::super) trace: TraceId,
    pub(in super::super) span: Option<SpanId>,
    pub(in super::super) is_sampled: bool,
}

impl Ids {
    pub(in super::super) fn flags(self) -> u8 {
        if self.is_sampled { SAMPLED } else { 0 }
    }
}

/// Why headers are rejected.
pub(super) type Why = &'static str;

/// Parses a trace id of 32 hex digits, or of 16, which stand for the low half.
pub(super) fn trace_id(text: &str) -> Option<TraceId> {
    match text.len() {
        32 if !text.contains('-') => TraceId::parse(text),
        16 => SpanId::parse(text).map(TraceId::of_low_half),
        _ => None,
    }
}

/// Parses decimal digits only: no sign, which the standard library allows.
pub(super) fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
