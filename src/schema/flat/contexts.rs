//! Rendered contexts: one run of bytes, copied into each line of that context.
//!
//! They are in a direct-mapped table, so its size is bounded and nothing needs to be evicted. Buffers are reused, so a
//! new context allocates nothing. A program that opens spans for each request meets a new context every few lines, so
//! rendering one is fast too: what depends only on the spans' call sites is in a [`Shape`].

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::options::Options;
use super::shapes::{Role, Shape, Shapes, SpanField};
use crate::context::{Context, ContextKey, SpanId, TraceId, named_trace};
use crate::direct_mapped::BoxedDirectMapped;
use crate::names::FEW;
use crate::record::{Key, Raw, Record, Value};
use crate::schema::json::{Draft, DraftBytes};

const PLACES: usize = 512;

/// A buffer that grew larger for one context is freed.
const MAX_KEPT_BYTES: usize = 4096;

/// A context with more fields takes the general way if their names have to be compared with each other.
const MAX_COMPARED: usize = 64;

/// A context in JSON.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    key: Option<ContextKey>,
    /// `,"request_id":…,"trace_id":… … ,"spans":[…]`
    pub(super) bytes: Vec<u8>,
    /// Where the users' fields are in `bytes`, in their order.
    field_ranges: Vec<FieldRange>,
    /// Whether it has fields that no call site declares.
    pub(super) has_named: bool,
    /// The shape of its spans' call sites. `None` when it cannot be copied into a line as it is: it has reserved names,
    /// or something that goes under `fields`.
    pub(super) shape: Option<u32>,
}

/// The name of a field of a rendered context, and where it is.
type FieldRange = (Cow<'static, str>, Range<u32>);

impl Rendered {
    /// Appends the context without the fields for which `hides` is true.
    #[cold]
    pub(super) fn put_without(&self, out: &mut Vec<u8>, hides: impl Fn(&str) -> bool) {
        let mut start = 0;
        for (_, range) in self.field_ranges.iter().filter(|(name, _)| hides(name)) {
            out.extend_from_slice(self.bytes.get(start..range.start as usize).unwrap_or_default());
            start = range.end as usize;
        }
        out.extend_from_slice(self.bytes.get(start..).unwrap_or_default());
    }
}

#[derive(Debug, Default)]
pub(super) struct Contexts {
    /// Made when it is first used.
    table: Option<BoxedDirectMapped<Rendered, PLACES>>,
    shapes: Shapes,
    fields: Vec<u8>,
}

impl Contexts {
    /// Returns the context's place in the table; renders it unless it is there.
    #[inline]
    pub(super) fn place(
        &mut self,
        context: &Context<'_>,
        record: &Record<'_>,
        options: &Options,
        draft: &mut DraftBytes,
    ) -> u64 {
        let key = context.key();
        if self.at(key.span).is_none_or(|rendered| rendered.key != Some(key)) {
            self.render(key, context, record, options, draft);
        }
        key.span
    }

    /// Returns the context at a place.
    #[inline]
    pub(super) fn at(&self, place: u64) -> Option<&Rendered> {
        self.table.as_ref().map(|table| table.place(place))
    }

    /// Returns the shape with that number.
    #[inline]
    pub(super) fn shape(&self, number: u32) -> Option<&Shape> {
        self.shapes.get(number)
    }

    /// Returns whether there is no room for another shape.
    pub(super) fn is_full(&self) -> bool {
        self.shapes.is_full()
    }

    fn render(
        &mut self,
        key: ContextKey,
        context: &Context<'_>,
        record: &Record<'_>,
        options: &Options,
        draft: &mut DraftBytes,
    ) {
        let table = self.table.get_or_insert_with(|| BoxedDirectMapped::boxed(Rendered::default));
        let rendered = table.place_mut(key.span);
        if rendered.bytes.capacity() > MAX_KEPT_BYTES {
            rendered.bytes = Vec::new();
        }
        rendered.bytes.clear();
        rendered.field_ranges.clear();
        rendered.key = Some(key);
        rendered.shape = None;
        rendered.has_named = false;
        let Some((number, shape)) = self.shapes.of(context, record, options) else { return };
        self.fields.clear();
        self.fields.shrink_to(MAX_KEPT_BYTES);
        let field_ranges = &mut rendered.field_ranges;
        let fields = Draft::new(draft, &mut self.fields);
        let mut spans = Spans { fields, field_ranges, has_named: false, request: None, trace: None, remote: None };
        if spans.put_fields(context, shape, record, options).is_none() {
            return;
        }
        let Spans { fields, has_named, request, trace, remote, .. } = spans;
        rendered.has_named = has_named;
        fields.finish();
        let trace = match trace {
            _ if context.is_of_otel() => context.trace_id(),
            Some(trace) => Some(trace),
            None => context.made_trace_id(),
        };
        let mut line = Draft::new(draft, &mut rendered.bytes);
        if let Some(request) = request {
            line.put(b",\"request_id\":");
            line.put_value(&request);
        }
        let ids = line.len();
        put_id(&mut line, b",\"trace_id\":\"", trace.map(TraceId::digits));
        put_id(&mut line, b",\"span_id\":\"", context.span_id().map(SpanId::digits));
        let parent = remote.or_else(|| context.parent_span_id());
        put_id(&mut line, b",\"parent_span_id\":\"", parent.map(SpanId::digits));
        let behind = line.len() as u32;
        rendered.field_ranges.iter_mut().for_each(|(_, range)| *range = range.start + behind..range.end + behind);
        if ids > 0 {
            rendered.field_ranges.insert(0, (Cow::Borrowed("request_id"), 0..ids as u32));
        }
        line.put(&self.fields);
        line.put(&shape.spans);
        line.finish();
        rendered.shape = Some(number);
    }
}

/// What is found on the way from the innermost span outwards.
struct Spans<'d, 'a> {
    fields: Draft<'d>,
    /// Where each field is.
    field_ranges: &'d mut Vec<FieldRange>,
    /// Whether there are fields that no call site declares.
    has_named: bool,
    request: Option<Value<'a>>,
    trace: Option<TraceId>,
    /// The innermost span's parent in another process, if it has one.
    remote: Option<SpanId>,
}

impl<'a> Spans<'_, 'a> {
    /// Drafts a field, unless an inner span has one of that name. The shape tells that only of declared fields. Returns
    /// `None` when there are too many fields to compare their names.
    fn show(&mut self, name: &str, field: Option<&SpanField>, raw: Raw<'a>) -> Option<()> {
        let may_be_hidden = self.has_named || field.is_some_and(|field| field.role == Role::Repeated);
        if may_be_hidden {
            let others = Some(&*self.field_ranges).filter(|others| others.len() <= MAX_COMPARED)?;
            if others.iter().any(|(other, _)| other == name) {
                return Some(());
            }
        }
        let start = self.fields.len() as u32;
        let shown_name = match field {
            Some(field) => {
                self.fields.put_member(&field.key, raw);
                Cow::Borrowed(field.name)
            }
            None => {
                self.fields.put_named(name, raw);
                Cow::Owned(name.to_owned())
            }
        };
        self.field_ranges.push((shown_name, start..self.fields.len() as u32));
        Some(())
    }

    /// Drafts the fields of all spans; returns `None` when the general way is needed.
    fn put_fields(
        &mut self,
        context: &Context<'a>,
        shape: &'a Shape,
        record: &Record<'_>,
        options: &Options,
    ) -> Option<()> {
        for (depth, (span, site)) in context.spans().zip(&shape.sites).enumerate() {
            let mut named = None;
            let mut undeclared = SmallVec::<[&str; 8]>::new();
            let mut put = |key: Key<'a>, raw: Raw<'a>| -> Option<()> {
                let (name, role, field) = match key {
                    Key::Index(index) => {
                        let field = site.fields.get(usize::from(index))?;
                        (field.name, field.role, Some(field))
                    }
                    Key::Name(name) => {
                        if undeclared.len() == FEW
                            || undeclared.contains(&name)
                            || site.fields.iter().any(|field| field.name == name)
                        {
                            return None;
                        }
                        undeclared.push(name);
                        self.has_named = true;
                        (name, Role::of(name, record, options), None)
                    }
                    _ => return None,
                };
                match role {
                    Role::Shown | Role::Repeated => self.show(name, field, raw)?,
                    Role::Hidden => {}
                    Role::Irregular => return None,
                    Role::Request => self.request = self.request.or_else(|| Some(raw.value())),
                    Role::State if matches!(named, Some((_, Some(_)))) => {}
                    Role::State => return None,
                    Role::Trace => {
                        let found = named_trace(name, &raw.value()).filter(|found| span.is_in(found.0))?;
                        match named {
                            Some((trace, _)) if trace != found.0 => return None,
                            Some((_, Some(_))) => {}
                            _ => named = Some(found),
                        }
                    }
                }
                Some(())
            };
            match span.plain_fields() {
                Some(mut fields) => {
                    while let Some((key, raw)) = fields.next_raw() {
                        put(key, raw)?;
                    }
                }
                None if span.truncated_bytes() == 0 => {
                    for (key, value) in span.raw_fields() {
                        put(key, Raw::Value(value))?;
                    }
                }
                None => return None,
            }
            if let Some((trace, remote)) = named {
                self.trace = self.trace.or(Some(trace));
                self.remote = self.remote.or(remote.filter(|_| depth == 0));
            }
        }
        Some(())
    }
}

fn put_id<const DIGITS: usize>(line: &mut Draft<'_>, key: &[u8], digits: Option<[u8; DIGITS]>) {
    if let Some(digits) = digits {
        line.put(key);
        line.put(&digits);
        line.put(b"\"");
    }
}
