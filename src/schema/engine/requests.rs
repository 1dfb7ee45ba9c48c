//! The lines of requests, whose fields a back end may have its own keys for.
//!
//! Such a line is not prepared: there is one for each request, and its keys are those of its fields and its span's.

use super::layout::{Layout, Mark, Stage, TOP};
use super::parts::Parts;
use crate::record::{Kind, Record, Value};
use crate::schema::json::Form;
use crate::schema::object::is_reserved;
use crate::schema::resolved_fields::{Origin, ResolvedField};

/// The stage of members that only lines of requests have.
const OF_REQUEST: Stage = Stage::Event(Mark::Request);

/// Returns whether a line reports a request.
pub(super) fn is_request(record: &Record<'_>) -> bool {
    record.kind() == Kind::Request
}

/// What a layout shows of requests.
#[derive(Default)]
pub(super) struct RequestFields {
    /// The fields that members show.
    names: Vec<&'static str>,
    /// The keys of these members.
    keys: Vec<&'static str>,
}

impl RequestFields {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns whether a member shows a field of a request's line.
    pub(super) fn has(&self, field: &ResolvedField<'_>) -> bool {
        matches!(field.origin, Origin::Event | Origin::Span) && self.names.contains(&field.name)
    }

    /// Returns whether a key of a request's line would meet one of the members.
    pub(super) fn meets(&self, key: &str) -> bool {
        is_reserved(key, &self.keys)
    }
}

impl Layout {
    /// Shows fields of requests under other keys: pairs of key and name.
    pub(in crate::schema) fn request_fields(self, fields: &[(&'static str, &'static str)]) -> Self {
        fields.iter().fold(self, |layout, (key, name)| layout.request_field(key, name, |value| value))
    }

    /// Shows a field of requests under another key, with its value converted.
    pub(in crate::schema) fn request_field(
        self,
        key: &'static str,
        name: &'static str,
        convert: fn(Value<'_>) -> Value<'_>,
    ) -> Self {
        let form = self.form();
        self.request_member(key, &[name], move |parts, out| {
            parts.of_request(name).is_some_and(|value| form.put(&convert(value), out))
        })
    }

    /// Adds a member to lines of requests, which shows the fields of these names.
    pub(in crate::schema) fn request_member(
        mut self,
        key: &'static str,
        names: &[&'static str],
        put: impl Fn(&Parts<'_>, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Self {
        self.request_fields.names.extend(names);
        self.request_fields.keys.push(key);
        self.put(key, OF_REQUEST, put)
    }

    /// Adds the request's id to lines of requests.
    pub(in crate::schema) fn id_of_request(self, key: &'static str, form: Form) -> Self {
        self.request_member(key, &[], move |parts, out| {
            let id = parts.request.filter(|_| is_request(parts.record));
            id.is_some_and(|(id, _)| form.put(&id, out))
        })
    }
}

impl<'a> Parts<'a> {
    /// Returns a field of a request from its line or its span; `None` in other lines.
    pub(in crate::schema) fn of_request(&self, name: &str) -> Option<Value<'a>> {
        let record = self.record;
        if !is_request(record) {
            return None;
        }
        let own = record.fields().filter(|(other, _)| *other == name).last();
        let of_span = || {
            let span = record.context()?.spans().find(|span| !span.is_hidden())?;
            let field = span.all_fields().filter(|(other, _)| *other == name).last();
            field.map(|(name, value)| (name, value.truncated_to(record.max_value_bytes)))
        };
        own.or_else(of_span).map(|(_, value)| value)
    }
}

impl Layout {
    /// Returns whether a key at the top level meets a member of a request's line.
    pub(super) fn meets_request(&self, name: &str) -> bool {
        self.request_fields.meets(&self.key(TOP, name))
    }
}

/// Returns microseconds as nanoseconds.
pub(in crate::schema) fn micros_as_nanos(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::U64(micros.saturating_mul(1000)),
        value => value,
    }
}

/// Returns microseconds as seconds with decimals.
pub(in crate::schema) fn micros_as_seconds(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::F64(micros as f64 / 1_000_000.0),
        value => value,
    }
}

/// Returns microseconds as milliseconds with decimals.
pub(in crate::schema) fn micros_as_millis(micros: Value<'_>) -> Value<'_> {
    match micros {
        Value::U64(micros) => Value::F64(micros as f64 / 1000.0),
        value => value,
    }
}
