//! A record split into the fields that every schema has a place for: message, error, ids and service; and the rest.
//!
//! Before: `resolved_fields` decides which of several fields with the same name counts. After: each schema decides how
//! fields are named and written.

use smallvec::SmallVec;

use super::json;
use super::resolved_fields::{Origin, ResolvedField, ResolvedFields};
use crate::context::{Context, SpanId, SpanView, TraceId};
use crate::names::last_of_each;
use crate::record::{Record, Value};

/// The spans around an event, innermost first.
pub(super) type Views<'a> = SmallVec<[SpanView<'a>; 4]>;

pub(super) fn views<'a>(record: &Record<'a>) -> Views<'a> {
    record.context().into_iter().flat_map(Context::spans).collect()
}

/// The fields of a record, by their role.
pub(super) struct CommonFields<'a> {
    pub(super) message: Option<Value<'a>>,
    /// The field `error`, if it is an error or text.
    pub(super) error: Option<Value<'a>>,
    /// The field `request_id`: the event's, a span's, or a static one.
    pub(super) request: Option<Value<'a>>,
    /// The builder's service, else a field that is text.
    pub(super) service: Option<&'a str>,
    /// The context's ids, else those that the event has as fields.
    pub(super) trace: Option<TraceId>,
    pub(super) span: Option<SpanId>,
    /// All other fields, each name once.
    pub(super) fields: Vec<ResolvedField<'a>>,
    /// Static fields that no field of the record shadows, each name once.
    pub(super) statics: SmallVec<[(&'a str, Value<'a>); 4]>,
}

impl<'a> CommonFields<'a> {
    /// Splits a record. `views`: its spans, from [`views`].
    pub(super) fn of(record: &'a Record<'a>, views: &'a [SpanView<'a>]) -> Self {
        let mut resolved = ResolvedFields::of(record, views);
        let mut fields = std::mem::take(&mut resolved.all);
        put_marks(&mut fields, record);
        let mut statics: SmallVec<[_; 4]> = SmallVec::new();
        if record.static_fields().next().is_some() {
            // The marks are the last fields.
            let is_mark = |name: &str| fields.iter().rev().take(MARKS).any(|field| field.name == name);
            let is_free = |name: &str| !resolved.has(name) && !is_mark(name);
            statics = last_of_each(record.static_fields()).filter(|(name, _)| is_free(name)).collect();
        }
        let is_text = |value: &Value<'_>| value.as_str().is_some();
        let message = take_field(&mut fields, "message", ResolvedField::is_message);
        let error = take_field(&mut fields, "error", ResolvedField::is_error);
        let request = take(&mut fields, "request_id", |_| true).or_else(|| {
            let at = statics.iter().position(|(name, _)| *name == "request_id")?;
            Some(statics.remove(at).1)
        });
        let service = match record.service() {
            Some(service) => Some(service),
            None => take(&mut fields, "service", is_text).and_then(|value| value.as_str()),
        };
        let context = record.context();
        let mut trace = context.and_then(Context::trace_id);
        let mut span = context.and_then(Context::span_id);
        if trace.is_none() {
            take_id(&mut fields, "trace_id", &mut trace, TraceId::parse);
        }
        if span.is_none() {
            take_id(&mut fields, "span_id", &mut span, SpanId::parse);
        }
        Self { message, error, request, service, trace, span, fields, statics }
    }

    /// Removes the backtrace and returns it after the causes of `error`: for a schema with a place for stack traces.
    pub(super) fn take_stack(&mut self, record: &Record<'_>) -> Option<String> {
        let causes = self.error.as_ref().and_then(error_stack);
        let Some(backtrace) = record.backtrace() else { return causes };
        let _ = self.take("backtrace", |_| true);
        Some(causes.map_or_else(|| backtrace.to_owned(), |causes| causes + "\n\n" + backtrace))
    }

    /// Removes a field whose value fits and returns the value, for a schema with a place for it.
    pub(super) fn take(&mut self, name: &str, fits: impl Fn(&Value<'_>) -> bool) -> Option<Value<'a>> {
        take(&mut self.fields, name, fits)
    }

    /// Returns the fields, then the static fields.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let fields = self.fields.iter().map(|field| (field.name, field.value));
        fields.chain(self.statics.iter().copied())
    }
}

fn take<'a>(fields: &mut Vec<ResolvedField<'a>>, name: &str, fits: impl Fn(&Value<'_>) -> bool) -> Option<Value<'a>> {
    take_field(fields, name, |field| fits(&field.value))
}

fn take_field<'a>(
    fields: &mut Vec<ResolvedField<'a>>,
    name: &str,
    fits: impl Fn(&ResolvedField<'a>) -> bool,
) -> Option<Value<'a>> {
    let at = fields.iter().position(|field| field.name == name)?;
    fields.get(at).is_some_and(fits).then(|| fields.remove(at).value)
}

fn take_id<T>(fields: &mut Vec<ResolvedField<'_>>, name: &str, id: &mut Option<T>, parse: fn(&str) -> Option<T>) {
    let parse = |value: &Value<'_>| value.as_str().and_then(parse);
    *id = take(fields, name, |value| parse(value).is_some()).and_then(|value| parse(&value));
}

/// The number of the log's own marks.
const MARKS: usize = 2;

/// Adds the log's own marks, `held_back` and `backtrace`, in place of fields with these names.
pub(super) fn put_marks<'a>(fields: &mut Vec<ResolvedField<'a>>, record: &Record<'a>) {
    let marks: [_; MARKS] = [
        record.is_held_back().then_some(("held_back", Value::Bool(true))),
        record.backtrace().map(|backtrace| ("backtrace", Value::Str(backtrace))),
    ];
    for (name, value) in marks.into_iter().flatten() {
        fields.retain(|field| field.name != name);
        fields.push(ResolvedField { name, value, origin: Origin::Event });
    }
}

/// Returns the type of an error, if it is known.
pub(super) fn error_type<'v>(error: &Value<'v>) -> Option<&'v str> {
    match *error {
        Value::Error(chain) => chain.type_name(),
        _ => None,
    }
}

/// Returns the error's own message.
pub(super) fn error_message<'v>(error: &Value<'v>) -> &'v str {
    match *error {
        Value::Error(chain) => chain.message(),
        Value::Str(text) => text,
        _ => "",
    }
}

/// Returns an error and its sources as text of several lines, where readers expect a stack trace; `None` without
/// sources.
fn error_stack(error: &Value<'_>) -> Option<String> {
    let Value::Error(chain) = error else { return None };
    let mut text = format!("{}\n\nCaused by:", chain.message());
    let start = text.len();
    for (number, source) in chain.sources().enumerate() {
        text += &format!("\n    {number}: {source}");
    }
    (text.len() > start).then_some(text)
}

/// Returns the visible spans, outermost first.
pub(super) fn shown<'v, 'a>(views: &'v [SpanView<'a>]) -> impl Iterator<Item = &'v SpanView<'a>> {
    views.iter().rev().filter(|view| !view.is_hidden())
}

/// Returns the names of the visible spans, outermost first, joined with colons; `None` if there are none.
pub(super) fn span_path(views: &[SpanView<'_>]) -> Option<String> {
    let mut shown = shown(views).map(SpanView::name);
    let first = shown.next()?.to_owned();
    Some(shown.fold(first, |path, name| path + ":" + name))
}

/// Appends the names of the visible spans as an array, outermost first.
pub(super) fn put_span_names(out: &mut Vec<u8>, views: &[SpanView<'_>]) {
    out.push(b'[');
    for (place, span) in shown(views).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        json::put_str(out, span.name());
    }
    out.push(b']');
}
