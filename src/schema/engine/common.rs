//! The members that many schemas have, under their own keys.

use super::layout::{Layout, Mark, Stage};
use crate::context::{SpanId, TraceId};
use crate::record::Value;
use crate::schema::json::{self, put_error_object};

impl Layout {
    /// Adds the level in upper case.
    pub(in crate::schema) fn level(self, key: &str) -> Self {
        self.text(key, Stage::CallSite, |parts| Some(parts.record.level().as_str().into()))
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

    /// Adds the thread's name, if it has one.
    pub(in crate::schema) fn thread_name(self, key: &str) -> Self {
        self.text(key, Stage::Event(Mark::Thread), |parts| parts.record.thread()?.name.map(Into::into))
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

    /// Adds the error's message and type, and its sources with the backtrace, as texts.
    pub(in crate::schema) fn error_texts(self, message: &str, type_name: &str, stack: &str) -> Self {
        self.text(message, Stage::Event(Mark::Error), |parts| parts.error_message().map(Into::into))
            .text(type_name, Stage::Event(Mark::Error), |parts| parts.error_type().map(Into::into))
            .text(stack, Stage::Event(Mark::Stack), |parts| parts.stack().map(Into::into))
    }

    /// Adds the trace's id.
    pub(in crate::schema) fn trace(self, key: &str) -> Self {
        self.put(key, Stage::Context, |parts, out| put_digits(out, parts.trace.map(TraceId::digits)))
    }

    /// Adds the span's id.
    pub(in crate::schema) fn span(self, key: &str) -> Self {
        self.put(key, Stage::Context, |parts, out| put_digits(out, parts.span.map(SpanId::digits)))
    }

    /// Adds the id of the span around the innermost one.
    pub(in crate::schema) fn parent(self, key: &str) -> Self {
        self.put(key, Stage::Context, |parts, out| put_digits(out, parts.parent.map(SpanId::digits)))
    }

    /// Adds the names of the visible spans as an array, outermost first.
    pub(in crate::schema) fn span_names(self, key: &str) -> Self {
        self.put(key, Stage::Shape, |parts, out| {
            let names = parts.span_names();
            for (place, name) in names.iter().enumerate() {
                out.push(if place == 0 { b'[' } else { b',' });
                json::put_str(out, name);
            }
            out.extend_from_slice(if names.is_empty() { b"" } else { b"]" });
            !names.is_empty()
        })
    }

    /// Adds `truncated` and `original_bytes` to lines that were cut.
    pub(in crate::schema) fn truncation(self) -> Self {
        let cut = Stage::Event(Mark::Truncated);
        self.value("truncated", cut, |parts| parts.record.original_bytes().map(|_| Value::Bool(true))).number(
            "original_bytes",
            cut,
            |parts| parts.record.original_bytes(),
        )
    }

    /// Adds the mark of lines that were held back, or a user's field of its name.
    pub(in crate::schema) fn held_back(self) -> Self {
        self.value("held_back", Stage::Event(Mark::HeldBack), |parts| {
            parts.record.is_held_back().then_some(Value::Bool(true))
        })
        .or_field("held_back", any)
    }

    /// Adds the backtrace, or a user's field of its name.
    pub(in crate::schema) fn backtrace(self) -> Self {
        self.text("backtrace", Stage::Event(Mark::Backtrace), |parts| parts.record.backtrace().map(Into::into))
            .or_field("backtrace", any)
    }
}

/// Appends any value.
fn any(value: &Value<'_>, out: &mut Vec<u8>) -> bool {
    json::put_value(out, value);
    true
}

/// Appends the digits of an id.
fn put_digits<const DIGITS: usize>(out: &mut Vec<u8>, digits: Option<[u8; DIGITS]>) -> bool {
    digits.is_some_and(|digits| {
        out.push(b'"');
        out.extend_from_slice(&digits);
        out.push(b'"');
        true
    })
}
