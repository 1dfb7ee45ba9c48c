//! AWS Lambda's JSON log format, which its log-level filter and CloudWatch read.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>. The error keys are those of
//! the managed runtimes.

use super::Schema;
use super::clock::ClockText;
use super::common_fields::{CommonFields, error_message, error_type, views};
use super::json;
use super::json::DraftBytes;
use super::object::{Object, switches};
use super::table::{BuiltIn, Keys};
use crate::record::{Record, Value};

/// Lines for AWS Lambda functions whose log format is JSON.
///
/// `requestId` is the field `requestId` of the span that `lambda_runtime` opens around each invocation, else the field
/// `request_id`.
#[derive(Debug, Default)]
pub struct Lambda {
    file: bool,
    line: bool,
    clock: ClockText,
    draft: DraftBytes,
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

    switches! {
        /// Adds the source file of the call site to `location`.
        file,
        /// Adds the line in the source file to `location`: `src/main.rs:42`.
        line,
    }
}

impl Schema for Lambda {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let invocation = common.take("requestId", |value| value.as_str().is_some());
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.plain("level", record.level().as_str().as_bytes());
        if let Some(message) = &common.message {
            line.text("message", &json::text_of(message));
        }
        line.text("logger", record.target());
        match (&invocation, &common.request) {
            (Some(id), request) => {
                line.value("requestId", id);
                if let Some(request) = request {
                    line.value("request_id", request);
                }
            }
            (None, Some(request)) => line.text("requestId", &json::text_of(request)),
            (None, None) => {}
        }
        if let Some(service) = common.service {
            line.text("service", service);
        }
        if let Some(trace) = common.trace {
            line.plain("trace_id", &trace.digits());
        }
        if let Some(span) = common.span {
            line.plain("span_id", &span.digits());
        }
        if let Some(error) = &common.error {
            line.text("errorMessage", error_message(error));
            if let Some(type_name) = error_type(error) {
                line.text("errorType", type_name);
            }
            if let Value::Error(chain) = error
                && chain.sources().next().is_some()
            {
                let out = line.key("stackTrace");
                for (place, source) in chain.sources().enumerate() {
                    out.push(if place == 0 { b'[' } else { b',' });
                    json::put_str(out, source);
                }
                out.push(b']');
            }
        }
        match (record.file().filter(|_| self.file), record.line().filter(|_| self.line)) {
            (Some(file), Some(number)) => line.text("location", &format!("{file}:{number}")),
            (Some(file), None) => line.text("location", file),
            (None, Some(number)) => line.text("location", &number.to_string()),
            (None, None) => {}
        }
        common.end(line, record, &views);
    }
}
