//! The fields of a span that name its trace: `traceparent` and `trace_id`.

use tracing::Metadata;

use super::ids::{SpanId, TraceId};
use super::traceparent::TraceParent;
use crate::values::{FieldNames, Fields, Key, Value};

/// The names of these fields; the first one present wins.
pub(super) const TRACE_NAMES: [&str; 2] = ["traceparent", "trace_id"];

/// A span's fields of these names, in the order of [`TRACE_NAMES`]. The last duplicate wins.
pub(super) type TraceFields<'a> = [Option<(Key<'a>, Value<'a>)>; 2];

/// Returns what a field says about the trace: its id, and the remote parent if the field is a `traceparent`.
///
/// Returns `None` for any other field, and for a malformed one.
pub(crate) fn named_trace(name: &str, value: &Value<'_>) -> Option<(TraceId, Option<SpanId>)> {
    let text = value.as_str()?;
    match name {
        "trace_id" => Some((TraceId::parse(text)?, None)),
        "traceparent" => TraceParent::parse(text.as_bytes()).ok().map(|read| (read.trace, Some(read.span))),
        _ => None,
    }
}

/// Finds the trace fields among captured ones.
pub(super) fn trace_fields<'a>(mut fields: Fields<'a>, meta: &'static Metadata<'static>) -> TraceFields<'a> {
    let (mut found, mut names) = ([None; 2], FieldNames::of(meta));
    while let Some((key, raw)) = fields.next_raw() {
        note(&mut found, &mut names, key, || raw.value());
    }
    found
}

/// Stores a field if it is a trace field.
pub(super) fn note<'a>(
    found: &mut TraceFields<'a>,
    names: &mut FieldNames,
    key: Key<'a>,
    value: impl FnOnce() -> Value<'a>,
) {
    let name = names.name(key);
    if let Some(at) = TRACE_NAMES.iter().position(|other| Some(*other) == name)
        && let Some(place) = found.get_mut(at)
    {
        *place = Some((key, value()));
    }
}

/// Returns the traces that the fields name, in order of precedence.
pub(super) fn named_traces(fields: &TraceFields<'_>) -> impl Iterator<Item = (TraceId, Option<SpanId>)> {
    TRACE_NAMES.iter().zip(fields).filter_map(|(name, field)| named_trace(name, &field.as_ref()?.1))
}
