//! A value of a line, as its bytes.

use std::borrow::Cow;

use super::member::is_key;
use super::number::Number;
use super::special::is_plain;
use super::walk::{Kind, Walk, items};
use crate::loggers::string;

/// How the bytes of a value stand for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Json(Kind),
    /// A text as it is.
    Plain,
    /// What logfmt has without quotes: a number, `true`, `false`, or else a text.
    Bare,
    /// A parameter of syslog, where a backslash escapes a quote, a backslash and a bracket.
    Parameter,
    /// Syslog's priority, eight times the facility plus the severity.
    Priority,
}

/// A value of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'e> {
    shape: Shape,
    bytes: &'e [u8],
}

/// A value, decoded.
#[derive(Debug)]
pub(crate) enum Scalar<'e> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'e, str>),
    /// An object or an array: its JSON.
    Nested(Cow<'e, str>),
}

impl<'e> Value<'e> {
    pub(super) fn new(shape: Shape, bytes: &'e [u8]) -> Self {
        Self { shape, bytes }
    }

    pub(super) fn shape(self) -> Shape {
        self.shape
    }

    /// Returns the bytes in the line, with the quotes of a JSON string.
    pub(crate) fn bytes(self) -> &'e [u8] {
        self.bytes
    }

    pub(crate) fn is_object(self) -> bool {
        self.shape == Shape::Json(Kind::Object)
    }

    /// Returns whether it is a text.
    #[inline]
    pub(crate) fn is_text(self) -> bool {
        match self.shape {
            Shape::Json(Kind::Text) | Shape::Plain | Shape::Parameter => true,
            Shape::Bare => self.bare().is_none(),
            Shape::Json(_) | Shape::Priority => false,
        }
    }

    /// Returns whether it is a text without characters.
    #[inline]
    pub(super) fn is_empty_text(self) -> bool {
        self.is_text() && self.bytes.len() <= if matches!(self.shape, Shape::Json(_)) { "\"\"".len() } else { 0 }
    }

    /// Returns a JSON text whose bytes are themselves: ASCII without escapes. Takes less time than [`text`](Self::text).
    #[inline]
    pub(crate) fn plain_text(self) -> Option<&'e [u8]> {
        self.json_text().filter(|inside| is_plain(inside))
    }

    /// Returns how JSON spells the text, without its quotes.
    #[inline]
    pub(crate) fn json_text(self) -> Option<&'e [u8]> {
        let [b'"', inside @ .., b'"'] = self.bytes else { return None };
        (self.shape == Shape::Json(Kind::Text)).then_some(inside)
    }

    /// Returns whether [`shown`](Self::shown) returns this text. Takes less time.
    #[inline]
    pub(crate) fn is_text_of(self, text: &str) -> bool {
        match self.json_text() {
            Some([first, ..]) if *first != b'\\' && Some(first) != text.as_bytes().first() => false,
            _ => self.shown() == text,
        }
    }

    /// Returns the text, if it is one.
    pub(crate) fn text(self) -> Option<Cow<'e, str>> {
        if let Some(plain) = self.plain_text() {
            return Some(lossy(plain));
        }
        match self.shape {
            Shape::Json(Kind::Text) => Some(match lossy(self.bytes) {
                Cow::Borrowed(json) => string(json),
                Cow::Owned(json) => Cow::Owned(string(&json).into_owned()),
            }),
            Shape::Bare if self.bare().is_some() => None,
            Shape::Plain | Shape::Bare => Some(lossy(self.bytes)),
            Shape::Parameter => Some(parameter(self.bytes)),
            Shape::Json(_) | Shape::Priority => None,
        }
    }

    /// Returns what [`shown`](Self::shown) returns, if that is printable ASCII that stands in the line as it is, without
    /// quotes.
    pub(crate) fn ascii(self) -> Option<&'e [u8]> {
        let shown = match self.shape {
            Shape::Json(Kind::Text) => self.bytes.get(1..self.bytes.len().checked_sub(1)?)?,
            _ => self.bytes,
        };
        is_plain(shown).then_some(shown)
    }

    /// Returns the text, or what stands in the line for any other value.
    pub(crate) fn shown(self) -> Cow<'e, str> {
        self.text().unwrap_or_else(|| lossy(self.bytes))
    }

    pub(crate) fn scalar(self) -> Scalar<'e> {
        if let Some(text) = self.text() {
            return Scalar::Text(text);
        }
        match self.kind() {
            Kind::Null => Scalar::Null,
            Kind::True => Scalar::Bool(true),
            Kind::False => Scalar::Bool(false),
            Kind::Number => match Number::of(self.bytes) {
                Some(number) => Scalar::Number(number),
                None => Scalar::Text(self.shown()),
            },
            Kind::Text | Kind::Object | Kind::Array => Scalar::Nested(self.shown()),
        }
    }

    /// Returns the number, also one that a text is.
    pub(crate) fn number(self) -> Option<Number> {
        match self.shape {
            Shape::Json(Kind::Text) => Number::of(self.text()?.as_bytes()),
            _ => Number::of(self.bytes),
        }
    }

    /// Returns the members of an object; none for anything else.
    pub(crate) fn members(self) -> impl Iterator<Item = (&'e [u8], Value<'e>)> {
        let bytes = if self.is_object() { self.bytes } else { b"" };
        Walk::new(bytes).map(move |found| {
            let slice = |range| bytes.get(range).unwrap_or_default();
            (slice(found.key), Self { shape: Shape::Json(found.kind), bytes: slice(found.value) })
        })
    }

    /// Returns the member of an object. The last of equal keys wins.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        self.members().filter(|(key, _)| is_key(key, name)).last().map(|(_, value)| value)
    }

    /// Returns the values of an array; none for anything else.
    pub(crate) fn items(self) -> impl Iterator<Item = Self> {
        let bytes = if self.shape == Shape::Json(Kind::Array) { self.bytes } else { b"" };
        items(bytes, 0..bytes.len())
            .map(move |(kind, value)| Self { shape: Shape::Json(kind), bytes: bytes.get(value).unwrap_or_default() })
    }

    /// Appends the value as JSON.
    pub(crate) fn put_json(self, out: &mut String) {
        let raw = lossy(self.bytes);
        // Half of a surrogate pair is not for all readers.
        let is_ready = matches!(self.shape, Shape::Json(_)) && !raw.contains("\\u");
        match if is_ready { None } else { self.text() } {
            Some(text) => put_string(out, &text),
            None => out.push_str(&raw),
        }
    }

    fn kind(self) -> Kind {
        match self.shape {
            Shape::Json(kind) => kind,
            Shape::Priority => Kind::Number,
            Shape::Bare => self.bare().unwrap_or(Kind::Text),
            Shape::Plain | Shape::Parameter => Kind::Text,
        }
    }

    /// Returns what a value without quotes is if it is no text.
    fn bare(self) -> Option<Kind> {
        match self.bytes {
            b"true" => Some(Kind::True),
            b"false" => Some(Kind::False),
            number => Number::of(number).map(|_| Kind::Number),
        }
    }
}

/// Returns bytes as text. Those that are not UTF-8 are replaced.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Faster than the other function, which looks for the places.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Appends a text as a JSON string.
pub(crate) fn put_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    // A text is always written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Returns the text of a parameter. A backslash in front of other characters is itself.
fn parameter(bytes: &[u8]) -> Cow<'_, str> {
    let raw = String::from_utf8_lossy(bytes);
    if !raw.contains('\\') {
        return raw;
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(char) = chars.next() {
        match chars.next_if(|next| char == '\\' && matches!(next, '"' | '\\' | ']')) {
            Some(escaped) => text.push(escaped),
            None => text.push(char),
        }
    }
    Cow::Owned(text)
}
