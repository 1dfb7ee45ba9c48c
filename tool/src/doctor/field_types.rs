//! Fields whose values are of several types.

use std::collections::HashMap;

use super::finding::{Finding, Seen};
use crate::counted::plural;
use crate::entry::{Entry, Scalar, Value};
use crate::scan::Place;
use crate::stats::{Names, short_name};

/// The types, as Elasticsearch's mapping tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Type {
    Boolean,
    Number,
    Text,
    Object,
}

const NAMES: [&str; 4] = ["a boolean", "a number", "a text", "an object"];

/// How often each field has which type.
#[derive(Debug, Default)]
pub(super) struct FieldTypes(HashMap<String, [Seen; NAMES.len()]>);

impl FieldTypes {
    pub(super) fn add(&mut self, entry: &Entry<'_>, place: Place, field: (&str, Value<'_>), fields: &Names) {
        let (name, value) = (short_name(field.0), field.1);
        let Some(found) = type_of(value) else { return };
        if !self.0.contains_key(name) {
            if !fields.admits(name) {
                return;
            }
            self.0.insert(name.to_owned(), Default::default());
        }
        if let Some(seen) = self.0.get_mut(name).and_then(|types| types.get_mut(found as usize)) {
            seen.add(place, entry.line());
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (name, types) in other.0 {
            let known = self.0.entry(name).or_default();
            known.iter_mut().zip(types).for_each(|(one, other)| one.merge(other));
        }
    }

    pub(super) fn findings(self) -> Vec<Finding> {
        let mut names: Vec<_> = self.0.into_iter().collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        let finding = |(name, types): (String, [Seen; NAMES.len()])| {
            let mut seen: Vec<_> = types.into_iter().zip(NAMES).filter(|(seen, _)| seen.count > 0).collect();
            seen.sort_by_key(|(seen, _)| std::cmp::Reverse(seen.count));
            let parts: Vec<_> = seen.iter().map(|(seen, name)| format!("{name} in {}", seen.count)).collect();
            let lines = plural(seen.last().map_or(0, |(seen, _)| seen.count), "line", "lines");
            let rare = seen.pop().filter(|_| !seen.is_empty())?.0;
            let text = format!("the field `{name}` is {} {lines}", parts.join(", and "));
            rare.finding("field_type", text, "log one type under one name: Elasticsearch refuses all others")
        };
        names.into_iter().filter_map(finding).collect()
    }
}

/// Returns the type of a value; `None` for null, and for an empty array, which fit all. An array has the type of its first value.
fn type_of(value: Value<'_>) -> Option<Type> {
    Some(match value.scalar() {
        Scalar::Null => return None,
        Scalar::Bool(_) => Type::Boolean,
        Scalar::Number(_) => Type::Number,
        Scalar::Text(_) => Type::Text,
        Scalar::Nested(_) if value.is_object() => Type::Object,
        Scalar::Nested(_) => {
            return value.items().next().filter(|first| !first.bytes().starts_with(b"[")).and_then(type_of);
        }
    })
}
