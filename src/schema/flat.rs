//! One JSON object per line, every key once and at the top level: the default.

use super::engine::{AS_JSON, AS_TEXT, Engine, Layout, Place, Stage, TOP, UNDER, is_number, is_text};
use super::host::hostname;
use super::json::{self, Form};
use super::level::LevelFormat;
use super::object::{described, switches};
use super::resolved_fields::Origin;
use super::span_fields::SpanFields;
use super::time_format::TimeFormat;
use super::{BuiltIn, Keys};
use crate::context::SpanId;
use crate::record::{Record, Value};

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("flat", LINE_KEYS, || Box::new(Flat::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/target",
    trace_id: "/trace_id",
    request_id: Some("/request_id"),
    fields: Some(""),
};

/// The keys that are reserved whatever is switched on.
const KEYS: [&str; 14] = [
    "timestamp",
    "level",
    "target",
    "message",
    "error",
    "truncated",
    "original_bytes",
    "service",
    "request_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "spans",
    "fields",
];

/// Returns whether a name is reserved for the log, whatever is switched on.
pub(crate) fn is_reserved(name: &str) -> bool {
    name != "request_id" && KEYS.contains(&name)
}

/// One flat JSON object per line.
///
/// Reserved keys come first and cannot be overridden. A user's field with a reserved name goes under `fields`, unless
/// the log leaves that key free and the value fits. See [the crate's page](crate#what-a-line-means).
///
/// ```
/// use spanline::schema::{Flat, SpanFields};
///
/// Flat::new().thread_name().file().line().span_fields(SpanFields::IdsOnly);
/// ```
#[derive(Debug, Default)]
pub struct Flat {
    options: Options,
    engine: Engine,
}

/// What is switched on, besides what every line has.
#[derive(Clone, Debug, Default)]
struct Options {
    time: TimeFormat,
    level: LevelFormat,
    pid: bool,
    hostname: bool,
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
    module: bool,
    span_fields: SpanFields,
}

impl Flat {
    /// Creates the schema of [the crate's page](crate#what-a-line-means), with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how `timestamp` is spelled.
    pub fn time(mut self, time: impl Into<TimeFormat>) -> Self {
        self.options.time = time.into();
        self
    }

    /// Sets how `level` is spelled.
    pub fn level(mut self, level: LevelFormat) -> Self {
        self.options.level = level;
        self
    }

    switches! { options:
        /// Adds `pid`, the process id.
        pid,
        /// Adds `hostname`, the machine's name.
        hostname,
        /// Adds `thread_id`, the number in the standard library's `ThreadId`.
        thread_id,
        /// Adds `thread_name`, where the thread has one.
        thread_name,
        /// Adds `file`, the source file of the call site.
        file,
        /// Adds `line`, the line in the source file.
        line,
        /// Adds `module`, the module path of the call site.
        module,
    }

    /// Sets which of the spans' fields go into the line.
    pub fn span_fields(mut self, span_fields: SpanFields) -> Self {
        self.options.span_fields = span_fields;
        self
    }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(&self, record: &Record<'_>) -> Layout {
        let Self { pid, hostname: host, thread_id, thread_name, file, line, module, span_fields, time, level } =
            self.clone();
        let (backtraces, holds_back) = (record.statics.backtraces.is_some(), record.statics.holds_back);
        let place = move |name: &str, origin: Origin| match name {
            "backtrace" if backtraces => Place::Group(UNDER),
            "thread_id" if thread_id => Place::Group(UNDER),
            "thread_name" | "event_name" => Place::Group(UNDER),
            "file" if file => Place::Group(UNDER),
            "line" if line => Place::Group(UNDER),
            "module" if module => Place::Group(UNDER),
            // A well-formed one has become the trace's id.
            "traceparent" if origin != Origin::Event => Place::Group(UNDER),
            "pid" if pid => Place::Group(UNDER),
            "hostname" if host => Place::Group(UNDER),
            "held_back" if holds_back => Place::Group(UNDER),
            _ if KEYS.contains(&name) => Place::Group(UNDER),
            _ => Place::Group(TOP),
        };
        let place = move |name: &str, origin: Origin| match (place(name, origin), origin) {
            (Place::Group(UNDER), Origin::Static) => Place::Hidden,
            (_, Origin::Span | Origin::Variable) if !span_fields.lifts(name) => Place::Hidden,
            (place, _) => place,
        };
        Layout::new("{\"timestamp\":\"", place)
            .time(time)
            .level_as("level", level)
            .target("target")
            .event_name("event_name")
            .message("message", AS_TEXT)
            .own_fields(TOP)
            .error("error")
            .truncation()
            .when(holds_back, |layout| layout.held_back_as("held_back"))
            .when(backtraces, |layout| layout.backtrace().or_field("backtrace", is_text))
            .when(file, |layout| layout.file("file").or_field("file", is_text))
            .when(line, |layout| layout.line("line").or_field("line", is_number))
            .when(module, |layout| layout.module("module").or_field("module", is_text))
            .when(thread_id, |layout| layout.thread_id("thread_id").or_field("thread_id", is_number))
            .thread_name(thread_name, "thread_name")
            .or_field("thread_name", is_text)
            .when(pid, |layout| layout.number("pid", Stage::Log, |_| Some(std::process::id().into())))
            .when(host, |layout| layout.text("hostname", Stage::Log, |_| Some(hostname().into())))
            .service("service")
            .static_fields(TOP)
            .request("request_id", AS_JSON)
            .trace("trace_id")
            .span("span_id")
            .parent("parent_span_id")
            .or_field_as("parent_span_id", is_span_id, SPAN_ID)
            .context_fields(TOP)
            .span_names("spans")
            .under_fields()
    }
}

described!(
    Flat,
    wants_thread: |options| options.thread_id || options.thread_name,
    wants_local_time: |options| options.time.is_local()
);

/// Returns whether a value is a span's id.
fn is_span_id(value: &Value<'_>) -> bool {
    value.as_str().and_then(SpanId::parse).is_some()
}

/// The form of a span's id.
const SPAN_ID: Form = Form::Own(|value, out| {
    let id = value.as_str().and_then(SpanId::parse);
    json::put_str(out, &id.map(|id| id.to_string()).unwrap_or_default());
});
