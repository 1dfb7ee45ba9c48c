//! AWS Lambda's JSON log format, which its log-level filter and CloudWatch read.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>. The error keys are those of
//! the managed runtimes.

use super::engine::{AS_TEXT, Engine, Layout, Mark, Stage, TOP, is_text};
use super::json;
use super::object::{described, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::{Rfc3339, TimeFormat};
use crate::record::Record;

/// Lines for AWS Lambda functions whose log format is JSON.
///
/// `requestId` is the field `requestId` of the span that `lambda_runtime` opens around each invocation, else the field
/// `request_id`.
#[derive(Debug, Default)]
pub struct Lambda {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    time: TimeFormat,
    file: bool,
    line: bool,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("lambda", LINE_KEYS, || Box::new(Lambda::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/logger",
    trace_id: "/trace_id",
    request_id: Some("/requestId"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "timestamp",
    "level",
    "message",
    "logger",
    "requestId",
    "request_id",
    "service",
    "trace_id",
    "span_id",
    "errorMessage",
    "stackTrace",
    "location",
    "event_name",
    "spans",
    "truncated",
    "original_bytes",
    "fields",
    "errorType",
    // Readers know this, but no line has it: a user's field must not be taken for it.
    "AWSRequestId",
];

impl Lambda {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `timestamp` is spelled.
    pub fn time(mut self, time: Rfc3339) -> Self {
        self.options.time = time.into();
        self
    }

    switches! { options:
        /// Adds the source file of the call site to `location`.
        file,
        /// Adds the line in the source file to `location`: `src/main.rs:42`.
        line,
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let holds_back = record.statics.holds_back;
        Layout::with_keys("{\"timestamp\":\"", KEYS, record)
            .time(self.time)
            .text("level", Stage::CallSite, |parts| Some(parts.level.lambda().into()))
            .message("message", AS_TEXT)
            .target("logger")
            .event_name("event_name")
            .takes("requestId", |value| value.as_str().is_some())
            .text("requestId", Stage::Context, |parts| {
                let id = parts.taken.or(parts.request.map(|(request, _)| request));
                id.map(|id| json::text_of(&id))
            })
            .value("request_id", Stage::Context, |parts| {
                parts.request.map(|(request, _)| request).filter(|_| parts.taken.is_some())
            })
            .service("service")
            .trace("trace_id")
            .span("span_id")
            .text("errorMessage", Stage::Event(Mark::Error), |parts| parts.error_message().map(Into::into))
            .or_field("errorMessage", is_text)
            .text("errorType", Stage::Event(Mark::Error), |parts| {
                parts.error_message().map(|_| parts.error_type().unwrap_or("Error").into())
            })
            .or_field("errorType", is_text)
            .put("stackTrace", Stage::Event(Mark::Stack), |parts, out| {
                let stack = parts.stack().unwrap_or_default();
                for (place, line) in stack.lines().filter(|line| !line.is_empty()).enumerate() {
                    out.push(if place == 0 { b'[' } else { b',' });
                    json::put_str(out, line);
                }
                out.push(b']');
                !stack.is_empty()
            })
            .location("location", self.file, self.line)
            .truncation()
            .when(holds_back, Layout::held_back)
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

described!(Lambda, wants_local_time: |options| options.time.is_local());
