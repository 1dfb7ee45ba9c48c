//! Texts that are safe for a terminal.

use super::logfmt::put_text;
use crate::entry::Value;
use crate::escape::{escaped_json, escaped_text, is_plain};

/// Writes a text with control characters escaped.
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(escaped_text(text).as_bytes());
    }
}

/// Writes a text in quotes if it needs them.
pub(super) fn put_quoted(out: &mut Vec<u8>, text: &str) {
    if is_bare(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    put_text(&mut quoted, text);
    out.extend_from_slice(escaped_json(&quoted).as_bytes());
}

/// Writes a value; a text in quotes if it needs them.
pub(super) fn put_shown(out: &mut Vec<u8>, value: Value<'_>) {
    match value.ascii() {
        Some(ascii) if is_bare(ascii) || !value.is_text() => out.extend_from_slice(ascii),
        _ => match value.text() {
            Some(text) => put_quoted(out, &text),
            None => out.extend_from_slice(escaped_json(&value.shown()).as_bytes()),
        },
    }
}

/// Returns whether a text is ASCII that needs neither quotes nor escapes.
fn is_bare(text: &[u8]) -> bool {
    let is_other = |byte: &u8| !matches!(byte, b'!'..=b'~') | matches!(byte, b'=' | b'"' | b'\\');
    let has_other = |bytes: &[u8]| bytes.iter().fold(false, |is, byte| is | is_other(byte));
    !text.is_empty() && !text.chunks(64).any(has_other)
}
