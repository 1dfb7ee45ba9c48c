//! The reserved keys, and which values may take a free one.

use super::members;
use super::options::Options;
use crate::context::{SpanId, TraceId};
use crate::record::Value;
use crate::schema::json;

/// Which values a reserved key takes from users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None.
    Nothing,
    /// Any value: a message may be a number.
    Anything,
    Text,
    Number,
    TraceId,
    SpanId,
    Error,
}

/// A reserved key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
}

/// Returns whether the name is reserved whatever is switched on.
pub(crate) fn is_reserved(name: &str) -> bool {
    Slots::new(&Options::default()).find(name).is_some()
}

/// The reserved keys under some options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<'o>(&'o Options);

impl<'o> Slots<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        Self(options)
    }

    /// Returns the reserved key of that name, if there is one.
    pub(super) fn find(self, name: &str) -> Option<Slot> {
        let options = self.0;
        let (name, takes) = match name {
            "timestamp" => ("timestamp", Takes::Nothing),
            "level" => ("level", Takes::Nothing),
            "target" => ("target", Takes::Nothing),
            "message" => ("message", Takes::Anything),
            "service" => ("service", Takes::Text),
            "trace_id" => ("trace_id", Takes::TraceId),
            "span_id" => ("span_id", Takes::SpanId),
            "parent_span_id" => ("parent_span_id", Takes::SpanId),
            "spans" => ("spans", Takes::Nothing),
            "fields" => ("fields", Takes::Nothing),
            "error" => ("error", Takes::Error),
            "truncated" => ("truncated", Takes::Nothing),
            "original_bytes" => ("original_bytes", Takes::Nothing),
            "backtrace" if options.backtrace => ("backtrace", Takes::Text),
            "held_back" if options.held_back => ("held_back", Takes::Nothing),
            "pid" if options.pid => ("pid", Takes::Nothing),
            "hostname" if options.hostname => ("hostname", Takes::Nothing),
            "thread_id" if options.thread_id => ("thread_id", Takes::Number),
            "thread_name" if options.thread_name => ("thread_name", Takes::Text),
            "file" if options.file => ("file", Takes::Text),
            "line" if options.line => ("line", Takes::Number),
            "module" if options.module => ("module", Takes::Text),
            _ => return None,
        };
        Some(Slot { name, takes })
    }
}

impl Slot {
    /// Returns whether a free key may take the value.
    pub(super) fn fits(self, value: &Value<'_>) -> bool {
        match self.takes {
            Takes::Nothing => false,
            Takes::Anything => true,
            Takes::Text => value.as_str().is_some(),
            Takes::Number => matches!(value, Value::U64(_) | Value::I64(_)),
            Takes::TraceId => value.as_str().is_some_and(|text| TraceId::parse(text).is_some()),
            Takes::SpanId => value.as_str().is_some_and(|text| SpanId::parse(text).is_some()),
            Takes::Error => matches!(value, Value::Error(_) | Value::Str(_)),
        }
    }

    /// Appends a value that fits, in the key's form: ids normalised, an error as an object.
    pub(super) fn put(self, out: &mut Vec<u8>, value: &Value<'_>) {
        let text = value.as_str().unwrap_or_default();
        match (self.takes, TraceId::parse(text), SpanId::parse(text)) {
            (Takes::Error, ..) => {
                put_error_member(out, value);
            }
            (Takes::TraceId, Some(id), _) => members::put_named(out, self.name, &Value::Str(&id.to_string())),
            (Takes::SpanId, _, Some(id)) => members::put_named(out, self.name, &Value::Str(&id.to_string())),
            _ => members::put_named(out, self.name, value),
        }
    }
}

/// Appends `"error":{…}`; returns false, and appends nothing, when the value is neither an error nor text.
pub(super) fn put_error_member(out: &mut Vec<u8>, value: &Value<'_>) -> bool {
    let fits = matches!(value, Value::Error(_) | Value::Str(_));
    if fits {
        out.extend_from_slice(b",\"error\":");
        json::put_error_object(out, value);
    }
    fits
}
