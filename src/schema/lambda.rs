//! AWS Lambda's JSON log format, which its log-level filter and CloudWatch read.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>. The error keys are those of
//! the managed runtimes.

use super::Schema;
use super::edit::Edits;
use super::engine::{AS_TEXT, Engine, Layout, Mark, Stage, TOP};
use super::json;
use super::object::switches;
use super::table::{BuiltIn, Keys};
use crate::record::{Record, Value};

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
        let (backtraces, holds_back) = (record.statics.backtraces, record.statics.holds_back);
        Layout::with_keys("{\"timestamp\":\"", KEYS, record)
            .level("level")
            .message("message", AS_TEXT)
            .target("logger")
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
            .text("errorType", Stage::Event(Mark::Error), |parts| parts.error_type().map(Into::into))
            .put("stackTrace", Stage::Event(Mark::Error), |parts, out| {
                let Some(Value::Error(chain)) = parts.error else { return false };
                for (place, source) in chain.sources().enumerate() {
                    out.push(if place == 0 { b'[' } else { b',' });
                    json::put_str(out, source);
                }
                out.push(b']');
                chain.sources().next().is_some()
            })
            .when(self.file || self.line, |layout| {
                layout.text("location", Stage::CallSite, move |parts| {
                    let file = parts.record.file().filter(|_| self.file);
                    match (file, parts.record.line().filter(|_| self.line)) {
                        (Some(file), Some(line)) => Some(format!("{file}:{line}").into()),
                        (Some(file), None) => Some(file.into()),
                        (None, line) => line.map(|line| line.to_string().into()),
                    }
                })
            })
            .truncation()
            .when(holds_back, Layout::held_back)
            .when(backtraces, Layout::backtrace)
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

impl Schema for Lambda {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.engine.render(record, out, || self.options.layout(record));
    }

    fn forked(&mut self) {
        self.engine.forget();
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(edits);
        true
    }
}
