//! Entries as `key=value` pairs, with the keys of [`Logfmt`](spanline::schema::Logfmt).

use std::borrow::Cow;

use super::json::time_text;
use crate::entry::{Entry, Part, put_string};

/// Writes an entry.
pub(super) fn put(out: &mut String, entry: &Entry<'_>) {
    let view = entry.view();
    if let Some(time) = view.time {
        put_pair(out, "ts", &time_text(time));
    }
    if let Some(level) = view.level {
        put_pair(out, "level", &level.as_str().to_ascii_lowercase());
    }
    let put_part = |out: &mut String, part: Part, key: &str| {
        if let Some(text) = view.text(part) {
            put_pair(out, key, text);
        }
    };
    put_part(out, Part::Target, "target");
    put_part(out, Part::Message, "msg");
    for field in entry.fields(&view) {
        put_pair(out, &key_of(&field.name), &field.value.shown());
    }
    for part in [Part::Service, Part::Request, Part::Trace] {
        put_part(out, part, part.name());
    }
}

fn put_pair(out: &mut String, key: &str, text: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(key);
    out.push('=');
    put_text(out, text);
}

/// Writes a text, in quotes if it needs them.
pub(super) fn put_text(out: &mut String, text: &str) {
    if is_plain(text) || !text.is_empty() && text.chars().all(is_bare) {
        out.push_str(text);
    } else {
        put_string(out, text);
    }
}

/// Returns whether a text is ASCII that needs neither quotes nor escapes.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'=' | b'"' | b'\\');
    !text.is_empty() && text.bytes().all(is_plain)
}

fn is_bare(char: char) -> bool {
    !(char.is_control() || char.is_whitespace() || matches!(char, '=' | '"' | '\\'))
}

/// Returns a key without what ends one.
fn key_of(name: &str) -> Cow<'_, str> {
    match name {
        "ts" | "msg" => Cow::Owned(format!("fields.{name}")),
        "" => Cow::Borrowed("_"),
        name if name.chars().all(is_bare) => Cow::Borrowed(name),
        name => Cow::Owned(name.chars().map(|char| if is_bare(char) { char } else { '_' }).collect()),
    }
}
