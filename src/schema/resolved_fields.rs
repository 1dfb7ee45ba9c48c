//! Which of several fields with the same name is in the line: the event's own (the last one), else the inner span's,
//! else the outer spans'. Every schema follows this order.

use crate::context::SpanView;
use crate::names::Names;
use crate::record::{Record, Value};

/// Where a field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The event.
    Event,
    /// A span.
    Span,
    /// A context variable.
    Variable,
    /// The builder.
    Static,
}

impl Origin {
    /// Returns whether the field comes from a span or a variable.
    pub(super) fn is_context(self) -> bool {
        matches!(self, Self::Span | Self::Variable)
    }
}

/// A field that is in the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolvedField<'a> {
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
    pub(super) origin: Origin,
}

impl ResolvedField<'_> {
    /// Returns whether it is the event's own.
    pub(super) fn is_own(&self) -> bool {
        self.origin == Origin::Event
    }

    /// Returns whether it is the event's own message.
    pub(super) fn is_message(&self) -> bool {
        self.is_own() && self.name == "message"
    }

    /// Returns whether it is the event's own error.
    pub(super) fn is_error(&self) -> bool {
        self.is_own() && self.name == "error" && matches!(self.value, Value::Error(_) | Value::Str(_))
    }
}

/// The fields in a line, the event's own first, and their names.
pub(super) struct ResolvedFields<'a> {
    pub(super) all: Vec<ResolvedField<'a>>,
    /// Each name with the place that its field had when it was added.
    names: Names<&'a str, usize>,
    /// The places of fields that a later one of the same source has replaced.
    replaced: Vec<usize>,
    /// Whether the event's message and error hide fields of these names. They do not where they have their own places.
    hides_all: bool,
}

impl<'a> ResolvedFields<'a> {
    /// Resolves the fields of a record. `views`: the spans of its context, innermost first.
    pub(super) fn of(record: &'a Record<'a>, views: &'a [SpanView<'a>]) -> Self {
        Self::of_views(record, views.iter(), false)
    }

    /// Resolves the fields of a record without those of visible spans.
    pub(super) fn without_spans(record: &'a Record<'a>, views: &'a [SpanView<'a>]) -> Self {
        Self::of_views(record, views.iter().filter(|view| view.is_hidden()), true)
    }

    fn of_views(record: &'a Record<'a>, views: impl Iterator<Item = &'a SpanView<'a>>, hides_all: bool) -> Self {
        // Enough for nearly all lines, and small enough for the allocator's fast path.
        let all = Vec::with_capacity(12);
        let mut fields = Self { all, names: Names::default(), replaced: Vec::new(), hides_all };
        fields.add(record.fields(), Origin::Event);
        let limit = record.max_value_bytes;
        for view in views {
            let origin = if view.is_hidden() { Origin::Variable } else { Origin::Span };
            fields.add(view.fields().map(|(name, value)| (name, value.truncated_to(limit))), origin);
        }
        fields.remove_replaced();
        fields
    }

    fn add(&mut self, more: impl Iterator<Item = (&'a str, Value<'a>)>, origin: Origin) {
        let start = self.all.len();
        for (name, value) in more {
            match self.names.find_or_insert(name, self.all.len()) {
                // Replaces an earlier field of the same source; is hidden by a field of an earlier source.
                Some(place) if *place < start => match self.all.get(*place) {
                    Some(other) if !self.hides_all && (other.is_message() || other.is_error()) => {
                        *place = self.all.len();
                    }
                    _ => continue,
                },
                Some(place) => self.replaced.push(std::mem::replace(place, self.all.len())),
                None => {}
            }
            self.all.push(ResolvedField { name, value, origin });
        }
    }

    fn remove_replaced(&mut self) {
        if self.replaced.is_empty() {
            return;
        }
        self.replaced.sort_unstable();
        let mut replaced = self.replaced.iter().peekable();
        let mut places = 0..;
        self.all.retain(|_| {
            let place = places.next();
            replaced.next_if(|next| Some(**next) == place).is_none()
        });
    }
}

/// Returns the fields of one span, including those that name the trace.
pub(super) fn fields_of_span<'a>(record: &Record<'a>, view: &SpanView<'a>) -> Vec<ResolvedField<'a>> {
    let limit = record.max_value_bytes;
    let mut fields = ResolvedFields { all: Vec::new(), names: Names::default(), replaced: Vec::new(), hides_all: true };
    fields.add(view.all_fields().map(|(name, value)| (name, value.truncated_to(limit))), Origin::Span);
    fields.remove_replaced();
    fields.all
}
