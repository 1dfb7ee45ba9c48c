//! What placeholders name, and how it is written.

use std::io::Write;

use super::time_text::TimeText;
use crate::context::{Context, SpanId, TraceId};
use crate::record::{Record, Value};
use crate::schema::engine::{Mark, Parts, Stage, headline};
use crate::schema::json::{self, Form};
use crate::schema::level::LevelFormat;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::schema::level::LineLevel;
use crate::schema::plain::{put_plain, put_text};
use crate::schema::time_format::Zone;

/// What a placeholder names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::schema) enum Part {
    Time,
    Level,
    Target,
    Message,
    Error,
    Backtrace,
    Service,
    Module,
    File,
    Line,
    Function,
    Spans,
    Thread,
    ThreadId,
    Process,
    Pid,
    TraceId,
    SpanId,
    /// A field of the event, of its context, or a static one.
    Field(String),
    /// Nothing: an edit removes it.
    Removed,
}

/// The names of the parts that are no fields.
pub(super) const NAMES: [(&str, Part); 18] = [
    ("time", Part::Time),
    ("level", Part::Level),
    ("target", Part::Target),
    ("message", Part::Message),
    ("error", Part::Error),
    ("backtrace", Part::Backtrace),
    ("service", Part::Service),
    ("module", Part::Module),
    ("file", Part::File),
    ("line", Part::Line),
    ("function", Part::Function),
    ("spans", Part::Spans),
    ("thread", Part::Thread),
    ("thread_id", Part::ThreadId),
    ("process", Part::Process),
    ("pid", Part::Pid),
    ("trace_id", Part::TraceId),
    ("span_id", Part::SpanId),
];

/// What the lines of a template have in common.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) zone: Zone,
    pub(super) process: String,
    pub(super) level: LevelFormat,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Text,
    Number,
}

impl Part {
    /// Returns when its value is known.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Process | Self::Pid | Self::Removed => Stage::Log,
            Self::Service => Stage::Service,
            Self::Level | Self::Target | Self::Module | Self::File | Self::Line => Stage::CallSite,
            Self::Function | Self::Spans => Stage::Shape,
            Self::TraceId | Self::SpanId => Stage::Context,
            Self::Time | Self::Message | Self::Error | Self::Backtrace => Stage::Event(Mark::Any),
            Self::Thread | Self::ThreadId | Self::Field(_) => Stage::Event(Mark::Any),
        }
    }

    /// Appends the value, if the line has one.
    pub(super) fn put(
        &self,
        parts: &Parts<'_>,
        with: &Setting,
        time: Option<&TimeText>,
        out: &mut Vec<u8>,
    ) -> Option<Written> {
        let record = parts.record;
        match self {
            Self::Time => time?.put(record.timestamp(), with.zone, out),
            Self::Level => return put(&parts.level.spelled(with.level), out),
            Self::Target => put_text(record.target(), out),
            Self::Message => put_value(&message(record), out),
            Self::Error => put_value(&error(record)?, out),
            Self::Backtrace => put_text(record.backtrace()?, out),
            Self::Service => match parts.service {
                Some(service) => put_text(service, out),
                None => return put_field(record, "service", out),
            },
            Self::Module => put_text(record.module_path()?, out),
            Self::File => put_text(record.file()?, out),
            Self::Line => return put_number(record.line()?.into(), out),
            Self::Function => put_text(parts.span_names().last()?, out),
            Self::Spans => {
                let names = parts.span_names();
                names.last()?;
                put_text(&names.join(":"), out);
            }
            Self::Thread => put_text(record.thread()?.name?, out),
            Self::ThreadId => return put_number(record.thread()?.id, out),
            Self::Process => put_text(&with.process, out),
            Self::Pid => return put_number(std::process::id().into(), out),
            Self::TraceId => {
                let of_context = || record.context().and_then(Context::trace_id);
                match parts.trace.or_else(of_context).map(TraceId::digits) {
                    Some(digits) => out.extend_from_slice(&digits),
                    None => return put_field(record, "trace_id", out),
                }
            }
            Self::SpanId => {
                let of_context = || record.context().and_then(Context::span_id);
                match parts.span.or_else(of_context).map(SpanId::digits) {
                    Some(digits) => out.extend_from_slice(&digits),
                    None => return put_field(record, "span_id", out),
                }
            }
            Self::Field(name) => return put_field(record, name, out),
            Self::Removed => return None,
        }
        Some(Written::Text)
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl Part {
    /// Appends the value as a column of a table has it; returns false if the record has none.
    pub(in crate::schema) fn put_column(&self, record: &Record<'_>, out: &mut Vec<u8>) -> bool {
        let mut parts = Parts::bare(record);
        if *self == Self::Level {
            parts.level = LineLevel::of(record);
        }
        let with = Setting { zone: Zone::Utc, process: String::new(), level: LevelFormat::Upper };
        self.put(&parts, &with, None, out).is_some()
    }
}

fn put_number(number: u64, out: &mut Vec<u8>) -> Option<Written> {
    write!(out, "{number}").ok()?;
    Some(Written::Number)
}

/// The form of values, which are not quoted.
pub(super) const TEXT: Form = Form::Own(put_value);

/// Appends a value without quotes.
fn put_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => put_text(text, out),
        Value::Error(_) => put_text(&json::text_of(value), out),
        value => put_plain(value, out),
    }
}

/// Appends a value without quotes, and returns what it is.
fn put(value: &Value<'_>, out: &mut Vec<u8>) -> Option<Written> {
    put_value(value, out);
    let is_text = matches!(value, Value::Str(_) | Value::Error(_) | Value::Json(_) | Value::Bool(_));
    Some(if is_text { Written::Text } else { Written::Number })
}

/// Returns the message, or what stands for it.
fn message<'a>(record: &Record<'a>) -> Value<'a> {
    match record.message() {
        Some(message) if message.as_str() != Some("") => message,
        _ => Value::Str(headline(record, error(record))),
    }
}

/// Returns the event's own error.
fn error<'a>(record: &Record<'a>) -> Option<Value<'a>> {
    record.field("error").filter(is_error)
}

fn is_error(value: &Value<'_>) -> bool {
    matches!(value, Value::Error(_) | Value::Str(_))
}

/// Appends the value of the field that the line has of a name: the event's, else the inner span's, else the outer's, else
/// the static one.
fn put_field(record: &Record<'_>, name: &str, out: &mut Vec<u8>) -> Option<Written> {
    // They have their own places.
    let has_place = |value: &Value<'_>| name == "message" || name == "error" && is_error(value);
    if let Some(value) = record.field(name).filter(|value| !has_place(value)) {
        return put(&value, out);
    }
    for span in record.context().into_iter().flat_map(Context::spans) {
        if let Some(value) = span.shown_field(name) {
            return put(&value.truncated_to(record.max_value_bytes), out);
        }
    }
    let (_, value) = record.static_fields().filter(|(other, _)| *other == name).last()?;
    put(&value, out)
}
