//! One span as an event saw it: the fields it was opened with, under those recorded by then.

use tracing::Level;

use super::ids::{SpanId, TraceId};
use super::{Node, TRACE_NAMES, named_trace};
use crate::record::{Fields, Key, Value};

/// One span of a context, as it was when the event was logged.
#[derive(Clone, Copy)]
pub struct SpanView<'a> {
    pub(super) node: &'a Node,
    /// What was recorded on it by then.
    pub(super) recorded: &'a [u8],
}

impl<'a> SpanView<'a> {
    /// The span's name.
    pub fn name(&self) -> &'static str {
        self.node.meta.name()
    }

    /// The span's target.
    pub fn target(&self) -> &'static str {
        self.node.meta.target()
    }

    /// The span's level.
    pub fn level(&self) -> Level {
        *self.node.meta.level()
    }

    /// The span's id; a hidden one has none.
    pub fn id(&self) -> Option<SpanId> {
        self.node.span_id()
    }

    /// Whether it is no span but [context variables](crate::with) or a [context from elsewhere](crate::propagate::TraceContext):
    /// its fields count, it is not one of [`Context::names`](super::Context::names).
    pub fn is_hidden(&self) -> bool {
        self.node.span_id.is_none()
    }

    /// The span's fields: those it was opened with in their order, each with its value of the time, then those
    /// recorded later. A `trace_id` or `traceparent` that became the trace's id is not among them, nor is a
    /// `tracestate` beside it.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let meta = self.node.meta;
        self.shown_fields().filter_map(move |(key, value)| Some((key.name(meta)?, value)))
    }

    /// The same with those that name the trace.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let meta = self.node.meta;
        self.raw_fields().filter_map(move |(key, value)| Some((key.name(meta)?, value)))
    }

    /// Bytes of text that were cut from the span's fields.
    pub(crate) fn refused_bytes(&self) -> u64 {
        let mut total = 0;
        if ![self.recorded, &self.node.fields].into_iter().any(|form| Fields::new(form).has_cuts()) {
            return total;
        }
        for (form, replaced_by) in [(self.recorded, &[][..]), (&self.node.fields, self.recorded)] {
            let mut counts = true;
            for (key, value) in Fields::new(form) {
                match (key, value) {
                    (Key::Cut, Value::U64(refused)) => total += if counts { refused } else { 0 },
                    _ => counts = Fields::new(replaced_by).all(|(other, _)| !self.is_same(key, other)),
                }
            }
        }
        total
    }

    /// Whether two keys name one field: by name, for a context variable of a declared field's name, and for a name
    /// declared twice.
    fn is_same(&self, one: Key<'_>, other: Key<'_>) -> bool {
        let meta = self.node.meta;
        one == other || one.name(meta).is_some_and(|name| other.name(meta) == Some(name))
    }

    fn shown_fields(&self) -> impl Iterator<Item = (Key<'_>, Value<'_>)> {
        let meta = self.node.meta;
        let named = if self.node.names_trace { self.trace_fields() } else { [None; 2] };
        let absorbed = self.trace_of(&named);
        self.raw_fields().filter(move |(key, value)| {
            let Some(((trace, remote), name)) = absorbed.zip(key.name(meta)) else { return true };
            if name == "tracestate" {
                return remote.is_none();
            }
            let Some(at) = TRACE_NAMES.iter().position(|other| *other == name) else { return true };
            // What another one of its name has replaced is not shown either.
            let is_last = named[at].is_some_and(|(last, _)| last == *key);
            is_last && named_trace(name, value).is_none_or(|own| own.0 != trace)
        })
    }

    /// The fields as they were captured; `None` when something was recorded since.
    pub(crate) fn plain_fields(&self) -> Option<Fields<'a>> {
        self.recorded.is_empty().then(|| Fields::new(&self.node.fields))
    }

    /// The fields, those that name the trace among them.
    pub(crate) fn raw_fields(&self) -> impl Iterator<Item = (Key<'a>, Value<'a>)> + use<'a> {
        let fields = |form| Fields::new(form).filter(|(key, _)| matches!(key, Key::Index(_) | Key::Name(_)));
        let view = *self;
        let (opened, recorded): (&[u8], _) = (&view.node.fields, view.recorded);
        let replaced =
            move |key| fields(recorded).filter(|(other, _)| view.is_same(*other, key)).last().map(|(_, value)| value);
        let added =
            fields(recorded).filter(move |(key, _)| fields(opened).all(|(other, _)| !view.is_same(other, *key)));
        fields(opened).map(move |(key, value)| (key, replaced(key).unwrap_or(value))).chain(added)
    }

    /// Whether a trace that a field names can be the span's: OpenTelemetry may say otherwise.
    #[inline]
    pub(crate) fn is_in(&self, trace: TraceId) -> bool {
        self.node.otel_trace().is_none_or(|otel| otel == trace)
    }
}
