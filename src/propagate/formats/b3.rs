//! B3, of Zipkin: one header `b3`, or several `X-B3-…`.
//!
//! Source: <https://github.com/openzipkin/b3-propagation>. The single header wins, as recommended there.

use super::format::{Found, Headers};
use super::{Ids, trace_id};
use crate::context::SpanId;

pub(super) const HEADERS: &[&str] = &["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"];

pub(super) fn read(headers: &Headers<'_>) -> Found {
    let [single, trace, span, sampled, flags] = *headers;
    match (single, trace, span) {
        (Some(text), _, _) => read_single(text),
        (None, None, None) => Ok(None),
        (None, Some(trace), Some(span)) => {
            let is_sampled = match (flags, sampled) {
                (Some("1"), _) => true,
                (Some("0") | None, None | Some("1" | "true")) => true,
                (Some("0") | None, Some("0" | "false")) => false,
                (Some("0") | None, _) => return Err("x-b3-sampled is neither 0 nor 1"),
                _ => return Err("x-b3-flags is neither 0 nor 1"),
            };
            ids(trace, span, is_sampled)
        }
        _ => Err("only one of x-b3-traceid and x-b3-spanid is present"),
    }
}

fn read_single(text: &str) -> Found {
    let mut parts = text.split('-');
    let (trace, span) = (parts.next().unwrap_or_default(), parts.next());
    let Some(span) = span else {
        // A decision without ids.
        return if matches!(trace, "0" | "1" | "d") { Ok(None) } else { Err("it has no dash after the trace id") };
    };
    let is_sampled = match parts.next() {
        None | Some("1" | "d") => true,
        Some("0") => false,
        Some(_) => return Err("the sampling state is none of 0, 1 and d"),
    };
    if parts.next().is_some_and(|parent| parent.len() != 16 || SpanId::parse(parent).is_none()) {
        return Err("the parent span id is not 16 hex digits");
    }
    if parts.next().is_some() {
        return Err("it has more than four parts");
    }
    ids(trace, span, is_sampled)
}

fn ids(trace: &str, span: &str, is_sampled: bool) -> Found {
    let trace = trace_id(trace).ok_or("the trace id is not 16 or 32 hex digits, or all zeros")?;
    let span = SpanId::parse(span).ok_or("the span id is not 16 hex digits, or all zeros")?;
    Ok(Some(Ids { trace, span: Some(span), is_sampled }))
}

pub(super) fn write(ids: Ids, put: &mut dyn FnMut(&'static str, &str)) {
    if let Some(span) = ids.span {
        put("b3", &format!("{}-{span}-{}", ids.trace, ids.flags()));
    }
}

pub(super) fn write_multi(ids: Ids, put: &mut dyn FnMut(&'static str, &str)) {
    if let Some(span) = ids.span {
        put("x-b3-traceid", &ids.trace.to_string());
        put("x-b3-spanid", &span.to_string());
        put("x-b3-sampled", if ids.is_sampled { "1" } else { "0" });
    }
}
