//! `X-Cloud-Trace-Context: TRACE_ID/SPAN_ID;o=OPTIONS`, with the span's id in decimal.
//!
//! Source: <https://cloud.google.com/trace/docs/trace-context#legacy-http-header>. That the span's id and the options may be
//! empty is from the examples of App Engine's `TraceContextHelper`.

use super::format::Found;
use super::{Ids, decimal, trace_id};
use crate::context::SpanId;

pub(super) const HEADER: &str = "x-cloud-trace-context";

pub(super) fn read(text: &str) -> Found {
    let (ids, options) = text.split_once(';').map_or((text, None), |(ids, options)| (ids, Some(options)));
    let is_sampled = match options {
        None | Some("o=1" | "o=") => true,
        Some("o=0") => false,
        Some(_) => return Err("the options are neither o=0 nor o=1"),
    };
    let (trace, span) = ids.split_once('/').map_or((ids, None), |(trace, span)| (trace, Some(span)));
    let trace = (trace.len() == 32).then(|| trace_id(trace)).flatten();
    let trace = trace.ok_or("the trace id is not 32 hex digits, or all zeros")?;
    let span = span.filter(|span| !span.is_empty());
    let span = span.map(|span| decimal(span).ok_or("the span id is no decimal number of 64 bits")).transpose()?;
    // A span id of zero means that there is none.
    Ok(Some(Ids { trace, span: span.and_then(SpanId::from_number), is_sampled }))
}

pub(super) fn text(ids: Ids) -> String {
    let span = ids.span.map_or(0, SpanId::number);
    format!("{}/{span};o={}", ids.trace, ids.flags())
}
