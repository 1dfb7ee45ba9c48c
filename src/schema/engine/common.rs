//! The members that many schemas have, under their own keys.

use super::layout::{Layout, Mark, Stage};
use super::parts::Parts;
use super::syntax::is_text;
use crate::context::{SpanId, TraceId};
use crate::record::{Record, Value};
use crate::schema::json::{self, Form, put_error_object};
use crate::schema::level::LevelFormat;
use crate::schema::object::put_object;

impl Layout {
    /// Adds the level in upper case.
    pub(in crate::schema) fn level(self, key: &str) -> Self {
        self.level_as(key, LevelFormat::Upper)
    }

    /// Adds the level.
    pub(in crate::schema) fn level_as(self, key: &str, format: LevelFormat) -> Self {
        self.value(key, Stage::CallSite, move |parts| Some(parts.level.spelled(format)))
    }

    /// Adds the target.
    pub(in crate::schema) fn target(self, key: &str) -> Self {
        self.text(key, Stage::CallSite, |parts| Some(parts.record.target().into()))
    }

    /// Adds the source file of the call site.
    pub(in crate::schema) fn file(self, key: &str) -> Self {
        self.text(key, Stage::CallSite, |parts| parts.record.file().map(Into::into))
    }

    /// Adds the line in the source file.
    pub(in crate::schema) fn line(self, key: &str) -> Self {
        self.number(key, Stage::CallSite, |parts| parts.record.line().map(Into::into))
    }

    /// Adds the module path of the call site.
    pub(in crate::schema) fn module(self, key: &str) -> Self {
        self.text(key, Stage::CallSite, |parts| parts.record.module_path().map(Into::into))
    }

    /// Adds the service's name.
    pub(in crate::schema) fn service(self, key: &str) -> Self {
        self.text(key, Stage::Service, |parts| parts.service.map(Into::into))
    }

    /// Adds a static field as text, under a key of the schema.
    pub(in crate::schema) fn static_text(self, key: &str, name: &'static str) -> Self {
        self.text(key, Stage::Log, move |parts| parts.static_field(name).map(|value| json::text_of(&value)))
    }

    /// Adds the number of the thread.
    pub(in crate::schema) fn thread_id(self, key: &str) -> Self {
        self.number(key, Stage::Event(Mark::Thread), |parts| parts.record.thread().map(|thread| thread.id))
    }

    /// Adds the thread's name, if it has one: to all lines, or only to those of panics.
    pub(in crate::schema) fn thread_name(self, in_all: bool, key: &str) -> Self {
        let mark = if in_all { Mark::Thread } else { Mark::Panic };
        self.text(key, Stage::Event(mark), |parts| parts.record.thread()?.name.map(Into::into))
    }

    /// Adds the name that the program gave the event, or a user's field of the key.
    pub(in crate::schema) fn event_name(self, key: &'static str) -> Self {
        self.text(key, Stage::CallSite, |parts| parts.record.event_name().map(Into::into)).or_field(key, is_text)
    }

    /// Adds the error as an object with its message and its sources.
    pub(in crate::schema) fn error(self, key: &str) -> Self {
        self.put(key, Stage::Event(Mark::Error), |parts, out| {
            parts.error.is_some_and(|error| {
                put_error_object(out, &error);
                true
            })
        })
    }

    /// Adds the error's message and type, and its sources with the backtrace, as texts; or a user's fields of the keys.
    pub(in crate::schema) fn error_texts(
        self,
        message: &'static str,
        type_name: &'static str,
        stack: &'static str,
    ) -> Self {
        self.error_message(message).error_type(type_name).stack_text(stack)
    }

    /// Adds the error's message, or a user's field of the key.
    pub(in crate::schema) fn error_message(self, key: &'static str) -> Self {
        self.text(key, Stage::Event(Mark::Error), |parts| parts.error_message().map(Into::into)).or_field(key, is_text)
    }

    /// Adds the error's type, or a user's field of the key.
    pub(in crate::schema) fn error_type(self, key: &'static str) -> Self {
        self.text(key, Stage::Event(Mark::Error), |parts| parts.error_type().map(Into::into)).or_field(key, is_text)
    }

    /// Adds the error's sources with the backtrace as a text, or a user's field of the key.
    pub(in crate::schema) fn stack_text(self, key: &'static str) -> Self {
        self.text(key, Stage::Event(Mark::Stack), |parts| parts.stack().map(Into::into)).or_field(key, is_text)
    }

    /// Adds the trace's id.
    pub(in crate::schema) fn trace(self, key: &str) -> Self {
        self.id(key, |parts| parts.trace.map(TraceId::digits))
    }

    /// Adds the span's id.
    pub(in crate::schema) fn span(self, key: &str) -> Self {
        self.id(key, |parts| parts.span.map(SpanId::digits))
    }

    /// Adds the id of the span around the innermost one.
    pub(in crate::schema) fn parent(self, key: &str) -> Self {
        self.id(key, |parts| parts.parent.map(SpanId::digits))
    }

    /// Adds the digits of an id, which need no escape.
    fn id<const DIGITS: usize>(
        self,
        key: &str,
        digits: impl Fn(&Parts<'_>) -> Option<[u8; DIGITS]> + Send + 'static,
    ) -> Self {
        let quote: &[u8] = if matches!(self.form(), Form::Own(_) | Form::Bare(..)) { b"" } else { b"\"" };
        self.put(key, Stage::Context, move |parts, out| {
            digits(parts).is_some_and(|digits| {
                out.reserve(DIGITS + 2);
                out.extend_from_slice(quote);
                out.extend_from_slice(&digits);
                out.extend_from_slice(quote);
                true
            })
        })
    }

    /// Adds the names of the visible spans as an array, outermost first.
    pub(in crate::schema) fn span_names(self, key: &str) -> Self {
        let form = self.form();
        self.put(key, Stage::Shape, move |parts, out| {
            let names = parts.span_names();
            let mut array = Vec::new();
            for (place, name) in names.iter().enumerate() {
                array.push(if place == 0 { b'[' } else { b',' });
                json::put_str(&mut array, name);
            }
            array.push(b']');
            let array = Value::Json(std::str::from_utf8(&array).unwrap_or_default());
            !names.is_empty() && form.put(&array, out)
        })
    }

    /// Adds the names of the visible spans as a text, outermost first, joined with colons.
    pub(in crate::schema) fn span_path(self, key: &str) -> Self {
        self.text(key, Stage::Shape, |parts| {
            let names = parts.span_names();
            (!names.is_empty()).then(|| names.join(":").into())
        })
    }

    /// Adds `err`, an object with the error's message, its type under the key `name`, and its stack. The backtrace of a
    /// line without an error is `backtrace`. `record`: any record.
    pub(in crate::schema) fn err(self, name: &'static str, record: &Record<'_>) -> Self {
        let layout = self.put("err", Stage::Event(Mark::Error), move |parts, out| {
            let Some(message) = parts.error_message() else { return false };
            let stack = parts.stack().unwrap_or_else(|| parts.stack_head());
            let members = [("message", message), (name, parts.error_type().unwrap_or("Error")), ("stack", &stack)];
            put_object(out, members.map(|(key, text)| (key, Value::Str(text))));
            true
        });
        layout.when(record.statics.backtraces.is_some(), |layout| {
            layout.text("backtrace", Stage::Event(Mark::Stack), |parts| {
                parts.record.backtrace().filter(|_| parts.error.is_none()).map(Into::into)
            })
        })
    }

    /// Adds the place of the call site as a text, `src/main.rs:42`, with the parts that are switched on.
    pub(in crate::schema) fn location(self, key: &str, has_file: bool, has_line: bool) -> Self {
        self.when(has_file || has_line, |layout| {
            layout.text(key, Stage::CallSite, move |parts| {
                let file = parts.record.file().filter(|_| has_file);
                match (file, parts.record.line().filter(|_| has_line)) {
                    (Some(file), Some(line)) => Some(format!("{file}:{line}").into()),
                    (Some(file), None) => Some(file.into()),
                    (None, line) => line.map(|line| line.to_string().into()),
                }
            })
        })
    }

    /// Adds `truncated` and `original_bytes` to lines that were cut.
    pub(in crate::schema) fn truncation(self) -> Self {
        self.truncation_as("truncated", "original_bytes")
    }

    /// Adds to lines that were cut that they were, and their original size.
    pub(in crate::schema) fn truncation_as(self, truncated: &str, original_bytes: &str) -> Self {
        self.truncated(truncated).original_bytes(original_bytes)
    }

    /// Adds to lines that were cut that they were.
    pub(in crate::schema) fn truncated(self, key: &str) -> Self {
        let cut = Stage::Event(Mark::Truncated);
        self.value(key, cut, |parts| parts.record.original_bytes().map(|_| Value::Bool(true)))
    }

    /// Adds to lines that were cut how many bytes they would have had.
    pub(in crate::schema) fn original_bytes(self, key: &str) -> Self {
        self.number(key, Stage::Event(Mark::Truncated), |parts| parts.record.original_bytes())
    }

    /// Adds the mark of lines that were held back, or a user's field of its name.
    pub(in crate::schema) fn held_back(self) -> Self {
        self.held_back_as("held_back").or_field("held_back", |_| true)
    }

    /// Adds the mark of lines that were held back.
    pub(in crate::schema) fn held_back_as(self, key: &str) -> Self {
        self.value(key, Stage::Event(Mark::HeldBack), |parts| parts.record.is_held_back().then_some(Value::Bool(true)))
    }

    /// Adds the backtrace, or a user's field of its name.
    pub(in crate::schema) fn backtrace(self) -> Self {
        self.backtrace_as("backtrace").or_field("backtrace", |_| true)
    }

    /// Adds the backtrace.
    pub(in crate::schema) fn backtrace_as(self, key: &str) -> Self {
        self.text(key, Stage::Event(Mark::Backtrace), |parts| parts.record.backtrace().map(Into::into))
    }
}
