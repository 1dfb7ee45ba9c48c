//! The fields of a record under the precedence every schema obeys: the event's own (of equal names the last), then
//! the inner span's, then the outer spans'.

use std::collections::HashSet;

use crate::context::SpanView;
use crate::record::{Record, Value};

/// A field that is in the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merged<'a> {
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
    /// Whether it is the event's own.
    pub(super) own: bool,
}

/// The fields in the line, the event's own first. `views`: the spans of the record's context, the innermost first.
pub(super) fn merged<'a>(record: &'a Record<'a>, views: &'a [SpanView<'a>]) -> Vec<Merged<'a>> {
    let mut fields: Vec<Merged<'a>> = Vec::new();
    let mut names = HashSet::new();
    let limit = record.max_value_bytes;
    add_last_of_each(&mut fields, &mut names, record.fields(), true);
    for view in views {
        add_last_of_each(
            &mut fields,
            &mut names,
            view.fields().map(|(name, value)| (name, value.cut_to(limit))),
            false,
        );
    }
    fields
}

fn add_last_of_each<'a>(
    fields: &mut Vec<Merged<'a>>,
    names: &mut HashSet<&'a str>,
    more: impl Iterator<Item = (&'a str, Value<'a>)>,
    own: bool,
) {
    let start = fields.len();
    let mut more: Vec<_> = more.collect();
    while let Some((name, value)) = more.pop() {
        if names.insert(name) {
            fields.push(Merged { name, value, own });
        }
    }
    if let Some(added) = fields.get_mut(start..) {
        added.reverse();
    }
}
