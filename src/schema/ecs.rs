//! Elastic Common Schema, as Elastic's own loggers write it.
//!
//! Source: the ECS logging specification, <https://github.com/elastic/ecs-logging>. The tests read its
//! `spec/spec.json`: order, types, keys that must not be nested, and what is replaced in label names.

use std::borrow::Cow;
use std::net::IpAddr;

use super::engine::{
    AS_TEXT, Engine, Group, Layout, Parts, Place, Spelling, Stage, Syntax, TOP, UNDER, micros_as_nanos, put_text,
};
use super::object::{described, keyed_switches, switches};
use super::resolved_fields::Origin;
use super::table::{BuiltIn, Keys};
use super::time_format::{Rfc3339, TimeFormat};
use crate::record::{Record, Value};

/// Lines for Elasticsearch: the Elastic Common Schema.
///
/// A user's field becomes a label, `labels.user_id`. Characters that Elasticsearch would take for structure are
/// replaced in its name, and its value is a text. A field named like an ECS field that is not written otherwise, such
/// as `http.request.method` or `user.id`, stays where it is.
#[derive(Debug, Default)]
pub struct Ecs {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    time: TimeFormat,
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
const FIELDS: [&str; 59] = [
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

/// The group of ECS fields that are no texts.
const TYPED: Group = 2;

impl Ecs {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `@timestamp` is spelled.
    pub fn time(mut self, time: Rfc3339) -> Self {
        self.options.time = time.into();
        self
    }

    keyed_switches! { options: thread_id "process.thread.id", thread_name "process.thread.name" }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let holds_back = record.statics.holds_back;
        let place = |name: &str, origin| match name {
            "version" | "env" if origin == Origin::Static => Place::Hidden,
            _ if FIELDS.binary_search(&name).is_err() => Place::Group(LABELS),
            _ if is_typed(name) => Place::Either(TYPED, LABELS),
            _ => Place::Either(TOP, LABELS),
        };
        let labels = Syntax { form: AS_TEXT, ..Syntax::JSON };
        Layout::new("{\"@timestamp\":\"", place)
            .time(self.time)
            .fits(is_of_type)
            .spelling(TOP, Spelling::json(AS_TEXT, |name| Cow::Borrowed(name)))
            .spelling(LABELS, Spelling::by(labels.clone(), label_name))
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
            .event_name("event.action")
            .file("log.origin.file.name")
            .line("log.origin.file.line")
            .number("process.pid", Stage::Log, |_| Some(std::process::id().into()))
            .when(self.thread_id, |layout| layout.thread_id("process.thread.id"))
            .thread_name(self.thread_name, "process.thread.name")
            .error_texts("error.message", "error.type", "error.stack_trace")
            .request_fields(&[
                ("http.request.method", "method"),
                ("http.response.status_code", "status"),
                ("http.request.body.bytes", "request_bytes"),
                ("http.response.body.bytes", "response_bytes"),
                ("http.version", "http_version"),
                ("url.scheme", "scheme"),
                ("url.path", "path"),
                ("user_agent.original", "user_agent"),
            ])
            .host_of_request("url.domain", "url.port")
            .duration("event.duration", micros_as_nanos)
            .request_member("event.outcome", &[], |parts, out| {
                outcome(parts).is_some_and(|outcome| put_text(out, outcome))
            })
            .id_of_request("http.request.id", AS_TEXT)
            .fields(TOP)
            .fields(TYPED)
            .static_fields(TOP)
            .static_fields(TYPED)
            .object("labels", |layout| {
                // Elasticsearch maps a label by its first value, and then refuses others: all are text.
                layout
                    .syntax(labels)
                    .request("request_id", AS_TEXT)
                    .fields(LABELS)
                    .static_fields(LABELS)
                    .when(holds_back, Layout::held_back)
                    .span_path("spans")
                    .truncation()
            })
    }
}

described!(
    Ecs,
    wants_thread: |options| options.thread_id || options.thread_name,
    wants_local_time: |options| options.time.is_local()
);

/// Returns whether a field has a type other than a text. An id that is a number in one line can be a text in the next, and
/// Elasticsearch may take the field's type from the first.
fn is_typed(name: &str) -> bool {
    matches!(last_part(name), "bytes" | "port" | "status_code" | "duration" | "coldstart")
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// Returns whether a value has the type that the specification requires for one of [`FIELDS`]. Elasticsearch refuses
/// the whole document otherwise.
fn is_of_type(name: &str, value: &Value<'_>) -> bool {
    let text = || value.as_str().unwrap_or_default();
    match (last_part(name), *value) {
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

/// Returns ECS's word for the outcome of a request, whose own word is a label.
fn outcome(parts: &Parts<'_>) -> Option<&'static str> {
    Some(match parts.of_request("outcome")?.as_str()? {
        "completed" if !parts.is_fault_of_server() => "success",
        // The client has gone, so the response is not known to be good or bad.
        "cancelled" | "aborted" => "unknown",
        _ => "failure",
    })
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
