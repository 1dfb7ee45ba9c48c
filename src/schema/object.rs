//! A JSON object with unique keys, whatever the users' fields are called: what the JSON schemas write with.
//!
//! Each schema lists the keys that it writes itself. A user's field goes under `fields` if its name is such a key, or
//! if a reader would take it for a part or a parent of one (`trace.id.x` and `trace` beside `trace.id`). Users' names
//! are already unique, so all keys are.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::json::{self, Draft, DraftBytes};
use crate::record::{Raw, Record, Value};

/// An object being written.
pub(super) struct Object<'o, 'a> {
    line: Draft<'o>,
    reserved: &'static [&'static str],
    under_fields: SmallVec<[(&'a str, Value<'a>); 4]>,
}

impl<'o, 'a> Object<'o, 'a> {
    /// Continues after `head`, the opening brace and a first member. `reserved`: all keys that the schema may write.
    pub(super) fn begun(
        out: &'o mut Vec<u8>,
        draft: &'o mut DraftBytes,
        head: &[u8],
        reserved: &'static [&'static str],
    ) -> Self {
        let mut line = Draft::new(draft, out);
        line.put(head);
        Self { line, reserved, under_fields: SmallVec::new() }
    }

    /// Appends one of the schema's own keys; the caller appends its value to the returned buffer.
    pub(super) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.put_key(key);
        self.line.out()
    }

    #[inline]
    fn put_key(&mut self, key: &'static str) {
        debug_assert!(self.reserved.contains(&key), "{key} is not in the schema's table");
        self.line.put(b",\"");
        self.line.put_short(key.as_bytes());
        self.line.put(b"\":");
    }

    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.put_key(key);
        self.line.put_text(text.as_bytes());
    }

    /// Appends ASCII that needs no escape.
    pub(super) fn plain(&mut self, key: &'static str, text: &[u8]) {
        self.put_key(key);
        self.line.put(b"\"");
        self.line.put_short(text);
        self.line.put(b"\"");
    }

    pub(super) fn number(&mut self, key: &'static str, number: u64) {
        self.value(key, &Value::U64(number));
    }

    pub(super) fn value(&mut self, key: &'static str, value: &Value<'_>) {
        self.put_key(key);
        self.line.put_value(value);
    }

    /// Appends `truncated` and `original_bytes`, if the record was cut.
    pub(super) fn truncation(&mut self, record: &Record<'_>) {
        if let Some(original) = record.original_bytes() {
            self.value("truncated", &Value::Bool(true));
            self.number("original_bytes", original);
        }
    }

    /// Appends a user's field, here or at the end under `fields`.
    pub(super) fn field(&mut self, name: &'a str, value: Value<'a>) {
        if is_reserved(name, self.reserved) {
            return self.under_fields.push((name, value));
        }
        self.line.put_named(name, Raw::Value(value));
    }

    /// Appends `fields`, if it has members, and closes the object.
    pub(super) fn end(mut self) {
        if !self.under_fields.is_empty() {
            let fields = std::mem::take(&mut self.under_fields);
            put_object(self.key("fields"), fields.iter().map(|(name, value)| (*name, value)));
        }
        self.line.put(b"}");
        self.line.finish();
    }
}

/// Returns whether a name is one of `keys`, or, for readers that take dots for nesting, a part or a parent of one.
pub(super) fn is_reserved(name: &str, keys: &[&str]) -> bool {
    let Some(first) = name.as_bytes().first() else { return false };
    let inside = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    keys.iter().filter(|key| key.as_bytes().first() == Some(first)).any(|key| {
        name.strip_prefix(key).is_some_and(inside) || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Appends an object whose members have unique names.
pub(super) fn put_object<'m>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'m str, &'m Value<'m>)>) {
    out.push(b'{');
    for (place, (name, value)) in members.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        put_member(out, name, value);
    }
    out.push(b'}');
}

fn put_member(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    json::put_str(out, name);
    out.push(b':');
    json::put_value(out, value);
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
}
pub(super) use switches;
