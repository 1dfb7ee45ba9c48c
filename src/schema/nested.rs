//! The lines of `tracing_subscriber::fmt().json()`, for programs that parse them today.
//!
//! Every key is there with the same value: the event's fields under `fields`, the innermost span under `span`, all
//! spans under `spans`. In addition, ids, service and static fields are at the top level. The lines differ where `fmt`
//! is ambiguous: the last of several equal keys wins, NaN is not `null`, [`json`](crate::json) values are nested, and
//! bytes are base64.

use std::borrow::Cow;

use super::engine::{
    AS_JSON, Engine, Group, Layout, Mark, Parts, Place, Spelling, Stage, TOP, UNDER, error_message, marks, views,
};
use super::json::{self, Form};
use super::level::LevelFormat;
use super::object::{described, is_reserved, switches};
use super::resolved_fields::{Origin, ResolvedField, fields_of_span};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::context::SpanView;
use crate::record::{Record, Value};

/// The lines of `tracing_subscriber::fmt().json()`, and the ids.
#[derive(Debug, Default)]
pub struct Nested {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    time: TimeFormat,
    level: LevelFormat,
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("nested", LINE_KEYS, || Box::new(Nested::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/target",
    trace_id: "/trace_id",
    request_id: Some("/request_id"),
    fields: Some("/fields"),
};

const KEYS: &[&str] = &[
    "timestamp",
    "level",
    "fields",
    "target",
    "filename",
    "line_number",
    "span",
    "spans",
    "threadName",
    "threadId",
    "event_name",
    "request_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "service",
    "error",
    "truncated",
    "original_bytes",
];

/// The keys of a span besides its fields. A field with such a name is under `fields`.
const SPAN_KEYS: &[&str] = &["name", "fields"];

impl Nested {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `timestamp` is spelled.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }

    /// Sets how `level` is spelled.
    pub fn level(mut self, level: LevelFormat) -> Self {
        self.options.level = level;
        self
    }

    switches! { options:
        /// Adds `threadId`, as `with_thread_ids` does.
        thread_id,
        /// Adds `threadName`, as `with_thread_names` does.
        thread_name,
        /// Adds `filename`, as `with_file` does.
        file,
        /// Adds `line_number`, as `with_line_number` does.
        line,
    }
}

/// The group of the event's fields.
const FIELDS: Group = UNDER;

/// The group of fields that have the name of a mark of the line.
const NOT_SHOWN: Group = 2;

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let (backtraces, holds_back) = (record.statics.backtraces.is_some(), record.statics.holds_back);
        let is_mark = marks(record);
        let place = move |name: &str, origin| match origin {
            Origin::Event | Origin::Variable if is_mark(name) => Place::Group(NOT_SHOWN),
            // The line of a `log` record has these itself.
            Origin::Variable if LOG_NAMES.contains(&name) => Place::Group(TOP),
            // Context variables belong to no visible span: they are the event's fields.
            Origin::Event | Origin::Variable => Place::Group(FIELDS),
            Origin::Span => Place::Hidden,
            Origin::Static => Place::Group(if is_reserved(name, KEYS) { FIELDS } else { TOP }),
        };
        Layout::new("{\"timestamp\":\"", place)
            .time(self.time)
            .keeps_roles()
            .spelling(FIELDS, Spelling::json(AS_FMT, |name| Cow::Borrowed(name)))
            .level_as("level", self.level)
            .required_object("fields", |layout| {
                layout
                    .fields(FIELDS)
                    .when(holds_back, Layout::held_back)
                    .when(backtraces, Layout::backtrace)
                    .members(Stage::CallSite, put_log)
                    .static_fields(FIELDS)
            })
            .target("target")
            .text("event_name", Stage::CallSite, |parts| parts.record.event_name().map(Into::into))
            .when(self.file, |layout| layout.file("filename"))
            .when(self.line, |layout| layout.line("line_number"))
            .put("span", Stage::Context, |parts, out| {
                let views = views(parts.record);
                let leaf = views.iter().find(|view| !view.is_hidden());
                leaf.is_some_and(|leaf| put_span(out, parts.record, leaf))
            })
            .put("spans", Stage::Context, |parts, out| {
                let views = views(parts.record);
                let shown = || views.iter().rev().filter(|view| !view.is_hidden());
                for (place, view) in shown().enumerate() {
                    out.push(if place == 0 { b'[' } else { b',' });
                    put_span(out, parts.record, view);
                }
                out.push(b']');
                shown().next().is_some()
            })
            .thread_name(self.thread_name, "threadName")
            .when(self.thread_id, |layout| {
                layout.text("threadId", Stage::Event(Mark::Thread), |parts| {
                    parts.record.thread().map(|thread| format!("ThreadId({})", thread.id).into())
                })
            })
            .request("request_id", AS_JSON)
            .trace("trace_id")
            .span("span_id")
            .parent("parent_span_id")
            .service("service")
            .put("error", Stage::Event(Mark::Error), |parts, out| match parts.error {
                Some(error @ Value::Error(chain)) => {
                    json::put_error_object(out, &error);
                    chain.sources().next().is_some()
                }
                _ => false,
            })
            .truncation()
            .context_fields(TOP)
            .static_fields(TOP)
    }
}

described!(
    Nested,
    wants_thread: |options| options.thread_id || options.thread_name,
    wants_local_time: |options| options.time.is_local()
);

/// The fields that tell where a `log` record comes from.
const LOG_NAMES: [&str; 4] = ["log.target", "log.module_path", "log.file", "log.line"];

/// Appends what `fmt` writes for a record of the `log` crate.
fn put_log(parts: &Parts<'_>, out: &mut Vec<u8>) -> bool {
    let record = parts.record;
    if !record.is_log || record.is_relayed() {
        return false;
    }
    let texts =
        [("log.target", Some(record.target())), ("log.module_path", record.module_path()), ("log.file", record.file())];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::Str(text?))));
    for (name, value) in texts.chain(record.line().map(|line| ("log.line", Value::from(line)))) {
        out.push(b',');
        put_member(out, name, &value);
    }
    true
}

/// Appends a span's fields and name as an object; returns true.
fn put_span(out: &mut Vec<u8>, record: &Record<'_>, view: &SpanView<'_>) -> bool {
    out.push(b'{');
    let fields = fields_of_span(record, view);
    let (under_fields, plain): (Vec<&ResolvedField<'_>>, Vec<_>) =
        fields.iter().partition(|field| is_reserved(field.name, SPAN_KEYS));
    for field in plain {
        put_member(out, field.name, &field.value);
        out.push(b',');
    }
    put_member(out, "name", &Value::Str(view.name()));
    if !under_fields.is_empty() {
        out.extend_from_slice(b",\"fields\":");
        for (place, field) in under_fields.into_iter().enumerate() {
            out.push(if place == 0 { b'{' } else { b',' });
            put_member(out, field.name, &field.value);
        }
        out.push(b'}');
    }
    out.push(b'}');
    true
}

fn put_member(out: &mut Vec<u8>, name: &str, value: &Value<'_>) {
    json::put_str(out, name);
    out.push(b':');
    AS_FMT.put(value, out);
}

/// The form of `fmt`: only the message of an error, wide numbers as text.
const AS_FMT: Form = Form::Except(
    |value| matches!(value, Value::Error(_) | Value::I128(_) | Value::U128(_)),
    |value, out| match value {
        Value::Error(_) => json::put_str(out, error_message(value)),
        _ => json::put_str(out, &json::text_of(value)),
    },
);
