//! Texts and values as people read them, never with a raw control character.

use std::io::Write;

use super::json::{self, Form};
use crate::record::Value;

/// Appends text, with its unsafe characters as Rust escapes.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    if is_printable(text.as_bytes()) {
        return out.extend_from_slice(text.as_bytes());
    }
    for char in text.chars() {
        if json::is_unsafe(char) {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Returns whether a text is printable ASCII.
fn is_printable(text: &[u8]) -> bool {
    json::is_plain_without(text, []) || text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Appends a value or a name; text that could be mistaken for something else is quoted.
pub(super) fn put_plain(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) if !text.is_empty() && !text.bytes().any(|byte| b" \"\\=".contains(&byte)) => {
            put_text(text, out);
        }
        Value::Error(_) => put_plain(&Value::Str(&json::text_of(value)), out),
        value => json::put_value(out, value),
    }
}

/// The form of values.
pub(super) const PLAIN: Form =
    Form::Bare(|text| !text.is_empty() && json::is_plain_without(text, [b' ', b'=']), put_plain);

/// The form of the message, which is not quoted.
pub(super) const MESSAGE: Form = Form::Bare(is_printable, |value, out| match value {
    Value::Str(text) => put_text(text, out),
    value => put_plain(value, out),
});
