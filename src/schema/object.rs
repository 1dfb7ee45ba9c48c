//! A JSON object whose keys are unique, whatever the users' fields are called: what the schemas of JSON lines write with.
//!
//! A schema has a table of the keys it writes itself. A user's field whose name is one of them, or would be read as a
//! part of one or as what is around it (`trace` and `trace.id.x` beside `trace.id`), goes under `fields`. The users'
//! names are unique before, so all keys are.

use std::borrow::Cow;
use std::collections::HashSet;

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
    /// Goes on behind `head`, the opening brace and a first member. `reserved`: all keys that the schema may write.
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

    /// Appends a key of the schema's own; its value is to be appended to what is returned.
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

    /// Appends what there is of `truncated` and `original_bytes`.
    pub(super) fn truncation(&mut self, record: &Record<'_>) {
        if let Some(original) = record.original_bytes() {
            self.value("truncated", &Value::Bool(true));
            self.number("original_bytes", original);
        }
    }

    /// Appends a user's field, now or at the end under `fields`.
    pub(super) fn field(&mut self, name: &'a str, value: Value<'a>) {
        if is_reserved(name, self.reserved) {
            return self.under_fields.push((name, value));
        }
        self.line.put_named(name, Raw::Value(value));
    }

    /// Appends `fields`, where there is something to go there, and closes the object.
    pub(super) fn end(mut self) {
        if !self.under_fields.is_empty() {
            let fields = std::mem::take(&mut self.under_fields);
            put_object(self.key("fields"), fields.iter().map(|(name, value)| (*name, value)));
        }
        self.line.put(b"}");
        self.line.finish();
    }
}

/// Whether a name is a key of the table, a part of one, or what is around one, for readers who take dots for nesting.
pub(super) fn is_reserved(name: &str, keys: &[&str]) -> bool {
    let Some(first) = name.as_bytes().first() else { return false };
    let inside = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    keys.iter().filter(|key| key.as_bytes().first() == Some(first)).any(|key| {
        name.strip_prefix(key).is_some_and(inside) || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Appends an object of members whose names are unique.
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

/// Names that were changed to please a reader may have become equal to others: these get a number behind them.
pub(super) fn tell_apart<T>(fields: &mut [(Cow<'_, str>, T)]) {
    if fields.iter().all(|(name, _)| matches!(name, Cow::Borrowed(_))) {
        return;
    }
    let unchanged = fields.iter().filter(|(name, _)| matches!(name, Cow::Borrowed(_)));
    let mut used: HashSet<String> = unchanged.map(|(name, _)| name.clone().into_owned()).collect();
    for name in fields.iter_mut().map(|(name, _)| name).filter(|name| matches!(name, Cow::Owned(_))) {
        let wanted = name.clone().into_owned();
        let mut numbered = (2..).map(|number| format!("{wanted}_{number}"));
        while !used.insert(name.clone().into_owned()) {
            *name = Cow::Owned(numbered.next().unwrap_or_default());
        }
    }
}

/// The switches that several schemas have.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(mut self) -> Self {
            self.$name = true;
            self
        })*
    };
}
pub(super) use switches;
