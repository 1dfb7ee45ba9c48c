//! Writes values as JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::escape::put_str;
use super::nested::put_json;
use crate::record::{ErrorChain, Value};

/// Appends a value as JSON.
///
/// Numbers are exact as far as readers keep them exact (64 bits). Wider numbers, and those that JSON lacks, become
/// strings; bytes become base64, errors objects. Structured values are nested, with unique keys.
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
        Value::Json(text) => put_json(out, text),
    }
}

/// Appends an error as `{"message":…,"chain":[…]}`.
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

/// Appends what is under the key `error`: an error with its sources and its type, or only a text.
pub(in crate::schema) fn put_error_object(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Error(chain) => {
            let start = out.len();
            put_error(out, chain);
            if let (Some(type_name), Some(end)) =
                (chain.type_name(), out.len().checked_sub(1).filter(|end| *end > start))
            {
                out.truncate(end);
                out.extend_from_slice(b",\"type\":");
                put_str(out, type_name);
                out.push(b'}');
            }
        }
        ref value => {
            out.extend_from_slice(b"{\"message\":");
            put_str(out, &text_of(value));
            out.push(b'}');
        }
    }
}

/// Returns a value as text, for readers that take nothing else: an error with its sources, JSON as it is.
pub(in crate::schema) fn text_of<'v>(value: &Value<'v>) -> Cow<'v, str> {
    match *value {
        Value::Str(text) | Value::Json(text) => Cow::Borrowed(text),
        Value::Bool(on) => Cow::Borrowed(if on { "true" } else { "false" }),
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
pub(in crate::schema) fn put_int(out: &mut Vec<u8>, number: impl itoa::Integer) {
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

#[cfg(test)]
mod tests {
    use super::super::escape::{byte_wise, is_unsafe, plain_prefix};
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
        let check = |text: &str| {
            let json = string(text);
            assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
            assert!(!json.chars().any(is_unsafe), "{json:?}");
            json
        };
        let all: Vec<_> = (0..=0x10ffff).filter_map(char::from_u32).collect();
        for (at, char) in all.iter().enumerate() {
            check(&format!("{char}"));
            // At each place in and between the chunks that are searched at once.
            let (before, behind) = ("é".repeat(at % 37 / 2) + &"x".repeat(at % 37 % 2), "x".repeat(40));
            let json = check(&format!("é{before}{char}{behind}"));
            assert_eq!(json.contains(*char), !is_unsafe(*char), "{json}");
        }
        for chars in all.chunks(211) {
            check(&chars.iter().collect::<String>());
        }
        for char in all.iter().filter(|char| is_unsafe(**char)) {
            for before in 0..80 {
                check(&("é".repeat(before / 2) + &"x".repeat(before % 2) + &char.to_string().repeat(70)));
            }
        }
    }

    proptest! {
        #[test]
        fn any_string_reads_back_equal(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).expect("JSON"), text);
        }

        #[test]
        fn the_plain_prefix_equals_a_bytewise_search(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
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
    fn promise_34_wide_numbers_and_numbers_that_json_lacks_become_strings() {
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
    fn nested_values_that_readers_refuse_become_text_and_the_rest_stays() {
        assert_eq!(
            value(Value::Json(
                " { \"a\" : {\"\\ud800\":[ 1 ]}, \"b\":\"\\udc00\", \"c\" : [1e400,\t1E5 ] , \"\\u0064\":1.0}\n"
            )),
            r#"{"a":"{\"\\ud800\":[ 1 ]}","b":"\"\\udc00\"","c":["1e400",1E5],"d":1.0}"#
        );
        for (open, inside, close) in [("[", "[]", "]"), ("{\"a\":", "{}", "}")] {
            let deep = |levels| open.repeat(levels) + inside + &close.repeat(levels);
            assert_eq!(value(Value::Json(&deep(119))), deep(119));
            let text = deep(120).replace(inside, &string(inside));
            assert_eq!(value(Value::Json(&deep(120))), text);
        }
    }

    #[test]
    fn text_that_is_not_json_becomes_a_string() {
        for text in ["{\"a\":", "[1,2", "nul", "", "1 2"] {
            assert_eq!(value(Value::Json(text)), string(text));
        }
        let deep = "[".repeat(500) + &"]".repeat(500);
        let json = value(Value::Json(&deep));
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "as deep as serde_json reads");
        assert!(json.len() < 2 * deep.len());
    }
}
