//! The header formats of other tracing systems: the same ids in other words.
//!
//! Each file reads and writes one format. All of it comes from outside and is checked strictly: what is malformed is
//! rejected with a reason, and nothing of it is passed on.

mod b3;
mod cloud_trace;
mod datadog;
mod format;
mod sentry;
mod xray;

pub use format::Format;

pub(super) use format::Headers;

use crate::context::{SAMPLED, SpanId, TraceId};

/// The ids that a format's headers name. A trace without a span begins at the caller's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace: TraceId,
    pub(super) span: Option<SpanId>,
    pub(super) is_sampled: bool,
}

impl Ids {
    pub(super) fn flags(self) -> u8 {
        if self.is_sampled { SAMPLED } else { 0 }
    }
}

/// Why headers are rejected.
type Why = &'static str;

/// Parses a trace id of 32 hex digits, or of 16, which stand for the low half.
fn trace_id(text: &str) -> Option<TraceId> {
    match text.len() {
        32 if !text.contains('-') => TraceId::parse(text),
        16 => SpanId::parse(text).map(TraceId::of_low_half),
        _ => None,
    }
}

/// Parses decimal digits only: no sign, which the standard library allows.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
