//! Events for Splunk's HTTP Event Collector.
//!
//! Source: <https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector>. The keys of the
//! event are those of Splunk's own Java appender, `EventBodySerializer.java` in
//! <https://github.com/splunk/splunk-library-javalogging>. The tests apply the collector's rules.

use std::borrow::Cow;

use super::engine::{AS_JSON, AS_TEXT, Engine, Layout, Spelling, Stage, TOP, UNDER, micros_as_millis};
use super::host::hostname;
use super::object::{described, keyed_switches, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::record::Record;

/// Events for Splunk's HTTP Event Collector.
///
/// A user's field is a member of `event`; one named like a key of the schema is `fields.level` there.
#[derive(Debug, Default)]
pub struct Splunk {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Debug, Default)]
struct Options {
    index: Option<String>,
    sourcetype: Option<String>,
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("splunk", LINE_KEYS, || Box::new(Splunk::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/event/severity",
    target: "/event/logger",
    trace_id: "/event/trace_id",
    request_id: Some("/event/request_id"),
    fields: Some("/event"),
};

#[rustfmt::skip]
const KEYS: &[&str] = &[
    "message", "severity", "logger", "file", "line", "thread_id", "thread", "exception", "exception_type", "stack_trace",
    "request_id", "trace_id", "span_id", "spans", "event_name", "truncated", "original_bytes", "fields",
    // The collector's metadata are fields of the event too, and would get a second value.
    "host", "source", "sourcetype", "index",
];

impl Splunk {
    /// The type of JSON events, whose members Splunk finds without configuration.
    pub const DEFAULT_SOURCETYPE: &str = "_json";

    /// Creates the schema, with nothing switched on. `source` is the service.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `index`; by default, the collector's token decides.
    pub fn index(mut self, index: impl Into<String>) -> Self {
        self.options.index = Some(index.into());
        self
    }

    /// Sets `sourcetype`, which is [`DEFAULT_SOURCETYPE`](Self::DEFAULT_SOURCETYPE) by default.
    pub fn sourcetype(mut self, sourcetype: impl Into<String>) -> Self {
        self.options.sourcetype = Some(sourcetype.into());
        self
    }

    keyed_switches! { options: thread_id "thread_id", thread_name "thread", file "file", line "line" }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(&self, record: &Record<'_>) -> Layout {
        let Self { index, sourcetype, thread_id, thread_name, file, line } = self.clone();
        let sourcetype = sourcetype.unwrap_or_else(|| Splunk::DEFAULT_SOURCETYPE.to_owned());
        Layout::with_keys("{\"time\":\"", KEYS, record)
            .time(TimeFormat::EpochSeconds)
            .spelling(UNDER, Spelling::json(AS_JSON, |name| Cow::Owned(format!("fields.{name}"))))
            .text("host", Stage::Log, |_| Some(hostname().into()))
            .service("source")
            .text("sourcetype", Stage::Log, move |_| Some(sourcetype.clone().into()))
            .text("index", Stage::Log, move |_| index.clone().map(Into::into))
            .object("event", |layout| {
                layout
                    .message("message", AS_TEXT)
                    .level("severity")
                    .target("logger")
                    .event_name("event_name")
                    .when(file, |layout| layout.file("file"))
                    .when(line, |layout| layout.line("line"))
                    .when(thread_id, |layout| layout.thread_id("thread_id"))
                    .thread_name(thread_name, "thread")
                    .error_texts("exception", "exception_type", "stack_trace")
                    .request("request_id", AS_JSON)
                    .trace("trace_id")
                    .span("span_id")
                    .request_fields(&[
                        ("http_method", "method"),
                        ("status", "status"),
                        ("uri_path", "path"),
                        ("bytes_in", "request_bytes"),
                        ("bytes_out", "response_bytes"),
                        ("http_user_agent", "user_agent"),
                    ])
                    .host_of_request("url_domain", "dest_port")
                    .request_field("response_time", "latency_us", micros_as_millis)
                    .truncation()
                    .when(record.statics.holds_back, Layout::held_back)
                    .span_names("spans")
                    .fields(TOP)
                    .static_fields(TOP)
                    .fields(UNDER)
                    .static_fields(UNDER)
            })
    }
}

described!(Splunk, wants_thread: |options| options.thread_id || options.thread_name);
