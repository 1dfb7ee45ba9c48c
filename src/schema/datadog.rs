//! Datadog's reserved and standard attributes, which its log pipelines read without any set-up.
//!
//! Source: <https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/> and
//! <https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/>. Today, Datadog's own tracers log 128-bit trace
//! ids as 32 hex digits, and span ids in decimal. Earlier, both were decimal numbers of 64 bits.

use super::engine::{AS_JSON, AS_TEXT, Engine, Layout, Mark, Stage, TOP, is_text, micros_as_nanos};
use super::object::{described, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::context::TraceId;
use crate::record::Record;

/// Lines for Datadog.
#[derive(Debug, Default)]
pub struct Datadog {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    time: TimeFormat,
    decimal_ids: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    module: bool,
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
    "evt.name",
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
    "trace_id",
    "span_id",
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

    /// Sets how `timestamp` is spelled. Datadog reads RFC 3339 and milliseconds.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }

    switches! { options:
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

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let holds_back = record.statics.holds_back;
        Layout::with_keys("{\"timestamp\":\"", KEYS, record)
            .time(self.time)
            .hides_statics(&["env", "version"])
            .text("status", Stage::CallSite, |parts| Some(parts.level.datadog().into()))
            .message("message", AS_TEXT)
            .service("service")
            .service("dd.service")
            .static_text("dd.env", "env")
            .static_text("dd.version", "version")
            .when(self.decimal_ids, |layout| {
                layout.text("dd.trace_id", Stage::Context, |parts| {
                    let digits = parts.trace.map(TraceId::digits)?;
                    Some(decimal(digits.last_chunk::<16>()?).into())
                })
            })
            .when(!self.decimal_ids, |layout| layout.trace("dd.trace_id"))
            .text("dd.span_id", Stage::Context, |parts| Some(decimal(&parts.span?.digits()).into()))
            .target("logger.name")
            .event_name("evt.name")
            .thread_name(self.thread_name, "logger.thread_name")
            .when(self.module, |layout| layout.module("logger.method_name"))
            .when(self.file, |layout| layout.file("logger.file"))
            .when(self.line, |layout| layout.line("logger.line"))
            .text("error.message", Stage::Event(Mark::Error), |parts| parts.error_message().map(Into::into))
            .or_field("error.message", is_text)
            // Error Tracking leaves out errors without a kind.
            .text("error.kind", Stage::Event(Mark::Error), |parts| {
                parts.error_message().map(|_| parts.error_type().unwrap_or("Error").into())
            })
            .or_field("error.kind", is_text)
            .stack_text("error.stack")
            .request("request_id", AS_JSON)
            .request_fields(&[
                ("http.method", "method"),
                ("http.status_code", "status"),
                ("http.url_details.path", "path"),
                ("http.url_details.scheme", "scheme"),
                ("http.version", "http_version"),
                ("http.useragent", "user_agent"),
                ("network.bytes_read", "request_bytes"),
                ("network.bytes_written", "response_bytes"),
                ("evt.outcome", "outcome"),
            ])
            .host_of_request("http.url_details.host", "http.url_details.port")
            .duration("duration", micros_as_nanos)
            .id_of_request("http.request_id", AS_TEXT)
            .truncation()
            .when(holds_back, Layout::held_back)
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

described!(Datadog, wants_thread: |options| options.thread_name, wants_local_time: |options| options.time.is_local());

/// Returns the number that hex digits stand for, in decimal.
fn decimal(digits: &[u8; 16]) -> String {
    let number =
        digits.iter().fold(0, |number, digit| number << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0)));
    number.to_string()
}
