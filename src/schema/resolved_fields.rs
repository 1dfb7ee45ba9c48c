//! Which of several fields with the same name is in the line: the event's own (the last one), else the inner span's,
//! else the outer spans'. Every schema follows this order.

use std::collections::HashSet;

use smallvec::SmallVec;

use crate::context::SpanView;
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
    // Enough for nearly all lines, and small enough for the allocator's fast path.
    let mut fields: Vec<ResolvedField<'a>> = Vec::with_capacity(12);
    let mut names = NameSet::default();
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
    fields
}

/// Returns the fields of one span, including those that name the trace.
pub(super) fn fields_of_span<'a>(record: &Record<'a>, view: &SpanView<'a>) -> Vec<ResolvedField<'a>> {
    let limit = record.max_value_bytes;
    let mut fields = Vec::new();
    let all = view.all_fields().map(|(name, value)| (name, value.truncated_to(limit)));
    add_last_of_each(&mut fields, &mut NameSet::default(), all, false);
    fields
}

/// A set of names: a list while there are few, as there nearly always are.
#[derive(Default)]
struct NameSet<'a> {
    few: SmallVec<[&'a str; FEW]>,
    many: HashSet<&'a str>,
}

const FEW: usize = 24;

impl<'a> NameSet<'a> {
    fn insert(&mut self, name: &'a str) -> bool {
        if self.few.contains(&name) || self.many.contains(name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

fn add_last_of_each<'a>(
    fields: &mut Vec<ResolvedField<'a>>,
    names: &mut NameSet<'a>,
    more: impl Iterator<Item = (&'a str, Value<'a>)>,
    own: bool,
) {
    let start = fields.len();
    for (name, value) in more {
        if !names.insert(name) {
            // Replaces an earlier field of the same source; is hidden by a field of an earlier source.
            let earlier = fields.iter().skip(start).position(|field| field.name == name);
            let Some(earlier) = earlier else { continue };
            fields.remove(start + earlier);
        }
        fields.push(ResolvedField { name, value, own });
    }
}

/// Returns the last of several pairs with the same name.
pub(super) fn last_of_each<'a>(
    pairs: impl Iterator<Item = (&'a str, Value<'a>)>,
) -> impl Iterator<Item = (&'a str, Value<'a>)> {
    let pairs: Vec<_> = pairs.collect();
    let later = pairs.clone();
    pairs
        .into_iter()
        .enumerate()
        .filter(move |(place, (name, _))| later.iter().skip(place + 1).all(|(other, _)| other != name))
        .map(|(_, pair)| pair)
}
