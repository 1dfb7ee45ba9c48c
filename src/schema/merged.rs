//! The fields of a record under the precedence every schema obeys: the event's own (of equal names the last), then
//! the inner span's, then the outer spans'.

use std::collections::HashSet;

use smallvec::SmallVec;

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
    // Enough for nearly all lines, and few enough for the allocator's quick way.
    let mut fields: Vec<Merged<'a>> = Vec::with_capacity(12);
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
    fields
}

/// The fields of one span, those that name the trace among them.
pub(super) fn of_span<'a>(record: &Record<'a>, view: &SpanView<'a>) -> Vec<Merged<'a>> {
    let limit = record.max_value_bytes;
    let mut fields = Vec::new();
    let all = view.all_fields().map(|(name, value)| (name, value.truncated_to(limit)));
    add_last_of_each(&mut fields, &mut Names::default(), all, false);
    fields
}

/// A set of names: a list while there are few, as there nearly always are.
#[derive(Default)]
struct Names<'a> {
    few: SmallVec<[&'a str; FEW]>,
    many: HashSet<&'a str>,
}

const FEW: usize = 24;

impl<'a> Names<'a> {
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
    fields: &mut Vec<Merged<'a>>,
    names: &mut Names<'a>,
    more: impl Iterator<Item = (&'a str, Value<'a>)>,
    own: bool,
) {
    let start = fields.len();
    for (name, value) in more {
        if !names.insert(name) {
            // Equal to one of these, it takes its place; to one of those before, it is hidden.
            let earlier = fields.iter().skip(start).position(|field| field.name == name);
            let Some(earlier) = earlier else { continue };
            fields.remove(start + earlier);
        }
        fields.push(Merged { name, value, own });
    }
}

/// Of equal names the last.
pub(super) fn last_of_each<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let pairs: Vec<_> = pairs.collect();
    let later = pairs.clone();
    pairs
        .into_iter()
        .enumerate()
        .filter(move |(place, (name, _))| later.iter().skip(place + 1).all(|(other, _)| other != name))
        .map(|(_, pair)| pair)
}
