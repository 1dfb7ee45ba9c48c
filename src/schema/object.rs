//! Rules for the keys of JSON objects.
//!
//! Each schema lists the keys that it writes itself. A user's field goes under `fields` if its name is such a key, or
//! if a reader would take it for a part or a parent of one (`trace.id.x` and `trace` beside `trace.id`). Users' names
//! are already unique, so all keys are.

use super::json;
pub(super) use crate::names::tell_apart;
use crate::record::Value;

/// Returns whether a name is one of `keys`, or, for readers that take dots for nesting, a part or a parent of one.
pub(super) fn is_reserved(name: &str, keys: &[impl AsRef<str>]) -> bool {
    let mut keys = keys.iter().map(AsRef::as_ref);
    let Some(first) = name.as_bytes().first() else { return keys.any(str::is_empty) };
    let inside = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    keys.filter(|key: &&str| key.as_bytes().first() == Some(first)).any(|key| {
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

/// Appends an object with the members that have a value; returns false if none has.
pub(super) fn put_present<'m, const MEMBERS: usize>(
    out: &mut Vec<u8>,
    members: [(&'m str, Option<Value<'m>>); MEMBERS],
) -> bool {
    put_object(out, members.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
    members.iter().any(|(_, value)| value.is_some())
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
    ($options:ident.$group:ident: $($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.$options.$group.$name = true;
            self
        })*
    };
}
pub(super) use switches;

/// Defines switches that many schemas have, by name, each with its key.
macro_rules! keyed_switches {
    ($options:ident: $($name:ident $key:literal),* $(,)?) => {
        $(keyed_switches! { @$name $options $key })*
    };
    (@thread_id $options:ident $key:literal) => {
        switches! { $options:
            #[doc = concat!("Adds `", $key, "`, the number in the standard library's `ThreadId`.")]
            thread_id
        }
    };
    (@thread_name $options:ident $key:literal) => {
        switches! { $options:
            #[doc = concat!("Adds `", $key, "`, the thread's name, where it has one.")]
            thread_name
        }
    };
    (@file $options:ident $key:literal) => {
        switches! { $options:
            #[doc = concat!("Adds `", $key, "`, the source file of the call site.")]
            file
        }
    };
    (@line $options:ident $key:literal) => {
        switches! { $options:
            #[doc = concat!("Adds `", $key, "`, the line in the source file.")]
            line
        }
    };
}
pub(super) use keyed_switches;

/// Implements `Schema` for a type with `options`, which describe its lines, and an `engine`, which renders them. The hooks
/// are those of the trait that depend on the options.
macro_rules! described {
    ($schema:ty $(, $hook:ident: |$options:ident| $answer:expr)*) => {
        impl $crate::schema::Schema for $schema {
            #[inline]
            fn render(&mut self, record: &$crate::record::Record<'_>, out: &mut Vec<u8>) {
                self.engine.render(record, out, || self.options.layout(record));
            }

            fn edit(&mut self, edits: &$crate::schema::Edits) -> bool {
                self.engine.edit(edits);
                true
            }

            fn forked(&mut self) {
                self.engine.forget();
            }

            $(fn $hook(&self) -> bool {
                let $options = &self.options;
                $answer
            })*
        }
    };
}
pub(super) use described;
