//! A captured event that owns its texts.

use tracing::Level;

use super::fields::Fields;
use crate::record::{self, OwnedValue, SpanId, TraceId, Value};

/// A captured event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The event's severity.
    pub level: Level,
    /// The event's target: the module path unless the call site names another.
    pub target: String,
    /// The event's text; empty without one.
    pub message: String,
    /// The event's own fields, without `message`.
    pub fields: Fields,
    /// What the event has from the spans around it.
    pub context: Context,
}

/// What an event has from the spans around it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Context {
    /// The trace's id.
    pub trace_id: Option<TraceId>,
    /// The innermost span's id.
    pub span_id: Option<SpanId>,
    /// The id of the span around that, which may be in another process.
    pub parent_span_id: Option<SpanId>,
    /// The spans' names, outermost first.
    pub spans: Vec<String>,
    /// The fields of the spans and [context variables](crate::with). The innermost value of each name counts.
    pub fields: Fields,
}

impl Record {
    /// Returns a field: the event's own, or else the one from the spans around it.
    pub fn field(&self, name: &str) -> Option<&OwnedValue> {
        self.fields.get(name).or_else(|| self.context.fields.get(name))
    }

    pub(super) fn of(record: &record::Record<'_>) -> Self {
        let mut fields = Fields::default();
        record.fields().filter(|(name, _)| *name != "message").for_each(|(name, value)| fields.set(name, value.into()));
        let message = record.message().map(|message| match message {
            Value::Error(chain) => chain.message().to_owned(),
            message => message.to_text().unwrap_or_default().into_owned(),
        });
        Self {
            level: record.level(),
            target: record.target().to_owned(),
            message: message.unwrap_or_default(),
            fields,
            context: record.context().map(Context::of).unwrap_or_default(),
        }
    }
}

impl Context {
    fn of(context: &record::Context<'_>) -> Self {
        let mut fields = Fields::default();
        let spans: Vec<_> = context.spans().collect();
        // Inner spans come last, and their values stay.
        spans.iter().rev().for_each(|span| span.fields().for_each(|(name, value)| fields.set(name, value.into())));
        let mut names: Vec<_> = context.names().map(str::to_owned).collect();
        names.reverse();
        Self {
            trace_id: context.trace_id(),
            span_id: context.span_id(),
            parent_span_id: context.parent_span_id(),
            spans: names,
            fields,
        }
    }
}
