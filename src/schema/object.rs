//! Rules for the keys of JSON objects.
//!
//! Each schema lists the keys that it writes itself. A user's field goes under `fields` if its name is such a key, or
//! if a reader would take it for a part or a parent of one (`trace.id.x` and `trace` beside `trace.id`). Users' names
//! are already unique, so all keys are.

use super::json;
pub(super) use crate::names::tell_apart;
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
