//! `key=value` pairs, for grep and for programs that read logfmt.
//!
//! Source: the rules of <https://github.com/go-logfmt/logfmt>. A key has no space, `=`, `"` or control character; each
//! becomes `_`. A value with one of these is quoted and escaped as in JSON.

use std::borrow::Cow;

use tracing::Level;

use super::clock::ClockText;
use super::common_fields::{CommonFields, span_path, views};
use super::edit::Edits;
use super::object::{is_reserved, switches, tell_apart};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::record::{Record, Value};

/// Lines of `key=value` pairs.
#[derive(Debug)]
pub struct Logfmt {
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    clock: ClockText,
    edits: Edits,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::text("logfmt", Some(LINE_KEYS), || Box::new(Logfmt::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/target",
    trace_id: "/trace_id",
    request_id: Some("/request_id"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "ts",
    "level",
    "target",
    "msg",
    "error",
    "file",
    "line",
    "thread_id",
    "thread_name",
    "service",
    "request_id",
    "trace_id",
    "span_id",
    "spans",
    "truncated",
    "original_bytes",
];

impl Logfmt {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self {
            thread_id: false,
            thread_name: false,
            file: false,
            line: false,
            clock: ClockText::new(""),
            edits: Edits::new(),
        }
    }

    switches! {
        /// Adds `thread_id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `thread_name`, where the thread has one.
        thread_name,
        /// Adds `file`, the source file of the call site.
        file,
        /// Adds `line`, the line in the source file.
        line,
    }
}

impl Default for Logfmt {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Logfmt {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let common = CommonFields::of(record, &views);
        let time = String::from_utf8_lossy(self.clock.text(record.timestamp())).into_owned();
        let ids = (common.trace.map(|id| id.to_string()), common.span.map(|id| id.to_string()));
        let spans = span_path(&views);

        let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(common.fields.len() + 8);
        put(&mut pairs, "ts", Some(Value::Str(time.trim_end_matches('"'))));
        put(&mut pairs, "level", Some(Value::Str(level(record.level()))));
        put(&mut pairs, "target", Some(Value::Str(record.target())));
        put(&mut pairs, "msg", common.message);
        put(&mut pairs, "error", common.error);
        put(&mut pairs, "file", record.file().filter(|_| self.file).map(Value::Str));
        put(&mut pairs, "line", record.line().filter(|_| self.line).map(Value::from));
        if let Some(thread) = record.thread() {
            put(&mut pairs, "thread_id", self.thread_id.then_some(Value::U64(thread.id)));
            put(&mut pairs, "thread_name", thread.name.filter(|_| self.thread_name).map(Value::Str));
        }
        if let Some(original) = record.original_bytes() {
            put(&mut pairs, "truncated", Some(Value::Bool(true)));
            put(&mut pairs, "original_bytes", Some(Value::U64(original)));
        }
        for (name, value) in common.all() {
            let is_ours = is_reserved(name, KEYS);
            pairs.push((if is_ours { Cow::Owned(format!("fields.{name}")) } else { name.into() }, value));
        }
        put(&mut pairs, "service", common.service.map(Value::Str));
        put(&mut pairs, "request_id", common.request);
        put(&mut pairs, "trace_id", ids.0.as_deref().map(Value::Str));
        put(&mut pairs, "span_id", ids.1.as_deref().map(Value::Str));
        put(&mut pairs, "spans", spans.as_deref().map(Value::Str));

        self.edits.apply(&mut pairs, |value| value);
        for (name, _) in &mut pairs {
            if name.is_empty() || has_special(name) {
                let plain = name.replace(is_special, "_");
                *name = Cow::Owned(if plain.is_empty() { "_".to_owned() } else { plain });
            }
        }
        tell_apart(&mut pairs);
        for (place, (name, value)) in pairs.iter().enumerate() {
            if place > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            match json::text_of(value) {
                text if has_special(&text) || text == "null" => json::put_str(out, &text),
                text => out.extend_from_slice(text.as_bytes()),
            }
        }
    }

    fn wants_thread(&self) -> bool {
        self.thread_id || self.thread_name
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.edits = edits.clone();
        true
    }
}

type Pair<'a> = (Cow<'a, str>, Value<'a>);

fn put<'a>(pairs: &mut Vec<Pair<'a>>, name: &'static str, value: Option<Value<'a>>) {
    pairs.extend(value.map(|value| (Cow::Borrowed(name), value)));
}

fn has_special(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'=' && byte != b'"';
    !text.bytes().all(is_plain) && text.contains(is_special)
}

/// Returns whether a character is forbidden in keys, and needs quotes in values.
fn is_special(char: char) -> bool {
    char <= ' ' || matches!(char, '=' | '"' | '\u{fffd}') || json::is_unsafe(char)
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        _ => "trace",
    }
}
