//! Contexts that have been rendered: one run of bytes, put into each line of that context as it is.
//!
//! A direct-mapped table, so its size is bounded and nothing needs to be thrown out on purpose; the buffers are
//! reused, so a new context costs no allocation. Rendering one is fast too, since a program that opens spans for each
//! request meets a new context every few lines: what depends on the spans' call sites alone is in a [`Shape`].

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::Options;
use super::shapes::{Role, Shape, Shapes, SpanField};
use crate::context::{Context, ContextKey, SpanId, TraceId, named_trace};
use crate::direct_mapped::BoxedDirectMapped;
use crate::record::{Key, Raw, Record, Value};
use crate::schema::json::{Draft, DraftBytes};

const PLACES: usize = 512;

/// A buffer that grew larger than this for one context is given back with it.
const MAX_KEPT_BYTES: usize = 4096;

/// A context in JSON.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    key: Option<ContextKey>,
    /// `,"request_id":…,"trace_id":… … ,"spans":[…]`
    pub(super) bytes: Vec<u8>,
    /// Where the users' fields are in it, in their order.
    parts: Vec<Part>,
    /// Whether fields are among them that no call site declares.
    pub(super) has_named: bool,
    /// What its spans' call sites have in common with those of other contexts; `None` when it may not be put into a
    /// line as it is: with reserved names, or something that goes under `fields`.
    pub(super) shape: Option<u32>,
}

/// A field of a rendered context.
type Part = (Cow<'static, str>, Range<u32>);

impl Rendered {
    /// Appends it without the fields for which `hides` is true.
    #[cold]
    pub(super) fn put_without(&self, out: &mut Vec<u8>, hides: impl Fn(&str) -> bool) {
        let mut start = 0;
        for (_, part) in self.parts.iter().filter(|(name, _)| hides(name)) {
            out.extend_from_slice(self.bytes.get(start..part.start as usize).unwrap_or_default());
            start = part.end as usize;
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
    /// Where the context is in JSON, rendered now unless it has been.
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

    /// The context at a place.
    #[inline]
    pub(super) fn at(&self, place: u64) -> Option<&Rendered> {
        self.table.as_ref().map(|table| table.place(place))
    }

    /// The shape of a rendered context.
    #[inline]
    pub(super) fn shape(&self, number: u32) -> Option<&Shape> {
        self.shapes.get(number)
    }

    /// Whether there is no room for contexts of another shape.
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
        rendered.parts.clear();
        rendered.key = Some(key);
        rendered.shape = None;
        rendered.has_named = false;
        let Some((number, shape)) = self.shapes.of(context, record, options) else { return };
        self.fields.clear();
        self.fields.shrink_to(MAX_KEPT_BYTES);
        let parts = &mut rendered.parts;
        let fields = Draft::new(draft, &mut self.fields);
        let mut spans = Spans { fields, parts, has_named: false, request: None, trace: None, remote: None };
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
        rendered.parts.iter_mut().for_each(|(_, range)| *range = range.start + behind..range.end + behind);
        if ids > 0 {
            rendered.parts.insert(0, (Cow::Borrowed("request_id"), 0..ids as u32));
        }
        line.put(&self.fields);
        line.put(&shape.spans);
        line.finish();
        rendered.shape = Some(number);
    }
}

/// What is found on the way from the innermost span out.
struct Spans<'d, 'a> {
    fields: Draft<'d>,
    /// Where each of them is.
    parts: &'d mut Vec<Part>,
    /// Whether fields are among them that no call site declares.
    has_named: bool,
    request: Option<Value<'a>>,
    trace: Option<TraceId>,
    /// The parent in another process, where the innermost span has one.
    remote: Option<SpanId>,
}

impl<'a> Spans<'_, 'a> {
    /// Drafts a field, unless one further in has its name: which the shape can tell only of those that are declared.
    fn show(&mut self, name: &str, field: Option<&SpanField>, raw: Raw<'a>) {
        let may_be_hidden = self.has_named || field.is_some_and(|field| field.role == Role::Repeated);
        if may_be_hidden && self.parts.iter().any(|(other, _)| other == name) {
            return;
        }
        let start = self.fields.len() as u32;
        let part = match field {
            Some(field) => {
                self.fields.put_member(&field.key, raw);
                Cow::Borrowed(field.name)
            }
            None => {
                self.fields.put_named(name, raw);
                Cow::Owned(name.to_owned())
            }
        };
        self.parts.push((part, start..self.fields.len() as u32));
    }

    /// Drafts the fields of all spans; `None` for what is not regular.
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
                        if undeclared.contains(&name) || site.fields.iter().any(|field| field.name == name) {
                            return None;
                        }
                        undeclared.push(name);
                        self.has_named = true;
                        (name, Role::of(name, record, options), None)
                    }
                    _ => return None,
                };
                match role {
                    Role::Shown | Role::Repeated => self.show(name, field, raw),
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
