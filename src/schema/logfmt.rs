//! `key=value` pairs, for grep and for programs that read logfmt.
//!
//! Source: the rules of <https://github.com/go-logfmt/logfmt>. A key has no space, `=`, `"` or control character; each
//! becomes `_`. A value with one of these is quoted and escaped as in JSON.

use std::borrow::Cow;

use super::Schema;
use super::edit::Edits;
use super::engine::{Engine, Layout, Mark, Place, Spelling, Stage, Syntax, TOP};
use super::json::{self, Form};
use super::level::LevelFormat;
use super::object::{is_reserved, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::record::{Record, Value};

/// Lines of `key=value` pairs.
#[derive(Debug, Default)]
pub struct Logfmt {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    time: TimeFormat,
    level: LevelFormat,
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time: TimeFormat::default(),
            level: LevelFormat::Lower,
            thread_id: false,
            thread_name: false,
            file: false,
            line: false,
        }
    }
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
    "event_name",
    "spans",
    "truncated",
    "original_bytes",
    "held_back",
    "backtrace",
];

impl Logfmt {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `ts` is spelled.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }

    /// Sets how `level` is spelled, which is in lower case by default.
    pub fn level(mut self, level: LevelFormat) -> Self {
        self.options.level = level;
        self
    }

    switches! { options:
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

/// `key=value`, after a space.
const PAIRS: Syntax = Syntax {
    before: Cow::Borrowed(" "),
    name: |name, out| out.extend_from_slice(key(name).as_bytes()),
    between: Cow::Borrowed("="),
    form: Form::Bare(is_plain, put_value),
};

impl Options {
    /// Describes the lines.
    fn layout(self) -> Layout {
        Layout::new("ts=", |_, _| Place::Group(TOP))
            .time(self.time)
            .tail(Some(""))
            .end(b"")
            .syntax(PAIRS)
            .spelling(TOP, Spelling::by(PAIRS, users_key))
            .level_as("level", self.level)
            .target("target")
            .event_name("event_name")
            .message("msg", PAIRS.form)
            .value("error", Stage::Event(Mark::Error), |parts| parts.error)
            .or_field("error", |_| true)
            .when(self.file, |layout| layout.file("file"))
            .when(self.line, |layout| layout.line("line"))
            .when(self.thread_id, |layout| layout.thread_id("thread_id"))
            .thread_name(self.thread_name, "thread_name")
            .truncation()
            .fields(TOP)
            .held_back()
            .backtrace()
            .static_fields(TOP)
            .service("service")
            .request("request_id", PAIRS.form)
            .trace("trace_id")
            .span("span_id")
            .text("spans", Stage::Shape, |parts| {
                Some(parts.span_names().join(":").into()).filter(|path: &Cow<'_, str>| !path.is_empty())
            })
            .inserts()
    }
}

impl Schema for Logfmt {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.engine.render(record, out, || self.options.layout());
    }

    fn wants_local_time(&self) -> bool {
        self.options.time.is_local()
    }

    fn wants_thread(&self) -> bool {
        self.options.thread_id || self.options.thread_name
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(&edits.clone().give(key));
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }
}

/// Returns the key of a user's field.
fn users_key(name: &str) -> Cow<'_, str> {
    if is_reserved(name, KEYS) { Cow::Owned(format!("fields.{}", key(name))) } else { key(name) }
}

/// Returns a key without the characters that are forbidden in keys.
fn key(name: &str) -> Cow<'_, str> {
    match name {
        "" => Cow::Owned("_".to_owned()),
        name if has_special(name) => Cow::Owned(name.replace(is_special, "_")),
        name => Cow::Borrowed(name),
    }
}

/// Appends a value: quoted if it could not be told from what follows.
fn put_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Bool(_) | Value::U64(_) | Value::I64(_) => json::put_value(out, value),
        Value::Str(text) if !has_special(text) && text != "null" => out.extend_from_slice(text.as_bytes()),
        _ => put_text(&json::text_of(value), out),
    }
}

/// Appends a text: quoted if it could not be told from what follows.
fn put_text(text: &str, out: &mut Vec<u8>) {
    match text {
        text if has_special(text) || text == "null" => json::put_str(out, text),
        text => out.extend_from_slice(text.as_bytes()),
    }
}

/// Returns whether a text needs no look at its characters, and no quotes.
fn is_plain(text: &[u8]) -> bool {
    json::is_plain_without(text, [b' ', b'=']) && text != b"null"
}

fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'=' && byte != b'"'
}

fn has_special(text: &str) -> bool {
    let first = text.bytes().find(|byte| !is_plain_byte(*byte));
    first.is_some_and(|first| first <= b' ' || text.contains(is_special))
}

/// Returns whether a character is forbidden in keys, and needs quotes in values.
fn is_special(char: char) -> bool {
    char <= ' ' || matches!(char, '=' | '"' | '\u{fffd}') || json::is_unsafe(char)
}
