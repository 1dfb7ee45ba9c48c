//! Writes members that both the fast and the general way need.

use super::options::Options;
use crate::context::Context;
use crate::record::{Record, Value};
use crate::schema::json;

/// Appends those of `file`, `line` and `module` that are switched on and known.
pub(super) fn put_place(out: &mut Vec<u8>, options: &Options, record: &Record<'_>) {
    if let (true, Some(file)) = (options.file, record.file()) {
        put_member(out, b",\"file\":", &Value::Str(file));
    }
    if let (true, Some(line)) = (options.line, record.line()) {
        put_member(out, b",\"line\":", &Value::U64(u64::from(line)));
    }
    if let (true, Some(module)) = (options.module, record.module_path()) {
        put_member(out, b",\"module\":", &Value::Str(module));
    }
}

pub(super) fn put_thread(out: &mut Vec<u8>, options: &Options, id: u64, name: Option<&str>) {
    if options.thread_id {
        put_member(out, b",\"thread_id\":", &Value::U64(id));
    }
    if let (true, Some(name)) = (options.thread_name, name) {
        put_member(out, b",\"thread_name\":", &Value::Str(name));
    }
}

/// Appends a member whose comma, key and colon are prepared.
#[inline]
pub(super) fn put_member(out: &mut Vec<u8>, key: &[u8], value: &Value<'_>) {
    out.extend_from_slice(key);
    json::put_value(out, value);
}

pub(super) fn put_named(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    put_key(out, name);
    json::put_value(out, value);
}

pub(super) fn put_key(out: &mut Vec<u8>, name: &str) {
    out.push(b',');
    json::put_str(out, name);
    out.push(b':');
}

/// Appends `spans`, outermost first.
pub(super) fn put_spans(out: &mut Vec<u8>, context: &Context<'_>) {
    let names: Vec<_> = context.names().collect();
    if names.is_empty() {
        return;
    }
    put_key(out, "spans");
    for (place, name) in names.iter().rev().enumerate() {
        out.push(if place == 0 { b'[' } else { b',' });
        json::put_str(out, name);
    }
    out.push(b']');
}
