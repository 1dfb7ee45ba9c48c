//! Pino's lines, for `pino-pretty` and other readers.
//!
//! Source: <https://github.com/pinojs/pino/blob/main/docs/api.md> and the serializers of
//! <https://github.com/pinojs/pino-std-serializers>. In the tests, `pino-pretty` itself reads the lines.

use super::engine::{AS_JSON, AS_TEXT, Engine, Layout, Stage, TOP, micros_as_millis};
use super::host::hostname;
use super::object::{described, put_present, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::record::Record;

/// Lines for the `pino-pretty` command, and other readers of Pino's lines.
#[derive(Debug, Default)]
pub struct Pino {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    time: TimeFormat,
    file: bool,
    line: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { time: TimeFormat::EpochMillis, file: false, line: false }
    }
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("pino", LINE_KEYS, || Box::new(Pino::new()))];

const LINE_KEYS: Keys =
    Keys { level: "/level", target: "/logger", trace_id: "/trace_id", request_id: Some("/reqId"), fields: Some("") };

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "time", "level", "pid", "hostname", "name", "msg", "logger", "caller", "reqId", "trace_id", "span_id", "err", "spans", "event_name",
    "truncated", "original_bytes", "fields",
    // Readers know these, but no line has them: a user's field must not be taken for one.
    "timestamp", "type", "stack", "req", "res", "responseTime",
];

impl Pino {
    /// Creates the schema, with nothing switched on. Times are [`TimeFormat::EpochMillis`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `time` is spelled. Readers take milliseconds and RFC 3339.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }

    switches! { options:
        /// Adds the source file of the call site to `caller`.
        file,
        /// Adds the line in the source file to `caller`: `src/main.rs:42`.
        line,
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        Layout::with_keys("{\"time\":\"", KEYS, record)
            .time(self.time)
            .number("level", Stage::CallSite, |parts| Some(parts.level.bunyan()))
            .number("pid", Stage::Log, |_| Some(std::process::id().into()))
            .text("hostname", Stage::Log, |_| Some(hostname().into()))
            .service("name")
            .message("msg", AS_TEXT)
            .target("logger")
            .event_name("event_name")
            .location("caller", self.file, self.line)
            .request("reqId", AS_JSON)
            .trace("trace_id")
            .span("span_id")
            .request_member("req", &["method", "path"], |parts, out| {
                let id = parts.request.map(|(id, _)| id);
                let members = [("id", id), ("method", parts.of_request("method")), ("url", parts.of_request("path"))];
                parts.of_request("method").is_some() && put_present(out, members)
            })
            .request_member("res", &["status"], |parts, out| {
                put_present(out, [("statusCode", parts.of_request("status"))])
            })
            .request_field("responseTime", "latency_us", micros_as_millis)
            .err("type", record)
            .truncation()
            .when(record.statics.holds_back, Layout::held_back)
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

described!(Pino, wants_local_time: |options| options.time.is_local());
