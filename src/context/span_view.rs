//! One span as an event saw it: the fields it was opened with, replaced by those recorded by then.

use std::fmt;

use tracing::Level;

use super::ids::{SpanId, TraceId};
use super::node::Node;
use super::trace_fields::{self, TRACE_NAMES, TraceFields, named_trace, named_traces};
use crate::names::Names;
use crate::values::{FieldNames, Fields, Key, Value, values_of};

/// One span of a context, as it was when the event was logged.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    pub(super) node: &'a Node,
    /// The fields recorded on it by then.
    pub(super) recorded: &'a [u8],
}

impl<'a> SpanView<'a> {
    /// Returns the span's name.
    pub fn name(&self) -> &'static str {
        self.node.meta.name()
    }

    /// Returns the span's target.
    pub fn target(&self) -> &'static str {
        self.node.meta.target()
    }

    /// Returns the span's level.
    pub fn level(&self) -> Level {
        *self.node.meta.level()
    }

    /// Returns the span's id; a hidden span has none.
    pub fn id(&self) -> Option<SpanId> {
        self.node.ids.span()
    }

    /// Returns whether this is not a real span but [context variables](crate::with) or a
    /// [remote context](crate::propagate::TraceContext).
    ///
    /// Its fields count, but [`Context::names`](super::Context::names) omits it.
    pub fn is_hidden(&self) -> bool {
        !self.node.is_shown()
    }

    /// Returns the span's fields: those it was opened with, in order and with their values at the time of the event, then
    /// those recorded later.
    ///
    /// A `trace_id` or `traceparent` that became the trace's id is omitted, and so is a `tracestate` next to it.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let mut names = self.names();
        self.shown_fields().filter_map(move |(key, value)| Some((names.name(key)?, value)))
    }

    /// Returns the same fields, including those that name the trace.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let mut names = self.names();
        self.raw_fields().filter_map(move |(key, value)| Some((names.name(key)?, value)))
    }

    /// Returns the last field of a name.
    pub(crate) fn last_field(&self, name: &str) -> Option<Value<'a>> {
        match self.recorded.is_empty() {
            true => values_of(&self.node.fields, self.node.meta, name).last(),
            false => self.all_fields().filter(|(other, _)| *other == name).last().map(|(_, value)| value),
        }
    }

    /// Returns the last shown field of a name: one that names the trace is shown only if another one names it too.
    pub(crate) fn shown_field(&self, name: &str) -> Option<Value<'a>> {
        match name {
            "trace_id" | "traceparent" | "tracestate" => {
                let named = self.shown_fields().filter(|(key, _)| self.names().name(*key) == Some(name));
                named.last().map(|(_, value)| value)
            }
            name => self.last_field(name),
        }
    }

    /// Returns how many bytes of text the span's fields lost when they were captured.
    pub(crate) fn truncated_bytes(&self) -> u64 {
        let mut total = 0;
        if ![self.recorded, &self.node.fields].into_iter().any(|fields| Fields::new(fields).has_truncated()) {
            return total;
        }
        let mut names = self.names();
        let recorded: Names<&str> = Fields::new(self.recorded).filter_map(|(key, _)| names.name(key)).collect();
        for (fields, replaced_by) in [(self.recorded, &Names::default()), (&self.node.fields, &recorded)] {
            let mut counts = true;
            for (key, value) in Fields::new(fields) {
                match (key, value) {
                    (Key::Truncated, Value::U64(bytes)) => total += if counts { bytes } else { 0 },
                    _ => counts = names.name(key).is_none_or(|name| !replaced_by.contains(name)),
                }
            }
        }
        total
    }

    fn shown_fields(&self) -> impl Iterator<Item = (Key<'a>, Value<'a>)> {
        let mut names = self.names();
        let named = if self.node.flags.names_trace { self.trace_fields() } else { [None; 2] };
        let absorbed = self.first_trace(&named);
        self.raw_fields().filter(move |(key, value)| {
            let Some(((trace, remote), name)) = absorbed.zip(names.name(*key)) else { return true };
            if name == "tracestate" {
                return remote.is_none();
            }
            let Some(at) = TRACE_NAMES.iter().position(|other| *other == name) else { return true };
            // A duplicate that a later one replaced is not shown either.
            let is_last = named[at].is_some_and(|(last, _)| last == *key);
            is_last && named_trace(name, value).is_none_or(|own| own.0 != trace)
        })
    }

    /// Returns the fields as they were captured; `None` when something was recorded since.
    pub(crate) fn plain_fields(&self) -> Option<Fields<'a>> {
        self.recorded.is_empty().then(|| Fields::new(&self.node.fields))
    }

    /// Returns the fields with their keys, including those that name the trace.
    pub(crate) fn raw_fields(&self) -> impl Iterator<Item = (Key<'a>, Value<'a>)> + use<'a> {
        let (plain, merged) = match self.plain_fields() {
            Some(plain) => (plain, Vec::new()),
            None => (Fields::new(&[]), self.merged_fields()),
        };
        plain.filter(|(key, _)| is_field(*key)).chain(merged)
    }

    /// Returns the fields with the values recorded on them, then the fields that were recorded only.
    ///
    /// Names are compared, because a context variable may have the name of a declared field, and a name may be declared
    /// twice.
    fn merged_fields(&self) -> Vec<(Key<'a>, Value<'a>)> {
        let named = |encoded| {
            let mut names = self.names();
            Fields::new(encoded).filter_map(move |(key, value)| Some((key, names.name(key)?, value)))
        };
        let mut recorded = Names::default();
        for (_, name, value) in named(self.recorded) {
            recorded.insert(name, value);
        }
        let mut opened = Names::default();
        let mut merged = Vec::new();
        for (key, name, value) in named(&self.node.fields) {
            opened.add(name);
            merged.push((key, recorded.get(name).unwrap_or(value)));
        }
        let is_new = |name: &str| !opened.contains(name);
        merged.extend(named(self.recorded).filter(|(_, name, _)| is_new(name)).map(|(key, _, value)| (key, value)));
        merged
    }

    fn names(&self) -> FieldNames {
        FieldNames::of(self.node.meta)
    }

    /// Returns whether a trace that a field names can be the span's. OpenTelemetry's answer takes precedence.
    #[inline]
    pub(crate) fn is_in(&self, trace: TraceId) -> bool {
        self.node.ids.otel_trace().is_none_or(|otel| otel == trace)
    }

    fn trace_fields(&self) -> TraceFields<'a> {
        match self.plain_fields() {
            Some(fields) => trace_fields::trace_fields(fields, self.node.meta),
            None => {
                let (mut found, mut names) = ([None; 2], self.names());
                self.raw_fields().for_each(|(key, value)| trace_fields::note(&mut found, &mut names, key, || value));
                found
            }
        }
    }

    /// Returns the trace that the span's own fields name, with the remote parent if they have a `traceparent`.
    pub(super) fn own_trace(&self) -> Option<(TraceId, Option<SpanId>)> {
        if self.node.flags.names_trace { self.first_trace(&self.trace_fields()) } else { None }
    }

    fn first_trace(&self, fields: &TraceFields<'_>) -> Option<(TraceId, Option<SpanId>)> {
        named_traces(fields).find(|(trace, _)| self.is_in(*trace))
    }
}

fn is_field(key: Key<'_>) -> bool {
    matches!(key, Key::Index(_) | Key::Name(_))
}

impl fmt::Debug for SpanView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.fields().collect();
        f.debug_struct("SpanView").field("name", &self.name()).field("id", &self.id()).field("fields", &fields).finish()
    }
}
