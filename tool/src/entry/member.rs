//! A member of a line: where its key and its value are.

use std::borrow::Cow;
use std::ops::Range;

use super::value::{Shape, Value, lossy};
use crate::loggers::string;

/// The name of a member.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// The bytes of the line at this place are the name.
    Line(Range<usize>),
    /// The form of the line gives it the name.
    Name(&'static str),
    /// The name differs from the bytes of the line: they have escapes.
    Text(String),
}

/// A key and its value, as places in a line.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: Key,
    pub(super) shape: Shape,
    pub(super) value: Range<usize>,
}

impl Member {
    /// Returns a member that the form of the line gives a name.
    pub(super) fn named(name: &'static str, shape: Shape, value: Range<usize>) -> Self {
        Self { key: Key::Name(name), shape, value }
    }

    pub(super) fn key<'e>(&'e self, line: &'e [u8]) -> &'e [u8] {
        match &self.key {
            Key::Line(range) => line.get(range.clone()).unwrap_or_default(),
            Key::Name(name) => name.as_bytes(),
            Key::Text(text) => text.as_bytes(),
        }
    }

    pub(super) fn value<'e>(&self, line: &'e [u8]) -> Value<'e> {
        Value::new(self.shape, line.get(self.value.clone()).unwrap_or_default())
    }
}

impl Key {
    /// Returns the key at a place in a JSON line, without its quotes.
    pub(super) fn of_json(line: &[u8], range: Range<usize>) -> Self {
        let raw = line.get(range.clone()).unwrap_or_default();
        if raw.contains(&b'\\') { Self::Text(json_key(raw).into_owned()) } else { Self::Line(range) }
    }
}

/// Returns the name that a JSON key stands for. `raw`: the key without its quotes.
pub(super) fn json_key(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return lossy(raw);
    }
    Cow::Owned(string(&format!("\"{}\"", String::from_utf8_lossy(raw))).into_owned())
}

/// Returns whether two names are equal. Most of those that are not differ at their ends, so few are compared as a whole.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.first() == other.first() && one.last() == other.last() && one == other
}

/// Returns whether a JSON key without its quotes stands for `name`.
pub(super) fn is_key(raw: &[u8], name: &str) -> bool {
    is_same(raw, name.as_bytes()) || memchr::memchr(b'\\', raw).is_some() && json_key(raw) == name
}
