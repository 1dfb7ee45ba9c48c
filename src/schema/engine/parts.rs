//! A record taken apart: what has a place in every schema, and all other fields with their group.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::layout::{Group, Layout, Member, Place, put_formed};
use crate::context::{Context, SpanId, SpanView, TraceId};
use crate::names::{Names, last_of_each};
use crate::record::{Record, Value};
use crate::schema::json;
use crate::schema::object::tell_apart;
use crate::schema::resolved_fields::{Origin, ResolvedField, ResolvedFields};

/// The spans around an event, innermost first.
pub(in crate::schema) type Views<'a> = SmallVec<[SpanView<'a>; 4]>;

pub(in crate::schema) fn views<'a>(record: &Record<'a>) -> Views<'a> {
    record.context().into_iter().flat_map(Context::spans).collect()
}

/// A record taken apart.
///
/// A member reads only what its stage knows. When a context is prepared, what belongs to the event is absent.
pub(in crate::schema) struct Parts<'a> {
    pub(in crate::schema) record: &'a Record<'a>,
    /// The event's own field `message`.
    pub(in crate::schema) message: Option<Value<'a>>,
    /// The event's own field `error`, if it is an error or text.
    pub(in crate::schema) error: Option<Value<'a>>,
    /// The field `request_id`, and where it comes from.
    pub(in crate::schema) request: Option<(Value<'a>, Origin)>,
    /// The field that the layout takes for a member.
    pub(in crate::schema) taken: Option<Value<'a>>,
    /// The builder's service, else a field that is text.
    pub(in crate::schema) service: Option<&'a str>,
    /// The context's ids, else those that the event has as fields.
    pub(in crate::schema) trace: Option<TraceId>,
    pub(in crate::schema) span: Option<SpanId>,
    pub(in crate::schema) parent: Option<SpanId>,
    pub(super) fields: Vec<Placed<'a>>,
    /// Fields that take the place of a member that the line lacks: the member's number and the value as written.
    pub(super) slots: Vec<(usize, Vec<u8>)>,
}

/// A field with its place.
pub(super) struct Placed<'a> {
    pub(super) name: &'a str,
    pub(super) key: Cow<'a, str>,
    pub(super) value: Value<'a>,
    pub(super) origin: Origin,
    pub(super) group: Group,
}

impl Placed<'_> {
    /// Appends the field with its leading comma.
    pub(super) fn put(&self, layout: &Layout, out: &mut Vec<u8>) {
        out.push(b',');
        json::put_str(out, &self.key);
        out.push(b':');
        put_formed(out, layout.spelling_of(self.group).form, &self.value);
    }
}

impl<'a> Parts<'a> {
    /// Returns the parts of a record for members that read only the record.
    pub(super) fn bare(record: &'a Record<'a>) -> Self {
        Self {
            record,
            message: None,
            error: None,
            request: None,
            taken: None,
            service: record.service(),
            trace: None,
            span: None,
            parent: None,
            fields: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// Takes a record apart. `views`: its spans, from [`views`].
    pub(super) fn of(record: &'a Record<'a>, views: &'a [SpanView<'a>], layout: &Layout) -> Self {
        let mut fields = ResolvedFields::of(record, views).all;
        fields.extend(last_of_each(record.static_fields()).map(|(name, value)| ResolvedField {
            name,
            value,
            origin: Origin::Static,
        }));
        let mut parts = Self::bare(record);
        let context = record.context();
        parts.trace = context.and_then(Context::trace_id);
        parts.span = context.and_then(Context::span_id);
        parts.parent = context.and_then(Context::parent_span_id);
        if layout.keeps_roles {
            parts.take_roles(&mut fields.clone(), layout);
            let is_role = |field: &ResolvedField<'_>| field.name == REQUEST && !is_label(field, layout);
            fields.retain(|field| field.origin == Origin::Static && !is_role(field));
            fields.splice(..0, ResolvedFields::without_spans(record, views).all);
        } else {
            parts.take_roles(&mut fields, layout);
        }
        parts.place(fields, layout);
        parts.spell(layout);
        parts
    }

    /// Removes the fields that have a place in every schema.
    fn take_roles(&mut self, fields: &mut Vec<ResolvedField<'a>>, layout: &Layout) {
        let stays = |field: &ResolvedField<'_>| is_label(field, layout);
        let is_text = |field: &ResolvedField<'_>| field.value.as_str().is_some();
        self.message = take(fields, "message", ResolvedField::is_message).map(|field| field.value);
        self.error = take(fields, "error", ResolvedField::is_error).map(|field| field.value);
        let request = fields.iter().find(|field| field.name == REQUEST);
        self.request = request.map(|field| (field.value, field.origin));
        fields.retain(|field| field.name != REQUEST || stays(field));
        if self.service.is_none() {
            self.service = take(fields, "service", is_text).and_then(|field| field.value.as_str());
        }
        if let Some((name, fits)) = layout.taken {
            let is_dynamic = |field: &ResolvedField<'_>| field.origin != Origin::Static;
            self.taken = take(fields, name, |field| is_dynamic(field) && fits(&field.value)).map(|field| field.value);
        }
        take_id(fields, "trace_id", &mut self.trace, TraceId::parse);
        take_id(fields, "span_id", &mut self.span, SpanId::parse);
    }

    /// Decides where each field goes.
    fn place(&mut self, fields: Vec<ResolvedField<'a>>, layout: &Layout) {
        self.fields.reserve(fields.len());
        // Only static fields come after others of their names.
        let has_statics = fields.last().is_some_and(|field| field.origin == Origin::Static);
        let mut shown: Names<(&str, Group)> = Names::default();
        for ResolvedField { name, value, origin } in fields {
            if matches!(layout.place(name, origin), Place::Slot(_))
                && let Some(slot) = self.slot(name, &value, layout)
            {
                self.slots.push(slot);
            } else if let Some(group) = layout.group_of(name, origin, &value)
                && !(has_statics && !shown.add((name, group)) && origin == Origin::Static)
            {
                self.fields.push(Placed { name, key: Cow::Borrowed(name), value, origin, group });
            }
        }
    }

    /// Returns the member whose place a field takes, with the value as written.
    fn slot(&self, name: &str, value: &Value<'_>, layout: &Layout) -> Option<(usize, Vec<u8>)> {
        let mut members = layout.members.iter().enumerate();
        let (number, put, fit) = members.find_map(|(number, member)| match member {
            Member::Value { slot: Some((slot, fit)), put, .. } if *slot == name => Some((number, put, fit)),
            _ => None,
        })?;
        let mut out = Vec::new();
        if put(self, &mut out) {
            return None;
        }
        out.clear();
        fit(value, &mut out).then_some((number, out))
    }

    /// Gives the fields the keys of their groups.
    fn spell(&mut self, layout: &Layout) {
        for group in 0..layout.spellings.len() {
            let mut keys: Vec<(Cow<'a, str>, usize)> = Vec::new();
            for (at, field) in self.fields.iter().enumerate() {
                if usize::from(field.group) == group {
                    // The key is the name so far.
                    keys.push((layout.key(field.group, field.name), at));
                }
            }
            tell_apart(&mut keys);
            for (key, at) in keys {
                if let Some(field) = self.fields.get_mut(at) {
                    field.key = key;
                }
            }
        }
    }

    /// Returns the causes of the error and the backtrace, where readers expect a stack trace.
    pub(in crate::schema) fn stack(&self) -> Option<String> {
        let causes = self.error.as_ref().and_then(error_stack);
        let Some(backtrace) = self.record.backtrace() else { return causes };
        Some(causes.map_or_else(|| backtrace.to_owned(), |causes| causes + "\n\n" + backtrace))
    }

    /// Returns the error's own message.
    pub(in crate::schema) fn error_message(&self) -> Option<&'a str> {
        self.error.as_ref().map(error_message)
    }

    /// Returns the error's type, if it is known.
    pub(in crate::schema) fn error_type(&self) -> Option<&'a str> {
        match self.error? {
            Value::Error(chain) => chain.type_name(),
            _ => None,
        }
    }

    /// Returns a static field's value.
    pub(in crate::schema) fn static_field(&self, name: &str) -> Option<Value<'a>> {
        self.record.static_fields().filter(|(other, _)| *other == name).last().map(|(_, value)| value)
    }

    /// Returns the names of the visible spans, outermost first.
    pub(in crate::schema) fn span_names(&self) -> SmallVec<[&'static str; 8]> {
        let mut names: SmallVec<[&'static str; 8]> =
            self.record.context().into_iter().flat_map(Context::names).collect();
        names.reverse();
        names
    }
}

const REQUEST: &str = "request_id";

/// Returns whether a static field is shown beside a record's field of the same name.
fn is_label(field: &ResolvedField<'_>, layout: &Layout) -> bool {
    field.origin == Origin::Static && !layout.hides_static(field.name, Origin::Event)
}

fn take<'a>(
    fields: &mut Vec<ResolvedField<'a>>,
    name: &str,
    fits: impl Fn(&ResolvedField<'a>) -> bool,
) -> Option<ResolvedField<'a>> {
    let at = fields.iter().position(|field| field.name == name)?;
    fields.get(at).is_some_and(fits).then(|| fields.remove(at))
}

fn take_id<T>(fields: &mut Vec<ResolvedField<'_>>, name: &str, id: &mut Option<T>, parse: fn(&str) -> Option<T>) {
    let parse = |field: &ResolvedField<'_>| field.value.as_str().and_then(parse);
    if id.is_none() {
        *id = take(fields, name, |field| parse(field).is_some()).and_then(|field| parse(&field));
    }
}

/// Returns the error's own message.
pub(in crate::schema) fn error_message<'v>(error: &Value<'v>) -> &'v str {
    match *error {
        Value::Error(chain) => chain.message(),
        Value::Str(text) => text,
        _ => "",
    }
}

/// Returns an error and its sources as text of several lines; `None` without sources.
fn error_stack(error: &Value<'_>) -> Option<String> {
    let Value::Error(chain) = error else { return None };
    let mut text = format!("{}\n\nCaused by:", chain.message());
    let start = text.len();
    for (number, source) in chain.sources().enumerate() {
        text += &format!("\n    {number}: {source}");
    }
    (text.len() > start).then_some(text)
}
