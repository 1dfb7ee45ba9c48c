//! The binary form of captured fields: `key kind payload`, one after the other, integers little-endian.
//!
//! | key | means |
//! |---|---|
//! | 0–249 | index into the call site's declared fields |
//! | `NAMED` | a name follows: length (u16) and bytes |
//! | `THREAD` | not a field: the thread that logged |
//! | `CUT` | not a field: how many bytes of the field before it did not fit |
//! | `BACKTRACE` | not a field: the calls that led to the event |
//! | `HELD` | not a field: the event was held back |
//!
//! Reading never panics: a form that ends early ends the iteration.

use tracing::Metadata;

use super::Thread;
use super::value::{ErrorChain, Value};

pub(super) const NAMED: u8 = 250;
pub(super) const THREAD: u8 = 251;
pub(super) const CUT: u8 = 252;
pub(super) const BACKTRACE: u8 = 253;
pub(super) const HELD: u8 = 254;
/// Behind the fields of a record that was held back.
pub(crate) const HELD_MARK: [u8; 2] = [HELD, kind::TRUE];
/// Indexes from here on are carried by name.
pub(super) const MAX_INDEX: usize = 249;

pub(super) mod kind {
    pub(crate) const FALSE: u8 = 0;
    pub(crate) const TRUE: u8 = 1;
    pub(crate) const I64: u8 = 2;
    pub(crate) const U64: u8 = 3;
    pub(crate) const I128: u8 = 4;
    pub(crate) const U128: u8 = 5;
    pub(crate) const F64: u8 = 6;
    pub(crate) const STR: u8 = 7;
    pub(crate) const BYTES: u8 = 8;
    pub(crate) const ERROR: u8 = 9;
    pub(crate) const JSON: u8 = 10;
}

/// Which field a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// Index into the declared fields of the call site.
    Index(u8),
    /// A name that no call site declares.
    Name(&'a str),
    /// Not a field: the thread.
    Thread,
    /// Not a field: bytes that were cut.
    Cut,
    /// Not a field: the calls that led to the event.
    Backtrace,
    /// Not a field: the event was held back.
    Held,
}

impl<'a> Key<'a> {
    /// The field's name; `None` for what is not a field.
    #[inline]
    pub(crate) fn name(self, meta: &'static Metadata<'static>) -> Option<&'a str> {
        match self {
            Key::Index(index) => declared_name(meta, index),
            Key::Name(name) => Some(name),
            Key::Thread | Key::Cut | Key::Backtrace | Key::Held => None,
        }
    }
}

/// The name of a declared field as the user wrote it: `r#type` is `type`.
pub(crate) fn declared_name(meta: &'static Metadata<'static>, index: u8) -> Option<&'static str> {
    let field = meta.fields().iter().nth(usize::from(index))?;
    Some(plain_name(field.name()))
}

pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Reads captured fields one by one.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(form: &'a [u8]) -> Self {
        Self(form)
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// What is left behind the first declared fields with a text that is `harmless`, which can ask whether it was cut, or
    /// with an integer below `least`, or with neither.
    #[inline]
    pub(crate) fn behind(self, least: u64, harmless: impl Fn(&'a [u8], &dyn Fn() -> bool) -> bool) -> Self {
        let mut form = self.0;
        while let [0..NAMED, tag, payload @ ..] = form {
            // Texts first, as most fields are.
            form = if *tag == kind::STR {
                let Some((length, behind)) = payload.split_first_chunk() else { break };
                let Some((text, rest)) = behind.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
                if !harmless(text, &|| rest.first() == Some(&CUT)) {
                    break;
                }
                rest
            } else if matches!(*tag, kind::FALSE | kind::TRUE) {
                payload
            } else {
                let Some((number, rest)) = payload.split_first_chunk() else { break };
                let is_small = matches!(*tag, kind::I64 | kind::U64) && u64::from_le_bytes(*number) < least;
                if !is_small && *tag != kind::F64 {
                    break;
                }
                rest
            };
        }
        Fields(form)
    }

    /// Whether something of what has not been read yet was cut.
    pub(crate) fn has_cuts(mut self) -> bool {
        std::iter::from_fn(|| self.next_raw()).any(|(key, _)| key == Key::Cut)
    }

    /// Whether the text that was read last was cut.
    #[inline]
    pub(crate) fn was_cut(&self) -> bool {
        self.0.first() == Some(&CUT)
    }

    /// The next field, its text not looked at.
    #[inline]
    pub(crate) fn next_raw(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let field = self.read();
        if field.is_none() {
            self.0 = &[];
        }
        field
    }

    #[inline]
    fn read(&mut self) -> Option<(Key<'a>, Raw<'a>)> {
        let (&key, rest) = self.0.split_first()?;
        self.0 = rest;
        let key = match key {
            index @ 0..NAMED => Key::Index(index),
            NAMED => Key::Name(text(take_u16(&mut self.0)?)),
            THREAD => Key::Thread,
            BACKTRACE => Key::Backtrace,
            HELD => Key::Held,
            _ => Key::Cut,
        };
        Some((key, self.value()?))
    }

    #[inline]
    fn value(&mut self) -> Option<Raw<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(Raw::Value(match tag {
            kind::STR => return take_u32(&mut self.0).map(Raw::Text),
            kind::FALSE => Value::Bool(false),
            kind::TRUE => Value::Bool(true),
            kind::I64 => Value::I64(i64::from_le_bytes(take(&mut self.0)?)),
            kind::U64 => Value::U64(u64::from_le_bytes(take(&mut self.0)?)),
            kind::I128 => Value::I128(i128::from_le_bytes(take(&mut self.0)?)),
            kind::U128 => Value::U128(u128::from_le_bytes(take(&mut self.0)?)),
            kind::F64 => Value::F64(f64::from_le_bytes(take(&mut self.0)?)),
            kind::BYTES => Value::Bytes(take_u32(&mut self.0)?),
            kind::ERROR => Value::Error(ErrorChain(take_u32(&mut self.0)?)),
            kind::JSON => Value::Json(text(take_u32(&mut self.0)?)),
            _ => return None,
        }))
    }
}

/// A value as it lies in the form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// The bytes of a `str`. Whether they are UTF-8 is not looked at again before it matters.
    Text(&'a [u8]),
    /// Anything else.
    Value(Value<'a>),
}

impl<'a> Raw<'a> {
    #[inline]
    pub(crate) fn value(self) -> Value<'a> {
        match self {
            Raw::Text(bytes) => Value::Str(text(bytes)),
            Raw::Value(value) => value,
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Key<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_raw().map(|(key, raw)| (key, raw.value()))
    }
}

impl<'a> Raw<'a> {
    /// Bytes of the value in the form, its kind included.
    pub(crate) fn form_bytes(&self) -> usize {
        match self {
            Raw::Value(Value::Bool(_)) => 1,
            Raw::Value(Value::I64(_) | Value::U64(_) | Value::F64(_)) => 1 + 8,
            Raw::Value(Value::I128(_) | Value::U128(_)) => 1 + 16,
            Raw::Text(text) | Raw::Value(Value::Bytes(text)) => 5 + text.len(),
            Raw::Value(Value::Str(text) | Value::Json(text)) => 5 + text.len(),
            Raw::Value(Value::Error(chain)) => 5 + chain.0.len(),
        }
    }
}

/// Reads the texts of an error chain, length (u32) and bytes, one after the other: its type, which may be empty, its
/// message, those of its sources.
pub(super) struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    pub(super) fn new(form: &'a [u8]) -> Self {
        Self(form)
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        take_u32(&mut self.0).map(text)
    }
}

/// The thread that logged. Written as a text: the number (u64), then the name's bytes.
pub(super) fn thread(form: &[u8]) -> Option<Thread<'_>> {
    let (_, value) = Fields::new(form).find(|(key, _)| *key == Key::Thread)?;
    let Value::Bytes(mut bytes) = value else { return None };
    let id = u64::from_le_bytes(take(&mut bytes)?);
    let name = text(bytes);
    Some(Thread { id, name: (!name.is_empty()).then_some(name) })
}

/// Appends a field that no call site declares.
pub(crate) fn put_named(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    put_name(out, name);
    put_value(out, value);
}

/// Appends the key of a field that no call site declares.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = super::value::prefix(name, usize::from(u16::MAX));
    out.push(NAMED);
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Appends a value behind its key.
pub(crate) fn put_raw(out: &mut Vec<u8>, raw: Raw<'_>) {
    match raw {
        Raw::Text(text) => put_long(out, kind::STR, text),
        Raw::Value(value) => put_value(out, &value),
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Bool(on) => out.push(if on { kind::TRUE } else { kind::FALSE }),
        Value::I64(number) => put(out, kind::I64, &number.to_le_bytes()),
        Value::U64(number) => put(out, kind::U64, &number.to_le_bytes()),
        Value::I128(number) => put(out, kind::I128, &number.to_le_bytes()),
        Value::U128(number) => put(out, kind::U128, &number.to_le_bytes()),
        Value::F64(number) => put(out, kind::F64, &number.to_le_bytes()),
        Value::Str(text) => put_long(out, kind::STR, text.as_bytes()),
        Value::Bytes(bytes) => put_long(out, kind::BYTES, bytes),
        Value::Error(chain) => put_long(out, kind::ERROR, chain.0),
        Value::Json(text) => put_long(out, kind::JSON, text.as_bytes()),
    }
}

#[inline]
pub(super) fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(payload);
}

#[inline]
pub(super) fn put_long(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Appends bytes. A short text, as nearly all are, is put into a block of constant size first: cheaper than a call to copy a
/// number of bytes that is not known.
#[inline]
pub(super) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match block(bytes) {
        Some(block) => {
            let length = out.len() + bytes.len();
            out.extend_from_slice(&block);
            out.truncate(length);
        }
        None => out.extend_from_slice(bytes),
    }
}

/// Four to sixteen bytes at the beginning of a block, from two words that overlap.
#[inline]
fn block(bytes: &[u8]) -> Option<[u8; 16]> {
    let block = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        if bytes.len() > 16 {
            return None;
        }
        let behind = u128::from(u64::from_le_bytes(*last)) << (8 * (bytes.len() - 8));
        behind | u128::from(u64::from_le_bytes(*first))
    } else {
        let (first, last) = (bytes.first_chunk::<4>()?, bytes.last_chunk::<4>()?);
        u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4))
    };
    Some(block.to_le_bytes())
}

/// The fields of `old` with those of `new` in their place or behind them: one value for each key.
pub(crate) fn merge(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut merged = Vec::with_capacity(old.len() + new.len());
    for form in [old, new] {
        let mut fields = Fields::new(form);
        loop {
            let before = fields.rest();
            let Some((key, _)) = fields.next() else { break };
            let mut behind = fields.clone();
            if let Some((Key::Cut, _)) = behind.next() {
                fields = behind;
            }
            let own = before.get(..before.len() - fields.rest().len()).unwrap_or_default();
            let mut later = fields.clone().chain(if std::ptr::eq(form, old) { Fields::new(new) } else { Fields(&[]) });
            if later.all(|(other, _)| other != key) {
                merged.extend_from_slice(own);
            }
        }
    }
    merged
}

#[inline]
fn take<const N: usize>(form: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = form.split_first_chunk::<N>()?;
    *form = rest;
    Some(*head)
}

#[inline]
fn take_u16<'a>(form: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_le_bytes(take(form)?);
    take_bytes(form, usize::from(length))
}

#[inline]
fn take_u32<'a>(form: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(form)?);
    take_bytes(form, length as usize)
}

#[inline]
fn take_bytes<'a>(form: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = form.split_at_checked(length)?;
    *form = rest;
    Some(head)
}

/// Texts were captured from `str`s, so this always succeeds.
#[inline]
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_fields_of_every_kind_read_back_as_they_were_put() {
        let values = [
            Value::Bool(true),
            Value::Bool(false),
            Value::I64(i64::MIN),
            Value::U64(u64::MAX),
            Value::I128(i128::MIN),
            Value::U128(u128::MAX),
            Value::F64(-0.5),
            Value::Str("text"),
            Value::Bytes(&[0, 255]),
            Value::Json("{}"),
        ];
        let mut form = Vec::new();
        for value in &values {
            put_named(&mut form, "käy", value);
        }
        let read: Vec<_> = Fields::new(&form).collect();
        assert_eq!(read, values.map(|value| (Key::Name("käy"), value)));
    }

    #[test]
    fn a_form_cut_anywhere_ends_the_iteration_without_a_panic() {
        let mut form = Vec::new();
        put_named(&mut form, "a", &Value::Str("some text"));
        put_named(&mut form, "b", &Value::U128(7));
        for end in 0..form.len() {
            assert!(Fields::new(&form[..end]).count() < 2);
        }
    }

    #[test]
    fn bytes_of_any_length_are_appended_as_they_are() {
        let bytes: Vec<u8> = (0..100).collect();
        for length in 0..bytes.len() {
            let mut out = vec![7];
            append(&mut out, &bytes[..length]);
            assert_eq!((out[0], &out[1..]), (7, &bytes[..length]));
        }
    }

    #[test]
    fn merging_keeps_the_last_value_of_each_key() {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        put_named(&mut old, "a", &Value::U64(1));
        put_named(&mut old, "b", &Value::U64(2));
        put_named(&mut new, "a", &Value::U64(3));
        put_named(&mut new, "c", &Value::U64(4));
        put_named(&mut new, "c", &Value::U64(5));
        let merged = merge(&old, &new);
        let read: Vec<_> = Fields::new(&merged).collect();
        assert_eq!(
            read,
            [(Key::Name("b"), Value::U64(2)), (Key::Name("a"), Value::U64(3)), (Key::Name("c"), Value::U64(5))]
        );
    }
}
