//! Which of several fields with the same name is in the line: the event's own (the last one), else the inner span's,
//! else the outer spans'. Every schema follows this order.

use crate::context::SpanView;
use crate::names::{Names, move_last_of_each};
use crate::record::{Record, Value};

/// A field that is in the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolvedField<'a> {
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
    /// Whether it is the event's own.
    pub(super) own: bool,
}

/// Returns the fields in the line, the event's own first. `views`: the spans of the record's context, innermost first.
pub(super) fn resolved_fields<'a>(record: &'a Record<'a>, views: &'a [SpanView<'a>]) -> Vec<ResolvedField<'a>> {
    fields_and_names(record, views).0
}

/// Returns the same fields, and their names.
pub(super) fn fields_and_names<'a>(
    record: &'a Record<'a>,
    views: &'a [SpanView<'a>],
) -> (Vec<ResolvedField<'a>>, Names<&'a str>) {
    // Enough for nearly all lines, and small enough for the allocator's fast path.
    let mut fields: Vec<ResolvedField<'a>> = Vec::with_capacity(12);
    let mut names = Names::default();
    let limit = record.max_value_bytes;
    add_last_of_each(&mut fields, &mut names, record.fields(), true);
    for view in views {
        add_last_of_each(
            &mut fields,
            &mut names,
            view.fields().map(|(name, value)| (name, value.truncated_to(limit))),
            false,
        );
    }
    (fields, names)
}

/// Returns the fields of one span, including those that name the trace.
pub(super) fn fields_of_span<'a>(record: &Record<'a>, view: &SpanView<'a>) -> Vec<ResolvedField<'a>> {
    let limit = record.max_value_bytes;
    let mut fields = Vec::new();
    let all = view.all_fields().map(|(name, value)| (name, value.truncated_to(limit)));
    add_last_of_each(&mut fields, &mut Names::default(), all, false);
    fields
}

fn add_last_of_each<'a>(
    fields: &mut Vec<ResolvedField<'a>>,
    names: &mut Names<&'a str>,
    more: impl Iterator<Item = (&'a str, Value<'a>)>,
    own: bool,
) {
    let start = fields.len();
    fields.extend(more.map(|(name, value)| ResolvedField { name, value, own }));
    let left_over = move_last_of_each(fields.get_mut(start..).unwrap_or_default(), names, |field| field.name);
    fields.drain(start..start + left_over);
}
