//! Datadog's headers: 64-bit ids in decimal, and the high half of the trace id in hex among the tags.
//!
//! Source: <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/> and, for `_dd.p.tid`,
//! <https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/>.

use super::format::{Found, Headers};
use super::{Ids, decimal};
use crate::context::{SpanId, TraceId};

pub(super) const HEADERS: &[&str] =
    &["x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-sampling-priority", "x-datadog-tags"];

/// The tag with the high half of the trace id.
const HIGH_HALF: &str = "_dd.p.tid=";

pub(super) fn read(headers: &Headers<'_>) -> Found {
    let [trace, span, priority, tags, _] = *headers;
    let Some(trace) = trace else { return Ok(None) };
    let low = decimal(trace).ok_or("x-datadog-trace-id is no decimal number of 64 bits")?;
    let span =
        span.map(|span| decimal(span).ok_or("x-datadog-parent-id is no decimal number of 64 bits")).transpose()?;
    let is_sampled = match priority {
        None | Some("1" | "2") => true,
        Some("0" | "-1") => false,
        Some(_) => return Err("x-datadog-sampling-priority is none of -1, 0, 1 and 2"),
    };
    let mut of_tags = tags.into_iter().flat_map(|tags| tags.split(',')).map(str::trim);
    let high = match of_tags.find_map(|tag| tag.strip_prefix(HIGH_HALF)) {
        None | Some("0000000000000000") => 0,
        Some(tid) => SpanId::parse(tid).ok_or("the tag _dd.p.tid is not 16 hex digits")?.number(),
    };
    let low_half = SpanId::from_number(low).ok_or("x-datadog-trace-id is zero")?;
    let trace = TraceId::of_halves(high, low_half);
    Ok(Some(Ids { trace, span: span.and_then(SpanId::from_number), is_sampled }))
}

pub(super) fn write(ids: Ids, put: &mut dyn FnMut(&'static str, &str)) {
    let (high, low) = ids.trace.halves();
    put("x-datadog-trace-id", &low.to_string());
    if let Some(span) = ids.span {
        put("x-datadog-parent-id", &span.number().to_string());
    }
    put("x-datadog-sampling-priority", if ids.is_sampled { "1" } else { "0" });
    if high != 0 {
        put("x-datadog-tags", &format!("{HIGH_HALF}{high:016x}"));
    }
}
