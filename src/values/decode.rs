//! Reading captured fields.
//!
//! Fields follow one another as `key tag payload`. Integers are little-endian.
//!
//! | key | means |
//! |---|---|
//! | 0–249 | an index into the call site's declared fields |
//! | `NAMED` | a name follows: length (u16) and bytes |
//! | `THREAD` | not a field: the thread that logged |
//! | `TRUNCATED` | not a field: how many bytes of the preceding field did not fit |
//! | `BACKTRACE` | not a field: the calls that led to the event |
//! | `HELD_BACK` | not a field: the event was held back |
//!
//! Numbers have a payload of fixed size. Texts, bytes, errors, JSON and values to seal start with their length (u32).
//!
//! Reading never panics. Fields that end early end the iteration.

use tracing::{Metadata, field};

use super::bytes::{take, take_u16, take_u32, text};
use super::error_chain::ErrorChain;
use super::tag::{BACKTRACE, HELD_BACK, NAMED, THREAD, TRUNCATED, value_tag};
use super::value::Value;

/// Which field a value belongs to.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// An index into the declared fields of the call site.
    Index(u8),
    /// A name that no call site declares: the bytes of a `str`, checked for UTF-8 only by [`text`].
    Name(&'a [u8]),
    /// Not a field: the thread.
    Thread,
    /// Not a field: the number of bytes that the preceding field lost.
    Truncated,
    /// Not a field: the calls that led to the event.
    Backtrace,
    /// Not a field: the event was held back.
    HeldBack,
}

impl<'a> Key<'a> {
    /// Returns the field's name; `None` for what is not a field.
    #[inline]
    pub(crate) fn name(self, meta: &'static Metadata<'static>) -> Option<&'a str> {
        FieldNames::of(meta).name(self)
    }
}

/// The names of fields that are read one after the other.
///
/// tracing gives the declared fields only one by one. Fields are captured in nearly the same order, so this goes on where
/// the last name was found.
pub(crate) struct FieldNames {
    meta: &'static Metadata<'static>,
    declared: field::Iter,
    /// The index of the next one.
    next: usize,
}

impl FieldNames {
    pub(crate) fn of(meta: &'static Metadata<'static>) -> Self {
        Self { meta, declared: meta.fields().iter(), next: 0 }
    }

    /// Returns the field's name; `None` for what is not a field.
    #[inline]
    pub(crate) fn name<'a>(&mut self, key: Key<'a>) -> Option<&'a str> {
        match key {
            Key::Index(index) => self.declared(usize::from(index)),
            Key::Name(name) => Some(text(name)),
            Key::Thread | Key::Truncated | Key::Backtrace | Key::HeldBack => None,
        }
    }

    #[inline]
    fn declared(&mut self, index: usize) -> Option<&'static str> {
        if index < self.next {
            *self = Self::of(self.meta);
        }
        let field = self.declared.nth(index - self.next);
        self.next = index + 1;
        Some(plain_name(field?.name()))
    }
}

/// Returns the value of the first field with a name. `meta`: the call site of declared fields.
pub(crate) fn first_value_of<'a>(encoded: &'a [u8], meta: &Metadata<'static>, name: &str) -> Option<Value<'a>> {
    let index = meta.fields().iter().position(|field| plain_name(field.name()) == name);
    let mut fields = Fields::new(encoded);
    let is_named = |key| match key {
        Key::Index(other) => Some(usize::from(other)) == index,
        Key::Name(other) => other == name.as_bytes(),
        _ => false,
    };
    std::iter::from_fn(|| fields.next_raw()).find(|(key, _)| is_named(*key)).map(|(_, raw)| raw.value())
}

/// Returns the values of the fields with a name. `meta`: the call site of declared fields.
pub(crate) fn values_of<'a>(
    encoded: &'a [u8],
    meta: &'static Metadata<'static>,
    name: &str,
) -> impl Iterator<Item = Value<'a>> {
    // The indexes of the declared ones, as a set: the names are compared once, and texts of other fields are not read.
    let mut declared = [0u64; 4];
    for field in meta.fields().iter().filter(|field| plain_name(field.name()) == name) {
        if let Some(bits) = declared.get_mut(field.index() / 64) {
            *bits |= 1 << (field.index() % 64);
        }
    }
    let is_named = move |key| match key {
        Key::Index(index) => declared[usize::from(index) / 64] >> (index % 64) & 1 == 1,
        Key::Name(other) => other == name.as_bytes(),
        Key::Thread | Key::Truncated | Key::Backtrace | Key::HeldBack => false,
    };
    let mut fields = Fields::new(encoded);
    let named = std::iter::from_fn(move || fields.next_raw()).filter(move |(key, _)| is_named(*key));
    named.map(|(_, raw)| raw.value())
}

/// Returns the name of a declared field as the user wrote it: `r#type` is `type`.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Reads captured fields one by one.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The keys of declared fields are below this.
    pub(crate) const KEYS: u8 = NAMED;

    pub(crate) fn new(encoded: &'a [u8]) -> Self {
        Self(encoded)
    }

    /// Returns the bytes that have not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Skips leading declared fields with a key below `keys`, and returns the rest.
    ///
    /// A text is skipped when `is_skipped` says so. Integers below `least`, booleans and floats are skipped too.
    #[inline(always)]
    pub(crate) fn skip_plain(self, keys: u8, least: u64, is_skipped: impl Fn(&'a [u8]) -> bool) -> Self {
        self.skip_whole(keys, least, is_skipped).1
    }

    /// The same, but keeps a last text that was truncated.
    #[inline(always)]
    pub(crate) fn skip_untruncated(self, keys: u8, least: u64, is_skipped: impl Fn(&'a [u8]) -> bool) -> Self {
        let (last, rest) = self.skip_whole(keys, least, is_skipped);
        // This key is above `keys`, so it ends the leading fields.
        if rest.was_truncated() { last } else { rest }
    }

    /// Returns the last field that was skipped with all behind it, and the rest.
    #[inline(always)]
    fn skip_whole(self, keys: u8, least: u64, is_skipped: impl Fn(&'a [u8]) -> bool) -> (Self, Self) {
        let mut encoded = self.0;
        let mut last = encoded;
        while let [key, tag, payload @ ..] = encoded
            && *key < keys
        {
            // Texts first: most fields are texts.
            let rest = if *tag == value_tag::STR {
                let Some((length, after)) = payload.split_first_chunk() else { break };
                let Some((text, rest)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
                if !is_skipped(text) {
                    break;
                }
                rest
            } else if matches!(*tag, value_tag::FALSE | value_tag::TRUE) {
                payload
            } else {
                let Some((number, rest)) = payload.split_first_chunk() else { break };
                let is_small = matches!(*tag, value_tag::I64 | value_tag::U64) && u64::from_le_bytes(*number) < least;
                if !is_small && *tag != value_tag::F64 {
                    break;
                }
                rest
            };
            (last, encoded) = (encoded, rest);
        }
        (Fields(last), Fields(encoded))
    }

    /// Skips the fields that end before a place, or there.
    pub(crate) fn skip_to(mut self, place: usize) -> Self {
        let place = self.0.get(place..).unwrap_or_default().len();
        let mut next = self.clone();
        while next.next_raw().is_some() && next.0.len() >= place {
            self = next.clone();
        }
        self
    }

    /// Returns the text that a place is in, or that ends there, and where it begins.
    pub(crate) fn text_around(mut self, place: usize) -> Option<(usize, &'a [u8])> {
        let length = self.0.len();
        loop {
            let (_, raw) = self.next_raw()?;
            let end = length - self.0.len();
            if place <= end {
                let Raw::Text(text) = raw else { return None };
                let start = end - text.len();
                return (start <= place).then_some((start, text));
            }
        }
    }

    /// Returns whether any field that has not been read yet was truncated.
    pub(crate) fn has_truncated(mut self) -> bool {
        std::iter::from_fn(|| self.next_raw()).any(|(key, _)| key == Key::Truncated)
    }

    /// Returns whether the field that was read last was truncated.
    #[inline]
    pub(crate) fn was_truncated(&self) -> bool {
        self.0.first() == Some(&TRUNCATED)
    }

    /// Reads the next field without checking its text for UTF-8.
    #[inline(always)]
    pub(crate) fn next_raw(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        // Most fields are declared texts.
        if let [index @ 0..NAMED, value_tag::STR, payload @ ..] = self.0
            && let Some((length, after)) = payload.split_first_chunk()
            && let Some((text, rest)) = after.split_at_checked(u32::from_le_bytes(*length) as usize)
        {
            self.0 = rest;
            return Some((Key::Index(*index), Raw::Text(text)));
        }
        self.next_other()
    }

    /// The same, for the one loop that reads nearly all fields: what it does with a value is decided with its type.
    #[inline(always)]
    pub(crate) fn next_raw_at_once(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        field
    }

    #[inline(never)]
    fn next_other(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        field
    }

    #[inline(always)]
    fn read(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let (&key, rest) = self.0.split_first()?;
        self.0 = rest;
        let key = match key {
            index @ 0..NAMED => Key::Index(index),
            NAMED => Key::Name(take_u16(&mut self.0)?),
            THREAD => Key::Thread,
            BACKTRACE => Key::Backtrace,
            HELD_BACK => Key::HeldBack,
            _ => Key::Truncated,
        };
        Some((key, self.value()?))
    }

    #[inline(always)]
    fn value(&mut self) -> Option<Raw<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(Raw::Value(match tag {
            value_tag::STR => return take_u32(&mut self.0).map(Raw::Text),
            value_tag::FALSE => Value::Bool(false),
            value_tag::TRUE => Value::Bool(true),
            value_tag::I64 => Value::I64(i64::from_le_bytes(take(&mut self.0)?)),
            value_tag::U64 => Value::U64(u64::from_le_bytes(take(&mut self.0)?)),
            value_tag::I128 => Value::I128(i128::from_le_bytes(take(&mut self.0)?)),
            value_tag::U128 => Value::U128(u128::from_le_bytes(take(&mut self.0)?)),
            value_tag::F64 => Value::F64(f64::from_le_bytes(take(&mut self.0)?)),
            value_tag::BYTES => Value::Bytes(take_u32(&mut self.0)?),
            value_tag::ERROR => Value::Error(ErrorChain::of(take_u32(&mut self.0)?)),
            value_tag::JSON => Value::Json(text(take_u32(&mut self.0)?)),
            value_tag::SEALED => return take_u32(&mut self.0).map(Raw::Sealed),
            _ => return None,
        }))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Key<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_raw().map(|(key, raw)| (key, raw.value()))
    }
}

/// A value as it is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// The bytes of a `str`. They are checked for UTF-8 only when that matters.
    Text(&'a [u8]),
    /// The JSON of a value that is shown only sealed. Those who do not seal it see [`UNSEALED`].
    Sealed(&'a [u8]),
    /// Any other value.
    Value(Value<'a>),
}

/// What stands for a value that is shown only sealed.
pub(crate) const UNSEALED: &str = "sealed";

impl<'a> Raw<'a> {
    #[inline]
    pub(crate) fn value(self) -> Value<'a> {
        match self {
            Raw::Text(bytes) => Value::Str(text(bytes)),
            Raw::Sealed(_) => Value::Str(UNSEALED),
            Raw::Value(value) => value,
        }
    }

    /// Returns the size of the encoded value in bytes, its tag included.
    pub(crate) fn encoded_bytes(&self) -> usize {
        match self {
            Raw::Value(Value::Bool(_)) => 1,
            Raw::Value(Value::I64(_) | Value::U64(_) | Value::F64(_)) => 1 + 8,
            Raw::Value(Value::I128(_) | Value::U128(_)) => 1 + 16,
            Raw::Text(text) | Raw::Sealed(text) | Raw::Value(Value::Bytes(text)) => 5 + text.len(),
            Raw::Value(Value::Str(text) | Value::Json(text)) => 5 + text.len(),
            Raw::Value(Value::Error(chain)) => 5 + chain.encoded().len(),
        }
    }
}
