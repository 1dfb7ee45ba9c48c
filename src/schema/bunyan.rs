//! Bunyan's core fields, for its command-line viewer and other readers.
//!
//! Source: <https://github.com/trentm/node-bunyan#core-fields>. In the tests, the viewer itself reads the lines.

use tracing::Level;

use super::clock::ClockText;
use super::common_fields::{CommonFields, error_message, error_type, views};
use super::host::Host;
use super::json::DraftBytes;
use super::object::{Object, put_object, switches};
use super::table::{BuiltIn, Keys};
use super::{Schema, json};
use crate::record::{Record, Value};

/// Lines for the `bunyan` command.
#[derive(Debug)]
pub struct Bunyan {
    file: bool,
    line: bool,
    clock: ClockText,
    draft: DraftBytes,
    host: Host,
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
        Self {
            file: false,
            line: false,
            clock: ClockText::new("{\"v\":0,\"time\":\""),
            draft: DraftBytes::default(),
            host: Host::default(),
        }
    }

    switches! {
        /// Adds `src.file`, the source file of the call site.
        file,
        /// Adds `src.line`, the line in the source file.
        line,
    }
}

impl Default for Bunyan {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Bunyan {
    fn render(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let views = views(record);
        let mut common = CommonFields::of(record, &views);
        let stack = if common.error.is_some() { common.take_stack(record) } else { None };
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.number("level", level(record.level()));
        line.text("name", common.service.unwrap_or(NO_NAME));
        line.text("hostname", self.host.hostname());
        line.number("pid", self.host.pid().into());
        line.text("msg", &common.message.as_ref().map(json::text_of).unwrap_or_default());
        line.text("component", record.target());
        if let Some(request) = &common.request {
            line.value("req_id", request);
        }
        if let Some(trace) = common.trace {
            line.plain("trace_id", &trace.digits());
        }
        if let Some(span) = common.span {
            line.plain("span_id", &span.digits());
        }
        if let Some(error) = &common.error {
            let (message, name) = (Value::Str(error_message(error)), Value::Str(error_type(error).unwrap_or("Error")));
            let stack = stack.as_deref().map(Value::Str).unwrap_or(message);
            put_object(line.key("err"), [("message", &message), ("name", &name), ("stack", &stack)].into_iter());
        }
        let file = record.file().filter(|_| self.file).map(Value::Str);
        let number = record.line().filter(|_| self.line).map(Value::from);
        if file.is_some() || number.is_some() {
            let members = [("file", &file), ("line", &number)].into_iter();
            put_object(line.key("src"), members.filter_map(|(name, value)| Some((name, value.as_ref()?))));
        }
        common.end(line, record, &views);
    }

    fn forked(&mut self) {
        self.host.forked();
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
