//! Rules for the keys of JSON objects.
//!
//! Each schema lists the keys that it writes itself. A user's field goes under `fields` if its name is such a key, or
//! if a reader would take it for a part or a parent of one (`trace.id.x` and `trace` beside `trace.id`). Users' names
//! are already unique, so all keys are.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::json;
use crate::record::Value;

/// Returns whether a name is one of `keys`, or, for readers that take dots for nesting, a part or a parent of one.
pub(super) fn is_reserved(name: &str, keys: &[&str]) -> bool {
    let Some(first) = name.as_bytes().first() else { return false };
    let inside = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    keys.iter().filter(|key| key.as_bytes().first() == Some(first)).any(|key| {
        name.strip_prefix(key).is_some_and(inside) || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Appends an object whose members have unique names.
pub(super) fn put_object<'m>(out: &mut Vec<u8>, members: impl IntoIterator<Item = (&'m str, Value<'m>)>) {
    out.push(b'{');
    for (place, (name, value)) in members.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::put_str(out, name);
        out.push(b':');
        json::put_value(out, &value);
    }
    out.push(b'}');
}

/// Makes names unique that were changed for a reader and may have become equal to others: appends a number.
pub(super) fn tell_apart<T>(fields: &mut [(Cow<'_, str>, T)]) {
    if fields.iter().all(|(name, _)| matches!(name, Cow::Borrowed(_))) {
        return;
    }
    let unchanged = fields.iter().filter(|(name, _)| matches!(name, Cow::Borrowed(_)));
    let mut used: HashSet<String> = unchanged.map(|(name, _)| name.clone().into_owned()).collect();
    // For each name that occurs again, the last number that was tried: all up to it are used.
    let mut tried: HashMap<String, usize> = HashMap::new();
    for name in fields.iter_mut().map(|(name, _)| name).filter(|name| matches!(name, Cow::Owned(_))) {
        if used.insert(name.clone().into_owned()) {
            continue;
        }
        let number = tried.entry(name.clone().into_owned()).or_insert(1);
        let mut numbered = std::iter::from_fn(|| {
            *number += 1;
            Some(format!("{name}_{number}"))
        });
        *name = numbered.find(|numbered| used.insert(numbered.clone())).unwrap_or_default().into();
    }
}

/// Defines the switches of a schema's builder.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.$name = true;
            self
        })*
    };
    ($options:ident: $($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.$options.$name = true;
            self
        })*
    };
}
pub(super) use switches;
