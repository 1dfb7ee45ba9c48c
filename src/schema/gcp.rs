//! Google Cloud's structured logging, as its agents and Cloud Run read it from stdout and files.
//!
//! Source: <https://cloud.google.com/logging/docs/structured-logging> (special fields) and
//! <https://cloud.google.com/error-reporting/docs/formatting-error-messages>.

use tracing::Level;

use super::clock::ClockText;
use super::common_fields::{CommonFields, put_span_names, shown, views};
use super::json::DraftBytes;
use super::object::{Object, put_object, switches};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::names::last_of_each;
use crate::record::{Record, Value};

/// Lines for Google Cloud Logging.
///
/// Static fields become labels of the log entry; all other fields are in its payload. A field `httpRequest` that is a
/// nested JSON object becomes the entry's request.
#[derive(Debug)]
pub struct Gcp {
    project: Option<String>,
    trace_sampled: Option<bool>,
    error_reporting: bool,
    thread_id: bool,
    thread_name: bool,
    clock: ClockText,
    draft: DraftBytes,
}

const TRACE: &str = "logging.googleapis.com/trace";
const SPAN_ID: &str = "logging.googleapis.com/spanId";
const TRACE_SAMPLED: &str = "logging.googleapis.com/trace_sampled";
const SOURCE_LOCATION: &str = "logging.googleapis.com/sourceLocation";
const LABELS: &str = "logging.googleapis.com/labels";
const ERROR_EVENT: &[u8] = b"type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent";

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("gcp", LINE_KEYS, || Box::new(Gcp::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/severity",
    target: "/target",
    trace_id: "/logging.googleapis.com~1trace",
    request_id: Some("/request_id"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "time",
    "severity",
    "message",
    "target",
    "error",
    "stack_trace",
    "@type",
    "context",
    "serviceContext",
    "httpRequest",
    TRACE,
    SPAN_ID,
    TRACE_SAMPLED,
    SOURCE_LOCATION,
    LABELS,
    "request_id",
    "spans",
    "thread_id",
    "thread_name",
    "truncated",
    "original_bytes",
    "fields",
    // Readers know these, but no line has them: a user's field must not be taken for one.
    "logging.googleapis.com",
    "exception",
    "timestamp",
    "timestampSeconds",
    "timestampNanos",
];

impl Gcp {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self {
            project: None,
            trace_sampled: None,
            error_reporting: false,
            thread_id: false,
            thread_name: false,
            clock: ClockText::new("{\"time\":\""),
            draft: DraftBytes::default(),
        }
    }

    /// Sets the id of the project that holds the traces. `logging.googleapis.com/trace` is then the trace's full name,
    /// which links the entry to it; otherwise it is the bare id.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project = Some(id.into());
        self
    }

    /// Sets `logging.googleapis.com/trace_sampled` for lines that belong to a trace. By default it follows the trace's
    /// `traceparent`, if there is one.
    pub fn trace_sampled(mut self, sampled: bool) -> Self {
        self.trace_sampled = Some(sampled);
        self
    }

    switches! {
        /// Marks ERROR lines as error events, with their source location. Error Reporting then also takes those without
        /// a stack trace.
        error_reporting,
        /// Adds `thread_id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `thread_name`, where the thread has one.
        thread_name,
    }
}

impl Default for Gcp {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Gcp {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let stack = common.take_stack(record);
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.plain("severity", severity(record.level()));
        if let Some(message) = &common.message {
            line.text("message", &json::text_of(message));
        }
        line.text("target", record.target());
        if let Some(error) = &common.error {
            json::put_error_object(line.key("error"), error);
        }
        if let Some(stack) = &stack {
            line.text("stack_trace", stack);
        }
        let place = record.file().zip(record.line());
        if self.error_reporting && record.level() == Level::ERROR {
            line.plain("@type", ERROR_EVENT);
            if let Some((file, number)) = place {
                let out = line.key("context");
                out.extend_from_slice(b"{\"reportLocation\":{\"filePath\":");
                json::put_str(out, file);
                out.extend_from_slice(b",\"lineNumber\":");
                json::put_int(out, number);
                out.extend_from_slice(b",\"functionName\":");
                json::put_str(out, record.module_path().unwrap_or_default());
                out.extend_from_slice(b"}}");
            }
        }
        if let Some(service) = common.service {
            let version = record.static_fields().filter(|(name, _)| *name == "version").last();
            let version = version.map(|(_, value)| json::text_of(&value));
            let version = version.as_deref().map(Value::Str);
            let service = Value::Str(service);
            let members =
                std::iter::once(("service", &service)).chain(version.iter().map(|version| ("version", version)));
            put_object(line.key("serviceContext"), members);
        }
        if let Some(trace) = common.trace {
            match &self.project {
                Some(project) => line.text(TRACE, &format!("projects/{project}/traces/{trace}")),
                None => line.plain(TRACE, &trace.digits()),
            }
        }
        if let Some(span) = common.span {
            line.plain(SPAN_ID, &span.digits());
        }
        let sampled = self.trace_sampled.or_else(|| record.context()?.is_sampled());
        if let Some(sampled) = sampled.filter(|_| common.trace.is_some()) {
            line.value(TRACE_SAMPLED, &Value::Bool(sampled));
        }
        if let Some((file, number)) = place {
            let out = line.key(SOURCE_LOCATION);
            out.extend_from_slice(b"{\"file\":");
            json::put_str(out, file);
            out.extend_from_slice(b",\"line\":\"");
            json::put_int(out, number);
            out.extend_from_slice(b"\"}");
        }
        if let Some(request) = common.take("httpRequest", |value| matches!(value, Value::Json(text) if is_object(text)))
        {
            line.value("httpRequest", &request);
        }
        if let Some(request) = &common.request {
            line.value("request_id", request);
        }
        if let Some(thread) = record.thread() {
            if self.thread_id {
                line.number("thread_id", thread.id);
            }
            if let Some(name) = thread.name.filter(|_| self.thread_name) {
                line.text("thread_name", name);
            }
        }
        line.truncation(record);
        if shown(&views).next().is_some() {
            put_span_names(line.key("spans"), &views);
        }
        for field in &common.fields {
            line.field(field.name, field.value);
        }
        let labels: Vec<_> = last_of_each(record.static_fields())
            .filter(|(name, _)| *name != "version" || common.service.is_none())
            .collect();
        if !labels.is_empty() {
            put_labels(line.key(LABELS), &labels);
        }
        line.end();
    }

    fn wants_thread(&self) -> bool {
        self.thread_id || self.thread_name
    }
}

/// Appends labels, a map of strings: other types become text.
fn put_labels(out: &mut Vec<u8>, labels: &[(&str, Value<'_>)]) {
    for (place, (name, value)) in labels.iter().enumerate() {
        out.push(if place == 0 { b'{' } else { b',' });
        json::put_str(out, name);
        out.push(b':');
        json::put_str(out, &json::text_of(value));
    }
    out.push(b'}');
}

fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

/// Returns the severity; there is none for TRACE.
fn severity(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"ERROR",
        Level::WARN => b"WARNING",
        Level::INFO => b"INFO",
        _ => b"DEBUG",
    }
}
