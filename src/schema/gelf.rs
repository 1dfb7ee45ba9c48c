//! GELF 1.1, Graylog's log format.
//!
//! Source: <https://go2docs.graylog.org/current/getting_in_log_data/gelf_format.html>, and Graylog's reader of it,
//! `GelfCodec.java` in <https://github.com/Graylog2/graylog2-server>. The tests apply that reader's rules.

use std::borrow::Cow;

use super::engine::{Engine, Layout, Place, Spelling, Stage, Syntax, TOP};
use super::host::hostname;
use super::json::{self, Form};
use super::object::{described, keyed_switches, switches};
use super::table::{BuiltIn, Keys};
use super::time_format::TimeFormat;
use crate::record::{Record, Value};

/// Lines for Graylog: GELF 1.1.
///
/// A user's field becomes an additional field, `_user_id`: text or a number.
#[derive(Debug, Default)]
pub struct Gelf {
    options: Options,
    engine: Engine,
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    thread_id: bool,
    thread_name: bool,
    file: bool,
    line: bool,
}

pub(super) const ROWS: &[BuiltIn] = &[BuiltIn::json("gelf", LINE_KEYS, || Box::new(Gelf::new()))];

const LINE_KEYS: Keys = Keys {
    level: "/level",
    target: "/_logger",
    trace_id: "/_trace_id",
    request_id: Some("/_request_id"),
    fields: None,
};

/// Names of fields that the lines have, or that Graylog drops or takes for its own.
const NAMES: &str = "short_message full_message message host source timestamp level facility file line id logger service \
    request_id trace_id span_id parent_span_id spans error_message error_type thread_id thread_name event_name truncated \
    original_bytes held_back http_request_method http_request_path http_request_bytes http_response_code http_response_bytes \
    http_host http_user_agent _id _ttl _source _all _index _type _score";

impl Gelf {
    /// Creates the schema, with nothing switched on.
    pub fn new() -> Self {
        Self::default()
    }

    keyed_switches! { options: thread_id "_thread_id", thread_name "_thread_name", file "_file", line "_line" }
}

impl Options {
    /// Describes the lines. `record`: any record, which has what the builder was told.
    fn layout(self, record: &Record<'_>) -> Layout {
        let values = Syntax { form: TEXT_OR_NUMBER, ..Syntax::JSON };
        Layout::new("{\"version\":\"1.1\",\"timestamp\":\"", |_, _| Place::Group(TOP))
            .time(TimeFormat::EpochSeconds)
            .spelling(TOP, Spelling::by(values.clone(), additional))
            .syntax(values)
            .text("host", Stage::Log, |_| Some(hostname().into()))
            .message("short_message", NOT_BLANK)
            .number("level", Stage::CallSite, |parts| Some(parts.level.syslog()))
            .error_texts("_error_message", "_error_type", "full_message")
            .target("_logger")
            .text("_event_name", Stage::CallSite, |parts| parts.record.event_name().map(Into::into))
            .when(self.file, |layout| layout.file("_file"))
            .when(self.line, |layout| layout.line("_line"))
            .when(self.thread_id, |layout| layout.thread_id("_thread_id"))
            .thread_name(self.thread_name, "_thread_name")
            .service("_service")
            .request("_request_id", TEXT_OR_NUMBER)
            .trace("_trace_id")
            .span("_span_id")
            .parent("_parent_span_id")
            .span_path("_spans")
            .request_fields(&[
                ("_http_request_method", "method"),
                ("_http_request_path", "path"),
                ("_http_request_bytes", "request_bytes"),
                ("_http_response_code", "status"),
                ("_http_response_bytes", "response_bytes"),
                ("_http_host", "host"),
                ("_http_user_agent", "user_agent"),
            ])
            .truncation_as("_truncated", "_original_bytes")
            .when(record.statics.holds_back, |layout| layout.held_back_as("_held_back"))
            .fields(TOP)
            .static_fields(TOP)
    }
}

described!(Gelf, wants_thread: |options| options.thread_id || options.thread_name);

/// Graylog skips booleans, and integers are those of Java.
const TEXT_OR_NUMBER: Form = Form::Except(
    |value| match value {
        Value::U64(number) => i64::try_from(*number).is_err(),
        Value::I64(_) | Value::F64(_) | Value::Str(_) => false,
        _ => true,
    },
    |value, out| json::put_str(out, &json::text_of(value)),
);

/// Graylog rejects a message whose text is blank.
const NOT_BLANK: Form = Form::Own(|value, out| {
    let text = json::text_of(value);
    json::put_str(out, if text.trim().is_empty() { "-" } else { &text });
});

/// Returns the key of a user's field.
fn additional(name: &str) -> Cow<'_, str> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let plain = name.replace(|char| !is_plain(char), "_");
    let is_ours = NAMES.split_ascii_whitespace().any(|ours| ours == plain) || plain.starts_with("gl2_");
    format!("_{}{}", if is_ours { "fields_" } else { "" }, if plain.is_empty() { "_" } else { &plain }).into()
}
