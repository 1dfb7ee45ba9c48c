//! Bunyan's core fields, for its command-line viewer and what else reads it.
//!
//! Source: <https://github.com/trentm/node-bunyan#core-fields>. The viewer itself reads the tests' lines.

use tracing::Level;

use super::clock::ClockText;
use super::common_fields::{CommonFields, error_message, error_type, views};
use super::host::Host;
use super::json::DraftBytes;
use super::object::{Object, put_object, switches};
use super::{Schema, json};
use crate::record::{Record, Value};

/// Lines for the `bunyan` command.
#[derive(Debug)]
pub struct Bunyan {
    location: bool,
    clock: ClockText,
    draft: DraftBytes,
    host: Host,
}

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
    // Read there and not written here: a user's field must not be taken for it.
    "req",
    "res",
    "client_req",
    "client_res",
    "latency",
    "widget_name",
];

/// The viewer wants a name on every line.
const NO_NAME: &str = "-";

impl Bunyan {
    /// Lines for the `bunyan` command.
    pub fn new() -> Self {
        Self {
            location: false,
            clock: ClockText::new("{\"v\":0,\"time\":\""),
            draft: DraftBytes::default(),
            host: Host::default(),
        }
    }

    switches! {
        /// Adds `src`, file and line.
        location,
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
        let mut parts = CommonFields::of(record, &views);
        let stack = if parts.error.is_some() { parts.take_stack(record) } else { None };
        let mut line = Object::begun(out, &mut self.draft, self.clock.text(record.timestamp()), KEYS);
        line.number("level", level(record.level()));
        line.text("name", parts.service.unwrap_or(NO_NAME));
        line.text("hostname", self.host.hostname());
        line.number("pid", self.host.pid().into());
        line.text("msg", &parts.message.as_ref().map(json::text_of).unwrap_or_default());
        line.text("component", record.target());
        if let Some(request) = &parts.request {
            line.value("req_id", request);
        }
        if let Some(trace) = parts.trace {
            line.plain("trace_id", &trace.digits());
        }
        if let Some(span) = parts.span {
            line.plain("span_id", &span.digits());
        }
        if let Some(error) = &parts.error {
            let (message, name) = (Value::Str(error_message(error)), Value::Str(error_type(error).unwrap_or("Error")));
            let stack = stack.as_deref().map(Value::Str).unwrap_or(message);
            put_object(line.key("err"), [("message", &message), ("name", &name), ("stack", &stack)].into_iter());
        }
        if let Some((file, number)) = record.file().zip(record.line()).filter(|_| self.location) {
            let (file, number) = (Value::Str(file), Value::U64(number.into()));
            put_object(line.key("src"), [("file", &file), ("line", &number)].into_iter());
        }
        parts.end(line, record, &views);
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
