//! Datadog's reserved and standard attributes, which its log pipelines read without any set-up.
//!
//! Source: <https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/> and
//! <https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/>. Today, Datadog's own tracers log 128-bit trace
//! ids as 32 hex digits, and span ids in decimal. Earlier, both were decimal numbers of 64 bits.

use tracing::Level;

use super::clock::ClockText;
use super::common_fields::{CommonFields, error_message, error_type, views};
use super::json::DraftBytes;
use super::object::{Object, switches};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::record::Record;

/// Lines for Datadog.
#[derive(Debug, Default)]
pub struct Datadog {
    decimal_ids: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    module: bool,
    clock: ClockText,
    draft: DraftBytes,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("datadog", LINE_KEYS, || Box::new(Datadog::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/status",
    target: "/logger.name",
    trace_id: "/dd.trace_id",
    request_id: Some("/request_id"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "timestamp",
    "status",
    "message",
    "service",
    "dd.service",
    "dd.env",
    "dd.version",
    "dd.trace_id",
    "dd.span_id",
    "logger.name",
    "logger.thread_name",
    "logger.method_name",
    "logger.file",
    "logger.line",
    "error.message",
    "error.kind",
    "error.stack",
    "request_id",
    "spans",
    "truncated",
    "original_bytes",
    "fields",
    // Readers know these, but no line has them: a user's field must not be taken for one.
    "error",
    "dd",
    "logger",
    "level",
    "severity",
    "syslog",
    // The first of these that is present would become the line's time.
    "@timestamp",
    "_timestamp",
    "Timestamp",
    "eventTime",
    "date",
    "published_date",
    "host",
    "hostname",
    "source",
    "ddsource",
    "ddtags",
];

impl Datadog {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    switches! {
        /// Writes the lower 64 bits of `dd.trace_id` in decimal, for tracers with
        /// `DD_TRACE_128_BIT_TRACEID_LOGGING_ENABLED=false`.
        decimal_ids,
        /// Adds `logger.thread_name`, where the thread has one.
        thread_name,
        /// Adds `logger.file`, the source file of the call site.
        file,
        /// Adds `logger.line`, the line in the source file.
        line,
        /// Adds `logger.method_name`, the module path of the call site.
        module,
    }
}

impl Schema for Datadog {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let stack = common.take_stack(record);
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.plain("status", status(record.level()));
        if let Some(message) = &common.message {
            line.text("message", &json::text_of(message));
        }
        if let Some(service) = common.service {
            line.text("service", service);
            line.text("dd.service", service);
        }
        for (key, name) in [("dd.env", "env"), ("dd.version", "version")] {
            if let Some(value) = common.take_static(record, name) {
                line.text(key, &json::text_of(&value));
            }
        }
        if let Some(trace) = common.trace {
            if self.decimal_ids {
                let low = trace.digits().last_chunk::<16>().map(decimal);
                line.plain("dd.trace_id", low.unwrap_or_default().as_bytes());
            } else {
                line.plain("dd.trace_id", &trace.digits());
            }
        }
        if let Some(span) = common.span {
            line.plain("dd.span_id", decimal(&span.digits()).as_bytes());
        }
        line.text("logger.name", record.target());
        if let Some(name) = record.thread().and_then(|thread| thread.name).filter(|_| self.thread_name) {
            line.text("logger.thread_name", name);
        }
        if let Some(module) = record.module_path().filter(|_| self.module) {
            line.text("logger.method_name", module);
        }
        if let Some(file) = record.file().filter(|_| self.file) {
            line.text("logger.file", file);
        }
        if let Some(number) = record.line().filter(|_| self.line) {
            line.number("logger.line", number.into());
        }
        if let Some(error) = &common.error {
            line.text("error.message", error_message(error));
            if let Some(type_name) = error_type(error) {
                line.text("error.kind", type_name);
            }
        }
        if let Some(stack) = &stack {
            line.text("error.stack", stack);
        }
        if let Some(request) = &common.request {
            line.value("request_id", request);
        }
        common.end(line, record, &views);
    }

    fn wants_thread(&self) -> bool {
        self.thread_name
    }
}

/// Returns the number that hex digits stand for, in decimal.
fn decimal(digits: &[u8; 16]) -> String {
    let number =
        digits.iter().fold(0, |number, digit| number << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0)));
    number.to_string()
}

fn status(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"error",
        Level::WARN => b"warn",
        Level::INFO => b"info",
        Level::DEBUG => b"debug",
        _ => b"trace",
    }
}
