//! JSON text: the only escaping.
//!
//! Beyond what RFC 8259 demands, everything that could disturb a terminal, a viewer or a line-based reader is
//! escaped: DEL, the C1 controls, U+2028 and U+2029, the bidirectional controls and U+FEFF. A reader gets the same
//! text back either way.

mod draft;

pub(crate) use draft::{Draft, DraftBytes, Piece};

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::{ErrorChain, Value};

/// Nested values deeper than this are written as text: common readers stop at 128, the line itself included.
const MAX_DEPTH: usize = 120;

/// Appends `text` as a JSON string with its quotes.
#[inline]
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    put_escaped(out, text);
    out.push(b'"');
}

/// Appends a value as JSON: numbers exact as far as readers keep them exact (64 bits), wider ones and the numbers
/// that JSON lacks as strings, bytes as base64, errors as objects, structured values nested with unique keys.
#[inline]
pub fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Str(text) => put_str(out, text),
        Value::U64(number) => put_int(out, number),
        Value::I64(number) => put_int(out, number),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::F64(number) => put_float(out, number),
        Value::U128(number) => match u64::try_from(number) {
            Ok(number) => put_int(out, number),
            Err(_) => put_quoted_int(out, number),
        },
        Value::I128(number) => match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => put_int(out, number),
            (_, Ok(number)) => put_int(out, number),
            _ => put_quoted_int(out, number),
        },
        Value::Bytes(bytes) => put_str(out, &STANDARD.encode(bytes)),
        Value::Error(chain) => put_error(out, chain),
        Value::Json(text) => put_json(out, text, MAX_DEPTH),
    }
}

/// Appends an error as `{"message":…,"type":…,"chain":[…]}`; one that tells no type has none there.
fn put_error(out: &mut Vec<u8>, chain: ErrorChain<'_>) {
    out.extend_from_slice(b"{\"message\":");
    put_str(out, chain.message());
    out.extend_from_slice(b",\"chain\":[");
    for (place, source) in chain.sources().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        put_str(out, source);
    }
    out.extend_from_slice(b"]}");
}

/// Appends what stands under `error`: the chain of an error, or a text alone.
pub(super) fn put_error_object(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Error(chain) => put_error(out, chain),
        ref value => {
            out.extend_from_slice(b"{\"message\":");
            put_str(out, &text_of(value));
            out.push(b'}');
        }
    }
}

/// A value as text, for readers that take nothing else: an error with its sources, JSON as it is.
pub(super) fn text_of<'v>(value: &Value<'v>) -> Cow<'v, str> {
    match *value {
        Value::Str(text) | Value::Json(text) => Cow::Borrowed(text),
        Value::Error(chain) => {
            chain.sources().fold(chain.message().to_owned(), |text, source| text + ": " + source).into()
        }
        ref value => {
            let mut out = Vec::new();
            put_value(&mut out, value);
            String::from_utf8_lossy(&out).trim_matches('"').to_owned().into()
        }
    }
}

#[inline]
pub(super) fn put_int(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_quoted_int(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.push(b'"');
    put_int(out, number);
    out.push(b'"');
}

fn put_float(out: &mut Vec<u8>, number: f64) {
    let text: &[u8] = if number.is_nan() {
        b"\"NaN\""
    } else if number == f64::INFINITY {
        b"\"Infinity\""
    } else if number == f64::NEG_INFINITY {
        b"\"-Infinity\""
    } else {
        return out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    };
    out.extend_from_slice(text);
}

/// Appends JSON text in our own escaping, the last of equal keys alone; what is not JSON as a string.
fn put_json(out: &mut Vec<u8>, text: &str, depth: usize) {
    let start = out.len();
    if try_put_json(out, text, depth).is_none() {
        out.truncate(start);
        put_str(out, text);
    }
}

fn try_put_json(out: &mut Vec<u8>, text: &str, depth: usize) -> Option<()> {
    let text = text.trim_ascii();
    match text.as_bytes().first()? {
        b'{' => {
            let Pairs(pairs) = serde_json::from_str(text).ok().filter(|_| depth > 0)?;
            out.push(b'{');
            for (place, (key, value)) in last_of_equal(&pairs).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_str(out, key);
                out.push(b':');
                put_json(out, value, depth - 1);
            }
            out.push(b'}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok().filter(|_| depth > 0)?;
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                put_json(out, item.get(), depth - 1);
            }
            out.push(b']');
        }
        b'"' => put_str(out, &serde_json::from_str::<String>(text).ok()?),
        _ => {
            serde_json::from_str::<&RawValue>(text).ok()?;
            // Readers that hold numbers in 64 bits refuse the whole line for one that is beyond them.
            if text.parse::<f64>().is_ok_and(f64::is_infinite) {
                return None;
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    Some(())
}

/// The members of an object in their order, equal keys included.
pub(super) struct Pairs<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Of members with equal keys the last, each with its value's text.
pub(super) fn last_of_equal<'p>(pairs: &'p [(Cow<'p, str>, &'p RawValue)]) -> impl Iterator<Item = (&'p str, &'p str)> {
    let last: HashMap<&str, usize> = pairs.iter().enumerate().map(|(place, (key, _))| (&**key, place)).collect();
    let pairs = pairs.iter().enumerate();
    pairs
        .filter(move |(place, (key, _))| last.get(&**key) == Some(place))
        .map(|(_, (key, value))| (&**key, value.get()))
}

/// A key, copied only when it has escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Appends `text` escaped, without quotes.
///
/// Eight bytes at a time are looked at while they need no escape, which nearly all do not.
#[inline]
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let plain = plain_prefix(bytes);
    let (head, rest) = bytes.split_at(plain);
    out.extend_from_slice(head);
    if !rest.is_empty() {
        put_escaped_slow(out, text.get(plain..).unwrap_or_default());
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A word whose high bits (those in [`HIGH`]) are all zero exactly when each of its eight bytes is printable ASCII that
/// JSON takes as it is.
#[inline]
fn unplain(word: u64) -> u64 {
    // The high bit of a byte shows: itself ≥ 0x80; below 0x20; equal to the quote, the backslash or DEL.
    let below = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let slash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
    word | below | quote | slash | delete
}

/// How many bytes at the beginning are plain.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut plain = 0;
    for word in words {
        let found = unplain(u64::from_le_bytes(*word)) & HIGH;
        if found != 0 {
            return plain + found.trailing_zeros() as usize / 8;
        }
        plain += 8;
    }
    plain + byte_wise(rest)
}

#[inline]
fn byte_wise(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0).unwrap_or(bytes.len())
}

/// For each byte: zero when it is plain, the letter of a short escape, or [`OTHER`].
const ESCAPES: [u8; 256] = {
    let mut escapes = [OTHER; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        escapes[byte] = 0;
        byte += 1;
    }
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[0x8] = b'b';
    escapes[0xc] = b'f';
    escapes
};
const OTHER: u8 = 1;

/// In a text with one escape there are likely more: bytes are looked at one by one so far, then words again.
const NEAR_BYTES: usize = 16;

/// Appends what begins with a character that is not plain.
fn put_escaped_slow(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match ESCAPES[usize::from(*byte)] {
            0 => {
                let rest = bytes.get(at..).unwrap_or_default();
                let near = rest.iter().take(NEAR_BYTES).take_while(|byte| ESCAPES[usize::from(**byte)] == 0).count();
                let plain = if near < NEAR_BYTES { near } else { plain_prefix(rest) };
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                at += plain;
            }
            OTHER => at += put_unplain(out, text.get(at..).unwrap_or_default()).max(1),
            letter => {
                out.extend_from_slice(&[b'\\', letter]);
                at += 1;
            }
        }
    }
}

/// Appends one unsafe character, or a run of those that are safe but not ASCII; returns how many bytes that was.
fn put_unplain(out: &mut Vec<u8>, text: &str) -> usize {
    match text.char_indices().find(|(_, char)| char.is_ascii() || is_unsafe(*char)) {
        Some((0, char)) => {
            put_unicode_escape(out, char);
            char.len_utf8()
        }
        found => {
            let length = found.map_or(text.len(), |(at, _)| at);
            out.extend_from_slice(text.as_bytes().get(..length).unwrap_or_default());
            length
        }
    }
}

/// Whether a character could disturb whoever looks at it: controls, line separators, bidirectional controls, BOM.
pub(super) fn is_unsafe(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// All unsafe characters are in the basic plane: one escape each.
fn put_unicode_escape(out: &mut Vec<u8>, char: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let code = u32::from(char);
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift & 0xf) as usize]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        put_str(&mut out, text);
        String::from_utf8(out).expect("UTF-8")
    }

    fn value(value: Value<'_>) -> String {
        let mut out = Vec::new();
        put_value(&mut out, &value);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn promise_33_every_character_reads_back_and_the_unsafe_ones_are_escaped() {
        for char in (0..=0x10ffff).filter_map(char::from_u32) {
            for text in [format!("{char}"), format!("some text {char} and more of it, long enough")] {
                let json = string(&text);
                assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
                assert!(!json.chars().any(is_unsafe), "{json:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_string_reads_back_equal(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).expect("JSON"), text);
        }

        #[test]
        fn the_plain_prefix_is_what_a_look_at_each_byte_says(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(plain_prefix(&bytes), byte_wise(&bytes));
        }

        #[test]
        fn promise_34_numbers_read_back_exactly(bits in any::<u64>()) {
            let float = f64::from_bits(bits);
            if float.is_finite() {
                prop_assert_eq!(value(Value::F64(float)).parse::<f64>().expect("a number").to_bits(), bits);
            }
            prop_assert_eq!(serde_json::from_str::<u64>(&value(Value::U64(bits))).expect("JSON"), bits);
            prop_assert_eq!(serde_json::from_str::<i64>(&value(Value::I64(bits as i64))).expect("JSON"), bits as i64);
        }
    }

    #[test]
    fn promise_34_wide_numbers_and_those_json_lacks_are_told_apart() {
        assert_eq!(value(Value::U128(u128::from(u64::MAX))), "18446744073709551615");
        assert_eq!(value(Value::U128(u128::MAX)), "\"340282366920938463463374607431768211455\"");
        assert_eq!(value(Value::I128(-5)), "-5");
        assert_eq!(value(Value::I128(i128::MIN)), "\"-170141183460469231731687303715884105728\"");
        assert_eq!(value(Value::F64(f64::NAN)), "\"NaN\"");
        assert_eq!(value(Value::F64(f64::INFINITY)), "\"Infinity\"");
        assert_eq!(value(Value::F64(f64::NEG_INFINITY)), "\"-Infinity\"");
        assert_eq!(value(Value::F64(-0.0)), "-0.0");
    }

    #[test]
    fn promise_31_nested_values_keep_the_last_of_equal_keys_at_every_depth() {
        assert_eq!(
            value(Value::Json(r#"{"a":1,"b":{"x":1,"x":2},"a":[{"y":1,"y":2}]}"#)),
            r#"{"b":{"x":2},"a":[{"y":2}]}"#
        );
    }

    #[test]
    fn nested_numbers_stay_as_they_are_and_nested_text_is_escaped() {
        let json = "{\"n\":123456789012345678901234567890.5,\"t\":\"\u{202e}x\",\"e\":[],\"o\":{},\"z\":null}";
        assert_eq!(
            value(Value::Json(json)),
            r#"{"n":123456789012345678901234567890.5,"t":"\u202ex","e":[],"o":{},"z":null}"#
        );
    }

    #[test]
    fn what_is_not_json_after_all_becomes_text() {
        for text in ["{\"a\":", "[1,2", "nul", "", "1 2"] {
            assert_eq!(value(Value::Json(text)), string(text));
        }
        let deep = "[".repeat(500) + &"]".repeat(500);
        let json = value(Value::Json(&deep));
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "as deep as serde_json reads");
        assert!(json.len() < 2 * deep.len());
    }
}
