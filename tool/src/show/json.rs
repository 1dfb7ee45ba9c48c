//! Entries as JSON: one object in a line, the same keys for all loggers.

use chrono::SecondsFormat;
use serde_json::Value;
use spanline::record::Timestamp;

use crate::entry::{Entry, Part, put_string};

/// Writes an entry to the empty `out`. A line without a record has the key `unparsed`.
pub(super) fn put(out: &mut String, entry: &Entry<'_>) {
    let view = entry.view();
    out.push('{');
    if let Some(time) = view.time {
        put_member(out, "time", &time_text(time));
    }
    if let Some(level) = view.level {
        put_member(out, "level", level.as_str());
    }
    for part in Part::ALL {
        if let Some(text) = view.text(part) {
            put_member(out, part.name(), text);
        }
    }
    for field in entry.fields(&view) {
        put_key(out, &field.name);
        field.value.put_json(out);
    }
    if !entry.is_record() {
        put_key(out, "unparsed");
        out.push_str("true");
    }
    out.push('}');
}

/// Returns an entry as a value.
pub(crate) fn value_of(entry: &Entry<'_>) -> Value {
    let mut text = String::new();
    put(&mut text, entry);
    // A number that no double can hold is the only one that cannot be read.
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Returns a time in UTC, with the digits that it needs.
pub(super) fn time_text(nanos: i64) -> String {
    Timestamp::from_nanos(nanos).to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn put_member(out: &mut String, key: &str, text: &str) {
    put_key(out, key);
    put_string(out, text);
}

fn put_key(out: &mut String, key: &str) {
    // `out` has nothing else before the object.
    if out.len() > 1 {
        out.push(',');
    }
    put_string(out, key);
    out.push(':');
}
