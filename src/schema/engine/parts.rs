//! A record taken apart: what has a place in every schema, and all other fields with their group.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::layout::{Group, Layout, Member, Place, TOP, UNDER};
use crate::context::{Context, SpanId, SpanView, TraceId};
use crate::names::{Names, last_of_each};
use crate::record::{Kind, Record, Value};
use crate::schema::json;
use crate::schema::level::{LEVEL_NAME, LineLevel};
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
    /// The event's level, or the one that its field `level_name` names.
    pub(in crate::schema) level: LineLevel,
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
        let syntax = &layout.spelling_of(self.group).syntax;
        syntax.put_key(&self.key, out);
        syntax.form.put(&self.value, out);
    }
}

impl<'a> Parts<'a> {
    /// Returns the parts of a record for members that read only the record.
    pub(in crate::schema) fn bare(record: &'a Record<'a>) -> Self {
        Self {
            record,
            level: record.level().into(),
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
        let takes = |field: &ResolvedField<'_>| {
            layout.taken.is_some_and(|(name, fits)| field.name == name && fits(&field.value))
        };
        // A user's own description of the request stands for the line's.
        let kind = record.site_kind();
        let own = (layout.own_lines.differ(kind) && !fields.iter().any(takes)).then_some(kind);
        if own.is_some() {
            fields.retain(|field| !layout.own_lines.has(kind, field));
        }
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
        parts.place(fields, layout, own);
        parts.spell(layout);
        parts
    }

    /// Removes the fields that have a place in every schema.
    fn take_roles(&mut self, fields: &mut Vec<ResolvedField<'a>>, layout: &Layout) {
        let stays = |field: &ResolvedField<'_>| is_label(field, layout);
        let is_text = |field: &ResolvedField<'_>| field.value.as_str().is_some();
        self.message = take(fields, "message", ResolvedField::is_message).map(|field| field.value);
        self.error = take(fields, "error", ResolvedField::is_error).map(|field| field.value);
        let names_level = |field: &ResolvedField<'_>| field.is_own() && LineLevel::named(&field.value).is_some();
        if layout.takes.level {
            let level = take(fields, LEVEL_NAME, names_level).and_then(|field| LineLevel::named(&field.value));
            self.level = level.unwrap_or(self.level);
        }
        let request = fields.iter().find(|field| field.name == REQUEST);
        self.request = request.map(|field| (field.value, field.origin));
        fields.retain(|field| field.name != REQUEST || stays(field));
        if layout.takes.service && self.service.is_none() {
            self.service = take(fields, "service", is_text).and_then(|field| field.value.as_str());
        }
        if let Some((name, fits)) = layout.taken {
            let is_dynamic = |field: &ResolvedField<'_>| field.origin != Origin::Static;
            self.taken = take(fields, name, |field| is_dynamic(field) && fits(&field.value)).map(|field| field.value);
        }
        if layout.takes.trace {
            take_id(fields, "trace_id", &mut self.trace, TraceId::parse);
        }
        if layout.takes.span {
            take_id(fields, "span_id", &mut self.span, SpanId::parse);
        }
    }

    /// Decides where each field goes.
    fn place(&mut self, fields: Vec<ResolvedField<'a>>, layout: &Layout, own: Option<Kind>) {
        self.fields.reserve(fields.len());
        // Only static fields come after others of their names.
        let has_statics = fields.last().is_some_and(|field| field.origin == Origin::Static);
        let mut shown: Names<(&str, Group)> = Names::default();
        for ResolvedField { name, value, origin } in fields {
            if origin == Origin::Event
                && let Some(slot) = self.slot(name, &value, layout)
            {
                self.slots.push(slot);
            } else if let Some(group) = layout.group_of(name, origin, &value)
                && let group = own.map_or(group, |kind| beside_own(kind, group, name, origin, layout))
                && !(has_statics && !shown.add((name, group)) && origin == Origin::Static)
            {
                self.fields.push(Placed { name, key: Cow::Borrowed(name), value, origin, group });
            }
        }
    }

    /// Returns the member whose place a field takes, with the value as written.
    fn slot(&self, name: &str, value: &Value<'_>, layout: &Layout) -> Option<(usize, Vec<u8>)> {
        let (number, slot) = layout.slot_of(name)?;
        let Member::Value { put, .. } = layout.members.get(number)? else { return None };
        let mut out = Vec::new();
        if !(slot.fits)(value) || put(self, &mut out) {
            return None;
        }
        out.clear();
        slot.form.put(value, &mut out);
        Some((number, out))
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

    /// Returns the fields of a group: the event's own, those of its context, or static ones.
    pub(super) fn fields_of(&self, origin: Origin, group: Group) -> impl Iterator<Item = &Placed<'a>> {
        let is_here = move |other: Origin| other == origin || other.is_context() && origin.is_context();
        self.fields.iter().filter(move |field| field.group == group && is_here(field.origin))
    }

    /// Returns the message; of an event without text, what stands for it.
    pub(in crate::schema) fn headline(&self) -> Value<'a> {
        match self.message {
            Some(message) if message.as_str() != Some("") => message,
            _ => Value::Str(headline(self.record, self.error)),
        }
    }

    /// Returns the stack trace as readers expect it: type and message, then the causes of the error, then the backtrace;
    /// `None` without causes and backtrace.
    pub(in crate::schema) fn stack(&self) -> Option<String> {
        let causes = self.causes();
        let backtrace = self.record.backtrace();
        if causes.is_empty() && backtrace.is_none() {
            return None;
        }
        let mut stack = self.stack_head();
        for (number, cause) in causes.iter().enumerate() {
            stack += if number == 0 { "\n\nCaused by:" } else { "" };
            stack += &format!("\n    {number}: {cause}");
        }
        if let Some(backtrace) = backtrace {
            stack += if causes.is_empty() { "\n" } else { "\n\n" };
            stack += backtrace;
        }
        Some(stack)
    }

    /// Returns the first line of a stack trace: the error's type and message, else the line's.
    pub(in crate::schema) fn stack_head(&self) -> String {
        match (self.error_type(), self.error_message()) {
            (Some(type_name), Some(message)) => format!("{type_name}: {message}"),
            (None, Some(message)) => message.to_owned(),
            _ => json::text_of(&self.headline()).into_owned(),
        }
    }

    /// Returns the sources of the error, outermost first.
    pub(in crate::schema) fn causes(&self) -> SmallVec<[&'a str; 4]> {
        match self.error {
            Some(Value::Error(chain)) => chain.sources().collect(),
            _ => SmallVec::new(),
        }
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

/// Returns the group of a field in a line of the log's own, whose members have keys that other lines lack.
fn beside_own(kind: Kind, group: Group, name: &str, origin: Origin, layout: &Layout) -> Group {
    match layout.place(name, origin) {
        Place::Either(first, second) if group == first && layout.meets_own_member(kind, name) => second,
        Place::Either(..) => group,
        _ if group == TOP && layout.meets_own_member(kind, name) => UNDER,
        _ => group,
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

/// Returns what stands for the message of an event without text: its error, else its name, else the innermost span's name,
/// else the target.
pub(in crate::schema) fn headline<'a>(record: &Record<'a>, error: Option<Value<'a>>) -> &'a str {
    let error = error.as_ref().map(error_message).filter(|message| !message.is_empty());
    let span = || record.context().and_then(|context| context.names().next());
    error.or_else(|| record.event_name()).or_else(span).unwrap_or_else(|| record.target())
}

/// Returns the error's own message.
pub(in crate::schema) fn error_message<'v>(error: &Value<'v>) -> &'v str {
    match *error {
        Value::Error(chain) => chain.message(),
        Value::Str(text) => text,
        _ => "",
    }
}
