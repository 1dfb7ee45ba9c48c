//! Elastic Common Schema, as Elastic's own loggers write it.
//!
//! Source: the ECS logging specification, <https://github.com/elastic/ecs-logging>. The tests read its
//! `spec/spec.json`: order, types, keys that must not be nested, and what is replaced in label names.

use std::borrow::Cow;
use std::net::IpAddr;

use super::clock::ClockText;
use super::common_fields::{CommonFields, error_message, error_type, shown, span_path, views};
use super::host::Host;
use super::json::DraftBytes;
use super::object::{Object, switches, tell_apart};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::context::SpanView;
use crate::record::{Record, Value};

/// Lines for Elasticsearch: the Elastic Common Schema.
///
/// A user's field becomes a label, `labels.user_id`. Characters that Elasticsearch would take for structure are
/// replaced in its name, and its value is a scalar. A field named like an ECS field that is not written otherwise, such
/// as `http.request.method` or `user.id`, stays where it is.
#[derive(Debug)]
pub struct Ecs {
    thread_id: bool,
    thread_name: bool,
    clock: ClockText,
    draft: DraftBytes,
    host: Host,
}

/// The version that the specification is written against.
const ECS_VERSION: &str = "1.6.0";

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("ecs", LINE_KEYS, || Box::new(Ecs::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/log.level",
    target: "/log.logger",
    trace_id: "/trace.id",
    request_id: Some("/labels/request_id"),
    fields: Some("/labels"),
};

const KEYS: &[&str] = &[
    "@timestamp",
    "log.level",
    "message",
    "ecs.version",
    "service.name",
    "service.version",
    "service.environment",
    "event.dataset",
    "trace.id",
    "transaction.id",
    "span.id",
    "log.logger",
    "log.origin.file.name",
    "log.origin.file.line",
    "process.pid",
    "process.thread.id",
    "process.thread.name",
    "error.message",
    "error.type",
    "error.stack_trace",
    "labels",
];

/// ECS fields that users may set: leaves only, so that none contradicts another. Sorted.
const FIELDS: [&str; 60] = [
    "client.address",
    "client.bytes",
    "client.ip",
    "client.port",
    "container.id",
    "container.name",
    "destination.address",
    "destination.ip",
    "destination.port",
    "error.code",
    "error.id",
    "event.action",
    "event.code",
    "event.duration",
    "event.id",
    "event.kind",
    "event.module",
    "event.outcome",
    "event.reason",
    "faas.coldstart",
    "faas.execution",
    "faas.name",
    "host.hostname",
    "host.id",
    "host.ip",
    "host.name",
    "http.request.body.bytes",
    "http.request.bytes",
    "http.request.id",
    "http.request.method",
    "http.request.mime_type",
    "http.request.referrer",
    "http.response.body.bytes",
    "http.response.bytes",
    "http.response.mime_type",
    "http.response.status_code",
    "http.version",
    "organization.id",
    "server.address",
    "server.ip",
    "server.port",
    "service.id",
    "service.node.name",
    "service.type",
    "source.address",
    "source.ip",
    "source.port",
    "url.domain",
    "url.fragment",
    "url.full",
    "url.original",
    "url.path",
    "url.port",
    "url.query",
    "url.scheme",
    "user.email",
    "user.id",
    "user.name",
    "user.roles",
    "user_agent.original",
];

impl Ecs {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self {
            thread_id: false,
            thread_name: false,
            clock: ClockText::new("{\"@timestamp\":\""),
            draft: DraftBytes::default(),
            host: Host::default(),
        }
    }

    switches! {
        /// Adds `process.thread.id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `process.thread.name`, where the thread has one.
        thread_name,
    }
}

impl Default for Ecs {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Ecs {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let stack = common.take_stack(record);
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.plain("log.level", record.level().as_str().as_bytes());
        if let Some(message) = &common.message {
            line.text("message", &json::text_of(message));
        }
        line.plain("ecs.version", ECS_VERSION.as_bytes());
        if let Some(service) = common.service {
            line.text("service.name", service);
        }
        for (key, name) in [("service.version", "version"), ("service.environment", "env")] {
            if let Some(value) = common.take_static(record, name) {
                line.text(key, &json::text_of(&value));
            }
        }
        if let Some(service) = common.service {
            line.text("event.dataset", service);
        }
        if let Some(trace) = common.trace {
            line.plain("trace.id", &trace.digits());
        }
        if let Some(entry) = shown(&views).find_map(SpanView::id) {
            line.plain("transaction.id", &entry.digits());
        }
        if let Some(span) = common.span {
            line.plain("span.id", &span.digits());
        }
        line.text("log.logger", record.target());
        if let Some(file) = record.file() {
            line.text("log.origin.file.name", file);
        }
        if let Some(number) = record.line() {
            line.number("log.origin.file.line", number.into());
        }
        line.number("process.pid", self.host.pid().into());
        if let Some(thread) = record.thread() {
            if self.thread_id {
                line.number("process.thread.id", thread.id);
            }
            if let Some(name) = thread.name.filter(|_| self.thread_name) {
                line.text("process.thread.name", name);
            }
        }
        if let Some(error) = &common.error {
            line.text("error.message", error_message(error));
            if let Some(type_name) = error_type(error) {
                line.text("error.type", type_name);
            }
        }
        if let Some(stack) = &stack {
            line.text("error.stack_trace", stack);
        }

        let mut labels: Vec<(Cow<'_, str>, Value<'_>)> = Vec::with_capacity(common.fields.len() + 4);
        labels.extend(common.request.map(|request| ("request_id".into(), request)));
        for (name, value) in common.all() {
            if FIELDS.binary_search(&name).is_ok() && is_of_type(name, &value) {
                line.field(name, value);
            } else {
                labels.push((label_name(name), value));
            }
        }
        let spans = span_path(&views);
        labels.extend(spans.as_deref().map(|spans| ("spans".into(), Value::Str(spans))));
        if let Some(original) = record.original_bytes() {
            labels.push((Cow::Borrowed("truncated"), Value::Bool(true)));
            labels.push((Cow::Borrowed("original_bytes"), Value::U64(original)));
        }
        if !labels.is_empty() {
            tell_apart(&mut labels);
            put_labels(line.key("labels"), &labels);
        }
        line.end();
    }

    fn wants_thread(&self) -> bool {
        self.thread_id || self.thread_name
    }

    fn forked(&mut self) {
        self.host.forked();
    }
}

/// Returns whether a value has the type that the specification requires for one of [`FIELDS`]. Elasticsearch refuses
/// the whole document otherwise.
fn is_of_type(name: &str, value: &Value<'_>) -> bool {
    let text = || value.as_str().unwrap_or_default();
    match (name.rsplit('.').next().unwrap_or_default(), *value) {
        (_, Value::Json(_) | Value::Error(_)) => false,
        ("bytes" | "port" | "status_code" | "duration", Value::F64(number)) => number.abs() < i64::MAX as f64,
        ("bytes" | "port" | "status_code" | "duration", value) => {
            value.to_text().is_some_and(|text| text.parse::<i64>().is_ok())
        }
        ("ip", _) => text().parse::<IpAddr>().is_ok(),
        ("coldstart", Value::Bool(_)) => true,
        ("coldstart", _) => matches!(text(), "true" | "false"),
        _ => true,
    }
}

/// Returns the name of a label: `_` replaces what the specification forbids, and marks the labels that are written
/// here.
fn label_name(name: &str) -> Cow<'_, str> {
    match name {
        // Elasticsearch refuses it.
        blank if blank.trim().is_empty() => Cow::Owned("_".to_owned()),
        "spans" | "truncated" | "original_bytes" | "request_id" => Cow::Owned(format!("{name}_")),
        _ if name.contains(['.', '*', '\\']) => Cow::Owned(name.replace(['.', '*', '\\'], "_")),
        _ => Cow::Borrowed(name),
    }
}

/// Appends labels, which are scalars: nested values become text.
fn put_labels(out: &mut Vec<u8>, labels: &[(Cow<'_, str>, Value<'_>)]) {
    for (place, (name, value)) in labels.iter().enumerate() {
        out.push(if place == 0 { b'{' } else { b',' });
        json::put_str(out, name);
        out.push(b':');
        match value {
            Value::Json(_) | Value::Error(_) => json::put_str(out, &json::text_of(value)),
            value => json::put_value(out, value),
        }
    }
    out.push(b'}');
}
