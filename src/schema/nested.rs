//! The lines of `tracing_subscriber::fmt().json()`, for programs that parse them today.
//!
//! Every key is there with the same value: the event's fields under `fields`, the innermost span under `span`, all
//! spans under `spans`. In addition, ids, service and static fields are at the top level. The lines differ where `fmt`
//! is ambiguous: the last of several equal keys wins, NaN is not `null`, [`json`](crate::json) values are nested, and
//! bytes are base64.

use super::clock::ClockText;
use super::common_fields::{CommonFields, Views, error_message, put_marks, shown, views};
use super::json::DraftBytes;
use super::object::{Object, is_reserved, switches};
use super::resolved_fields::{ResolvedField, fields_of_span, resolved_fields};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::context::{Context, SpanView};
use crate::names::last_of_each;
use crate::record::{Record, Value};

/// The lines of `tracing_subscriber::fmt().json()`, and the ids.
#[derive(Debug, Default)]
pub struct Nested {
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    clock: ClockText,
    draft: DraftBytes,
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

    switches! {
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

impl Schema for Nested {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let common = CommonFields::of(record, &views);
        // Context variables belong to no visible span: they are the event's fields, unless it has some of the same
        // name.
        let hidden: Views<'_> = views.iter().copied().filter(SpanView::is_hidden).collect();
        let mut own = resolved_fields(record, &hidden);
        put_marks(&mut own, record);
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.plain("level", record.level().as_str().as_bytes());

        let fields = line.key("fields");
        fields.push(b'{');
        let mut is_empty = true;
        for field in &own {
            put_member(fields, &mut is_empty, field.name, &field.value);
        }
        if record.is_log {
            put_log(fields, &mut is_empty, record);
        }
        // Static fields that no field of the record shadows.
        for (name, value) in common.statics.iter().filter(|(name, _)| is_reserved(name, KEYS)) {
            put_member(fields, &mut is_empty, name, value);
        }
        fields.push(b'}');

        line.text("target", record.target());
        if let Some(file) = record.file().filter(|_| self.file) {
            line.text("filename", file);
        }
        if let Some(number) = record.line().filter(|_| self.line) {
            line.number("line_number", number.into());
        }
        if let Some(leaf) = views.iter().find(|view| !view.is_hidden()) {
            put_span(line.key("span"), record, leaf);
            let out = line.key("spans");
            for (place, view) in shown(&views).enumerate() {
                out.push(if place == 0 { b'[' } else { b',' });
                put_span(out, record, view);
            }
            out.push(b']');
        }
        if let Some(thread) = record.thread() {
            if let Some(name) = thread.name.filter(|_| self.thread_name) {
                line.text("threadName", name);
            }
            if self.thread_id {
                line.text("threadId", &format!("ThreadId({})", thread.id));
            }
        }
        if let Some(request) = &common.request {
            line.value("request_id", request);
        }
        if let Some(trace) = common.trace {
            line.plain("trace_id", &trace.digits());
        }
        if let Some(span) = common.span {
            line.plain("span_id", &span.digits());
        }
        if let Some(parent) = record.context().and_then(Context::parent_span_id) {
            line.plain("parent_span_id", &parent.digits());
        }
        if let Some(service) = common.service {
            line.text("service", service);
        }
        if let Some(error @ Value::Error(chain)) = common.error
            && chain.sources().next().is_some()
        {
            json::put_error_object(line.key("error"), &error);
        }
        line.truncation(record);
        for (name, value) in last_of_each(record.static_fields()) {
            if !is_reserved(name, KEYS) {
                line.field(name, value);
            }
        }
        line.end();
    }

    fn wants_thread(&self) -> bool {
        self.thread_id || self.thread_name
    }
}

/// Appends what `fmt` writes for a record of the `log` crate.
fn put_log(out: &mut Vec<u8>, is_empty: &mut bool, record: &Record<'_>) {
    put_member(out, is_empty, "log.target", &Value::Str(record.target()));
    if let Some(module) = record.module_path() {
        put_member(out, is_empty, "log.module_path", &Value::Str(module));
    }
    if let Some(file) = record.file() {
        put_member(out, is_empty, "log.file", &Value::Str(file));
    }
    if let Some(line) = record.line() {
        put_member(out, is_empty, "log.line", &Value::U64(line.into()));
    }
}

fn put_span(out: &mut Vec<u8>, record: &Record<'_>, view: &SpanView<'_>) {
    out.push(b'{');
    let mut is_empty = true;
    let fields = fields_of_span(record, view);
    let (under_fields, plain): (Vec<&ResolvedField<'_>>, Vec<_>) =
        fields.iter().partition(|field| is_reserved(field.name, SPAN_KEYS));
    for field in plain {
        put_member(out, &mut is_empty, field.name, &field.value);
    }
    put_member(out, &mut is_empty, "name", &Value::Str(view.name()));
    if !under_fields.is_empty() {
        out.extend_from_slice(b",\"fields\":{");
        is_empty = true;
        for field in under_fields {
            put_member(out, &mut is_empty, field.name, &field.value);
        }
        out.push(b'}');
    }
    out.push(b'}');
}

/// Appends a field as `fmt` does: only the message of an error, wide numbers as text.
fn put_member(out: &mut Vec<u8>, is_empty: &mut bool, name: &str, value: &Value<'_>) {
    if !std::mem::take(is_empty) {
        out.push(b',');
    }
    json::put_str(out, name);
    out.push(b':');
    match value {
        Value::Error(_) => json::put_str(out, error_message(value)),
        Value::I128(_) | Value::U128(_) => json::put_str(out, &json::text_of(value)),
        value => json::put_value(out, value),
    }
}
