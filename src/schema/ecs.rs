//! Elastic Common Schema, as Elastic's own loggers write it.
//!
//! Source: the ECS logging specification, <https://github.com/elastic/ecs-logging>. The tests read its
//! `spec/spec.json`: order, types, keys that must not be nested, and what is replaced in label names.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Schema;
use super::edit::Edits;
use super::engine::{AS_SCALAR, AS_TEXT, Engine, Group, Layout, Place, Spelling, Stage, TOP, UNDER};
use super::object::switches;
use super::resolved_fields::Origin;
use super::table::{BuiltIn, Keys};
use crate::record::{Record, Value};

/// Lines for Elasticsearch: the Elastic Common Schema.
///
/// A user's field becomes a label, `labels.user_id`. Characters that Elasticsearch would take for structure are
/// replaced in its name, and its value is a scalar. A field named like an ECS field that is not written otherwise, such
/// as `http.request.method` or `user.id`, stays where it is.
#[derive(Debug, Default)]
pub struct Ecs {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    thread_id: bool,
    thread_name: bool,
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

/// The group of the labels.
const LABELS: Group = UNDER;

impl Ecs {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    switches! { options:
        /// Adds `process.thread.id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `process.thread.name`, where the thread has one.
        thread_name,
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let holds_back = record.statics.holds_back;
        let place = |name: &str, origin| match name {
            "version" | "env" if origin == Origin::Static => Place::Hidden,
            _ if FIELDS.binary_search(&name).is_ok() => Place::Either(TOP, LABELS),
            _ => Place::Group(LABELS),
        };
        let labels = Spelling { form: AS_SCALAR, key: label_name };
        Layout::new("{\"@timestamp\":\"", place)
            .fits(is_of_type)
            .spelling(LABELS, labels)
            .level("log.level")
            .message("message", AS_TEXT)
            .text("ecs.version", Stage::Log, |_| Some(ECS_VERSION.into()))
            .service("service.name")
            .static_text("service.version", "version")
            .static_text("service.environment", "env")
            .service("event.dataset")
            .trace("trace.id")
            .text("transaction.id", Stage::Context, |parts| {
                let outermost = parts.record.context()?.spans().filter(|span| !span.is_hidden()).last()?;
                Some(outermost.id()?.to_string().into())
            })
            .span("span.id")
            .target("log.logger")
            .file("log.origin.file.name")
            .line("log.origin.file.line")
            .number("process.pid", Stage::Log, |_| Some(std::process::id().into()))
            .when(self.thread_id, |layout| layout.thread_id("process.thread.id"))
            .when(self.thread_name, |layout| layout.thread_name("process.thread.name"))
            .error_texts("error.message", "error.type", "error.stack_trace")
            .fields(TOP)
            .static_fields(TOP)
            .object("labels", |layout| {
                layout
                    .request("request_id", AS_SCALAR)
                    .fields(LABELS)
                    .static_fields(LABELS)
                    .when(holds_back, Layout::held_back)
                    .text("spans", Stage::Shape, |parts| {
                        let names = parts.span_names();
                        (!names.is_empty()).then(|| names.join(":").into())
                    })
                    .truncation()
            })
    }
}

impl Schema for Ecs {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.engine.render(record, out, || self.options.layout(record));
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(edits);
        true
    }

    fn wants_thread(&self) -> bool {
        self.options.thread_id || self.options.thread_name
    }

    fn forked(&mut self) {
        self.engine.forget();
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
        "spans" | "truncated" | "original_bytes" | "request_id" | "held_back" => Cow::Owned(format!("{name}_")),
        _ if name.contains(['.', '*', '\\']) => Cow::Owned(name.replace(['.', '*', '\\'], "_")),
        _ => Cow::Borrowed(name),
    }
}
