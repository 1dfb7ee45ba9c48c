//! The log's own marks as fields.

use super::resolved_fields::{Origin, ResolvedField};
use crate::context::{Context, SpanView};
use crate::record::{Record, Value};
use smallvec::SmallVec;
/// The spans around an event, innermost first.
pub(super) type Views<'a> = SmallVec<[SpanView<'a>; 4]>;

pub(super) fn views<'a>(record: &Record<'a>) -> Views<'a> {
    record.context().into_iter().flat_map(Context::spans).collect()
}

/// Adds the log's own marks, `held_back` and `backtrace`, in place of fields with these names.
pub(super) fn put_marks<'a>(fields: &mut Vec<ResolvedField<'a>>, record: &Record<'a>) {
    let marks: [_; 2] = [
        record.is_held_back().then_some(("held_back", Value::Bool(true))),
        record.backtrace().map(|backtrace| ("backtrace", Value::Str(backtrace))),
    ];
    for (name, value) in marks.into_iter().flatten() {
        fields.retain(|field| field.name != name);
        fields.push(ResolvedField { name, value, origin: Origin::Event });
    }
}

