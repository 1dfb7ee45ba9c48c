//! Bunyan's core fields, for its command-line viewer and other readers.
//!
//! Source: <https://github.com/trentm/node-bunyan#core-fields>. In the tests, the viewer itself reads the lines.

use tracing::Level;

use super::Schema;
use super::edit::Edits;
use super::engine::{AS_TEXT, Engine, Layout, Mark, Stage, TOP};
use super::host::hostname;
use super::object::{put_object, switches};
use super::table::{BuiltIn, Keys};
use crate::record::{Record, Value};

/// Lines for the `bunyan` command.
#[derive(Debug, Default)]
pub struct Bunyan {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
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
        let (backtraces, holds_back) = (record.statics.backtraces, record.statics.holds_back);
        Layout::with_keys("{\"v\":0,\"time\":\"", KEYS, record)
            .number("level", Stage::CallSite, |parts| Some(level(parts.record.level())))
            .text("name", Stage::Service, |parts| Some(parts.service.unwrap_or(NO_NAME).into()))
            .text("hostname", Stage::Log, |_| Some(hostname().into()))
            .number("pid", Stage::Log, |_| Some(std::process::id().into()))
            // The viewer requires it on every line.
            .message_or_empty("msg", AS_TEXT)
            .target("component")
            .request("req_id", None)
            .trace("trace_id")
            .span("span_id")
            .put("err", Stage::Event(Mark::Error), |parts, out| {
                let Some(message) = parts.error_message() else { return false };
                let (name, stack) = (parts.error_type().unwrap_or("Error"), parts.stack());
                let stack = stack.as_deref().unwrap_or(message);
                let members = [("message", message), ("name", name), ("stack", stack)];
                put_object(out, members.map(|(key, text)| (key, Value::Str(text))));
                true
            })
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
            .when(backtraces, |layout| {
                // With an error, it is part of the stack.
                layout.text("backtrace", Stage::Event(Mark::Stack), |parts| {
                    parts.record.backtrace().filter(|_| parts.error.is_none()).map(Into::into)
                })
            })
            .span_names("spans")
            .fields(TOP)
            .static_fields(TOP)
            .under_fields()
    }
}

impl Schema for Bunyan {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.engine.render(record, out, || self.options.layout(record));
    }

    fn edit(&mut self, edits: &Edits) -> bool {
        self.engine.edit(edits);
        true
    }

    fn forked(&mut self) {
        self.engine.forget();
    }
}

fn level(level: Level) -> u64 {
    match level {
        Level::ERROR => 50,
        Level::WARN => 40,
        Level::INFO => 30,
        Level::DEBUG => 20,
        _ => 10,
    }
}
