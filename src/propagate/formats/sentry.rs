//! `sentry-trace: traceid-spanid-sampled`, the last part optional.
//!
//! Source: <https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace>.

use super::format::Found;
use super::{Ids, trace_id};
use crate::context::SpanId;

pub(super) const HEADER: &str = "sentry-trace";

pub(super) fn read(text: &str) -> Found {
    let mut parts = text.split('-');
    let trace = parts.next().filter(|trace| trace.len() == 32).and_then(trace_id);
    let trace = trace.ok_or("the trace id is not 32 hex digits, or all zeros")?;
    let span = parts.next().and_then(SpanId::parse).ok_or("the span id is not 16 hex digits, or all zeros")?;
    let is_sampled = match parts.next() {
        None | Some("1") => true,
        Some("0") => false,
        Some(_) => return Err("the sampling state is neither 0 nor 1"),
    };
    if parts.next().is_some() {
        return Err("it has more than three parts");
    }
    Ok(Some(Ids { trace, span: Some(span), is_sampled }))
}

pub(super) fn write(ids: Ids, put: &mut dyn FnMut(&'static str, &str)) {
    if let Some(span) = ids.span {
        put(HEADER, &format!("{}-{span}-{}", ids.trace, ids.flags()));
    }
}
