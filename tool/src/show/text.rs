//! Texts that are safe for a terminal.

use super::logfmt::put_text;
use crate::entry::{Part, Value, View, is_bare};
use crate::escape::{escaped_json, escaped_text, is_plain};

/// Writes a text with control characters escaped.
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(escaped_text(text).as_bytes());
    }
}

/// Writes a part of the view with control characters escaped.
pub(super) fn put_part(out: &mut Vec<u8>, view: &View<'_>, part: Part) {
    match view.plain_text(part) {
        Some(plain) => out.extend_from_slice(plain),
        None => put_escaped(out, view.text(part).unwrap_or_default()),
    }
}

/// Writes a part of the view in quotes if it needs them.
pub(super) fn put_quoted_part(out: &mut Vec<u8>, view: &View<'_>, part: Part) {
    match view.plain_text(part).filter(|plain| !plain.is_empty() && is_bare(plain)) {
        Some(plain) => out.extend_from_slice(plain),
        None => put_quoted(out, view.text(part).unwrap_or_default()),
    }
}

/// Writes a text in quotes if it needs them.
pub(super) fn put_quoted(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && is_bare(text.as_bytes()) {
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
        Some(ascii) if !ascii.is_empty() && (!value.is_text() || is_bare(ascii)) => out.extend_from_slice(ascii),
        _ => match value.text() {
            Some(text) => put_quoted(out, &text),
            None => out.extend_from_slice(escaped_json(&value.shown()).as_bytes()),
        },
    }
}
