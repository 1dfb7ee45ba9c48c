//! Bunyan's core fields, for its command-line viewer and other readers.
//!
//! Source: <https://github.com/trentm/node-bunyan#core-fields>. In the tests, the viewer itself reads the lines.

use super::engine::{AS_JSON, AS_TEXT, Engine, Layout, Stage, TOP};
use super::host::hostname;
use super::object::{described, put_object, put_present, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::{Rfc3339, TimeFormat};
use crate::record::{Record, Value};

/// Lines for the `bunyan` command.
#[derive(Debug, Default)]
pub struct Bunyan {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    time: TimeFormat,
    file: bool,
    line: bool,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("bunyan", LINE_KEYS, || Box::new(Bunyan::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/component",
    trace_id: "/trace_id",
    request_id: Some("/req_id"),
    fields: Some(""),
};

const KEYS: &[&str] = &[
    "time",
    "v",
    "name",
    "hostname",
    "pid",
    "level",
    "msg",
    "component",
    "req_id",
    "trace_id",
    "span_id",
    "err",
    "src",
    "event_name",
    "spans",
    "truncated",
    "original_bytes",
    "fields",
    // Readers know these, but no line has them: a user's field must not be taken for one.
    "req",
    "res",
    "client_req",
    "client_res",
    "latency",
    "widget_name",
];

/// The viewer requires a name on every line.
const NO_NAME: &str = "-";

impl Bunyan {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `time` is spelled.
    pub fn time(mut self, time: Rfc3339) -> Self {
        self.options.time = time.into();
        self
    }

    switches! { options:
        /// Adds `src.file`, the source file of the call site.
        file,
        /// Adds `src.line`, the line in the source file.
        line,
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let holds_back = record.statics.holds_back;
        Layout::with_keys("{\"v\":0,\"time\":\"", KEYS, record)
            .time(self.time)
            .number("level", Stage::CallSite, |parts| Some(parts.level.bunyan()))
            .text("name", Stage::Service, |parts| Some(parts.service.unwrap_or(NO_NAME).into()))
            .text("hostname", Stage::Log, |_| Some(hostname().into()))
            .number("pid", Stage::Log, |_| Some(std::process::id().into()))
            // The viewer requires it on every line.
            .message("msg", AS_TEXT)
            .target("component")
            .event_name("event_name")
            .request("req_id", AS_JSON)
            .trace("trace_id")
            .span("span_id")
            .request_member("req", &["method", "path"], |parts, out| {
                let members = [("method", parts.of_request("method")), ("url", parts.of_request("path"))];
                put_present(out, members)
            })
            .request_member("res", &["status"], |parts, out| {
                put_present(out, [("statusCode", parts.of_request("status"))])
            })
            .err("name", record)
            .when(self.file || self.line, |layout| {
                layout.put("src", Stage::CallSite, move |parts, out| {
                    let file = parts.record.file().filter(|_| self.file).map(|file| ("file", Value::Str(file)));
                    let line = parts.record.line().filter(|_| self.line).map(|line| ("line", Value::from(line)));
                    put_object(out, file.into_iter().chain(line));
                    file.is_some() || line.is_some()
                })
            })
            .truncation()
            .when(holds_back, Layout::held_back)
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

described!(Bunyan, wants_local_time: |options| options.time.is_local());
