//! Writing fields: the counterpart of [`decode`](super::decode).

use smallvec::SmallVec;

use super::decode::{Fields, Key, Raw};
use super::tag::{NAMED, value_tag};
use super::text::prefix;
use super::value::Value;
use crate::names::last_of_each;

/// The fields of one span. Those of most spans need no further memory.
pub(crate) type FieldBytes = SmallVec<[u8; 128]>;

/// Appends a field that no call site declares.
pub(crate) fn put_named(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    put_name(out, name);
    put_value(out, value);
}

/// Appends the key of a field that no call site declares.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &str) {
    let name = prefix(name, usize::from(u16::MAX));
    out.push(NAMED);
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Appends a value; its key must already be there.
pub(crate) fn put_raw(out: &mut Vec<u8>, raw: Raw<'_>) {
    match raw {
        Raw::Text(text) => put_long(out, value_tag::STR, text),
        Raw::Sealed(text) => put_long(out, value_tag::SEALED, text),
        Raw::Value(value) => put_value(out, &value),
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Bool(on) => out.push(if on { value_tag::TRUE } else { value_tag::FALSE }),
        Value::I64(number) => put(out, value_tag::I64, &number.to_le_bytes()),
        Value::U64(number) => put(out, value_tag::U64, &number.to_le_bytes()),
        Value::I128(number) => put(out, value_tag::I128, &number.to_le_bytes()),
        Value::U128(number) => put(out, value_tag::U128, &number.to_le_bytes()),
        Value::F64(number) => put(out, value_tag::F64, &number.to_le_bytes()),
        Value::Str(text) => put_long(out, value_tag::STR, text.as_bytes()),
        Value::Bytes(bytes) => put_long(out, value_tag::BYTES, bytes),
        Value::Error(chain) => put_long(out, value_tag::ERROR, chain.encoded()),
        Value::Json(text) => put_long(out, value_tag::JSON, text.as_bytes()),
    }
}

/// Appends a tag and a payload of fixed size.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    out.push(tag);
    out.extend_from_slice(payload);
}

/// Appends a tag, a length and a payload.
#[inline]
pub(crate) fn put_long(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Appends bytes.
///
/// Most texts are short. Copying them into a block of constant size first is cheaper than a call that copies a number of
/// bytes unknown at compile time.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    match block(bytes) {
        Some(block) => {
            let length = out.len() + bytes.len();
            out.extend_from_slice(&block);
            out.truncate(length);
        }
        None => out.extend_from_slice(bytes),
    }
}

/// Puts four to sixteen bytes at the beginning of a block, by two words that overlap.
#[inline]
fn block(bytes: &[u8]) -> Option<[u8; 16]> {
    let block = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        if bytes.len() > 16 {
            return None;
        }
        let tail = u128::from(u64::from_le_bytes(*last)) << (8 * (bytes.len() - 8));
        tail | u128::from(u64::from_le_bytes(*first))
    } else {
        let (first, last) = (bytes.first_chunk::<4>()?, bytes.last_chunk::<4>()?);
        u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4))
    };
    Some(block.to_le_bytes())
}

/// Appends the merged fields of two sets, where each key has one value: a field of `new` replaces its namesake in `old`.
pub(crate) fn merge(old: &[u8], new: &[u8], merged: &mut FieldBytes) {
    let mut updates = with_bytes(new);
    match (updates.next(), updates.next()) {
        // Nearly always: one field was recorded.
        (Some((name, update)), None) => {
            with_bytes(old).filter(|(other, _)| *other != name).for_each(|(_, bytes)| merged.extend_from_slice(bytes));
            merged.extend_from_slice(update);
        }
        _ => {
            let all = last_of_each(with_bytes(old).chain(with_bytes(new)));
            all.for_each(|(_, bytes)| merged.extend_from_slice(bytes));
        }
    }
}

/// Reads fields with all their bytes: the key, the value and what it lost.
pub(crate) fn with_bytes(encoded: &[u8]) -> impl Iterator<Item = (Key<'_>, &[u8])> {
    let mut fields = Fields::new(encoded);
    std::iter::from_fn(move || {
        let before = fields.rest();
        let (key, _) = fields.next_raw()?;
        if fields.was_truncated() {
            fields.next_raw();
        }
        Some((key, before.get(..before.len() - fields.rest().len()).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_fields_of_every_type_read_back_as_they_were_put() {
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
        let mut encoded = Vec::new();
        for value in &values {
            put_named(&mut encoded, "käy", value);
        }
        let read: Vec<_> = Fields::new(&encoded).collect();
        assert_eq!(read, values.map(|value| (Key::Name("käy".as_bytes()), value)));
    }

    #[test]
    fn an_encoding_cut_anywhere_ends_the_iteration_without_a_panic() {
        let mut encoded = Vec::new();
        put_named(&mut encoded, "a", &Value::Str("some text"));
        put_named(&mut encoded, "b", &Value::U128(7));
        for end in 0..encoded.len() {
            assert!(Fields::new(&encoded[..end]).count() < 2);
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
        let mut merged = FieldBytes::new();
        merge(&old, &new, &mut merged);
        let read: Vec<_> = Fields::new(&merged).collect();
        assert_eq!(
            read,
            [(Key::Name(b"b"), Value::U64(2)), (Key::Name(b"a"), Value::U64(3)), (Key::Name(b"c"), Value::U64(5))]
        );
    }
}
