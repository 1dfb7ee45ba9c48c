//! Prepared contexts: for each segment of a line one run of bytes, copied into each line of that context.
//!
//! They are in a direct-mapped table, so its size is bounded and nothing needs to be evicted. Buffers are reused, so a
//! new context allocates nothing. A program that opens spans for each request meets a new context every few lines, so
//! preparing one is fast too: what depends only on the spans' call sites is in a [`Shape`].

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use smallvec::SmallVec;
use tracing::Metadata;

use super::direct::put_member;
use super::layout::{Group, Layout, Member, Place, Stage};
use super::parts::{Parts, views};
use super::plan::{Plan, key_of};
use super::shapes::{Role, Shape, Shapes, SpanField};
use super::steps::Steps;
use super::syntax::Syntax;
use crate::context::{Context, ContextKey, SpanId, TraceId, named_trace};
use crate::direct_mapped::BoxedDirectMapped;
use crate::names::{FEW, Names};
use crate::record::{Key, Raw, Record, Value, text};
use crate::schema::json::{Draft, DraftBytes};
use crate::schema::resolved_fields::Origin;

const PLACES: usize = 512;

/// A buffer that grew larger for one context is freed.
const MAX_KEPT_BYTES: usize = 4096;

/// A context with more fields is prepared slowly if their names have to be compared with each other.
const MAX_COMPARED: usize = 64;

/// A context in its prepared form.
#[derive(Default)]
pub(super) struct Prepared {
    key: Option<ContextKey>,
    bytes: Vec<u8>,
    /// The end of each segment in `bytes`.
    ends: SmallVec<[u32; 4]>,
    /// Where the users' fields are in `bytes`.
    fields: Vec<FieldRange>,
    /// Whether it has fields that no call site declares, or no shape that names all others.
    pub(super) has_named: bool,
    /// The shape of its spans' call sites, if it has one.
    pub(super) shape: Option<u32>,
    /// The groups of its fields, as a set.
    pub(super) groups: u32,
    /// Whether it can be copied into a line.
    pub(super) is_usable: bool,
    /// The call site whose declared fields are known to have other names, if there is one.
    apart_from: Cell<usize>,
}

/// The name of a field of a prepared context, and where it is.
type FieldRange = (Cow<'static, str>, Range<u32>);

impl Prepared {
    /// Returns a segment.
    #[inline]
    pub(super) fn segment(&self, segment: usize) -> &[u8] {
        self.bytes.get(self.range(segment)).unwrap_or_default()
    }

    #[inline]
    fn range(&self, segment: usize) -> Range<usize> {
        let start = segment.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        start as usize..self.ends.get(segment).copied().unwrap_or(start) as usize
    }

    /// Returns whether it has no field that a plan's lines hide. The answer is remembered for one plan.
    #[inline]
    pub(super) fn is_apart_from(&self, meta: &'static Metadata<'static>, plan: &Plan, layout: &Layout) -> bool {
        let site = std::ptr::from_ref(meta) as usize;
        // Other names are known when a line is written.
        !plan.has_named() && !plan.changes_keys && (self.apart_from.get() == site || self.compare(site, plan, layout))
    }

    #[cold]
    fn compare(&self, site: usize, plan: &Plan, layout: &Layout) -> bool {
        let hidden: Names<&str> = plan.names().iter().copied().filter(|name| plan.hides(name, layout)).collect();
        let is_apart = !self.fields.iter().any(|(name, _)| hidden.contains(&**name));
        if is_apart {
            self.apart_from.set(site);
        }
        is_apart
    }

    /// Appends a segment without the fields for which `hides` is true.
    #[cold]
    pub(super) fn put_without(&self, segment: usize, out: &mut Vec<u8>, hides: impl Fn(&str) -> bool) {
        let Range { mut start, end } = self.range(segment);
        let hidden = self.fields.iter().filter(|(name, _)| hides(name)).map(|(_, range)| range.clone());
        let mut hidden: SmallVec<[Range<u32>; 8]> = hidden.collect();
        hidden.sort_unstable_by_key(|range| range.start);
        for range in hidden {
            let (from, to) = (range.start as usize, range.end as usize);
            if (start..end).contains(&from) {
                out.extend_from_slice(self.bytes.get(start..from).unwrap_or_default());
                start = to;
            }
        }
        out.extend_from_slice(self.bytes.get(start..end).unwrap_or_default());
    }

    fn clear(&mut self, key: ContextKey) {
        if self.bytes.capacity() > MAX_KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.ends.clear();
        self.fields.clear();
        self.fields.shrink_to(MAX_COMPARED);
        self.key = Some(key);
        (self.shape, self.groups) = (None, 0);
        (self.has_named, self.is_usable) = (false, false);
        self.apart_from.set(0);
    }
}

#[derive(Default)]
pub(super) struct Contexts {
    /// Made when it is first used.
    table: Option<BoxedDirectMapped<Prepared, PLACES>>,
    shapes: Shapes,
    /// The fields of one group of a context.
    scratch: Vec<u8>,
}

impl Contexts {
    /// Returns the context's place in the table; prepares it unless it is there.
    #[inline]
    pub(super) fn place(
        &mut self,
        context: &Context<'_>,
        record: &Record<'_>,
        layout: &Layout,
        steps: &Steps,
        draft: &mut DraftBytes,
    ) -> u64 {
        let key = context.key();
        if self.at(key.span).is_none_or(|prepared| prepared.key != Some(key)) {
            self.prepare(key, context, record, layout, steps, draft);
        }
        key.span
    }

    /// Returns the context at a place.
    #[inline]
    pub(super) fn at(&self, place: u64) -> Option<&Prepared> {
        self.table.as_ref().map(|table| table.place(place))
    }

    /// Returns the shape with that number.
    pub(super) fn shape(&self, number: u32) -> Option<&Shape> {
        self.shapes.get(number)
    }

    /// Returns whether there is no room for another shape.
    pub(super) fn is_full(&self) -> bool {
        self.shapes.is_full()
    }

    fn prepare(
        &mut self,
        key: ContextKey,
        context: &Context<'_>,
        record: &Record<'_>,
        layout: &Layout,
        steps: &Steps,
        draft: &mut DraftBytes,
    ) {
        let table = self.table.get_or_insert_with(|| BoxedDirectMapped::boxed(Prepared::default));
        let prepared = table.place_mut(key.span);
        prepared.clear(key);
        let shape = self.shapes.of(context, record, layout, steps);
        if let Some((number, shape)) = shape {
            prepared.shape = Some(number);
            let quick = Quick { context, shape, record, layout };
            if shape.is_regular && quick.prepare(prepared, steps, &mut self.scratch, draft).is_some() {
                prepared.is_usable = true;
                return;
            }
        }
        let shape = prepared.shape;
        prepared.clear(key);
        prepared.shape = shape;
        prepare_slowly(prepared, record, layout, steps);
    }
}

/// Prepares a context of a regular shape.
struct Quick<'q, 'a> {
    context: &'q Context<'a>,
    shape: &'q Shape,
    record: &'q Record<'a>,
    layout: &'q Layout,
}

/// What is found on the way from the innermost span outwards.
#[derive(Default)]
struct Found<'a> {
    request: Option<(Value<'a>, Origin)>,
    taken: Option<Value<'a>>,
    trace: Option<TraceId>,
    /// The innermost span's parent in another process, if it has one.
    remote: Option<SpanId>,
    /// Whether a span names its parent.
    names_parent: bool,
    has_named: bool,
}

impl<'a> Quick<'_, 'a> {
    /// Prepares the context; returns `None` when that has to be done slowly.
    fn prepare(
        &self,
        prepared: &mut Prepared,
        steps: &Steps,
        scratch: &mut Vec<u8>,
        draft: &mut DraftBytes,
    ) -> Option<()> {
        prepared.groups = self.shape.groups;
        let mut in_scratch = self.shape.first_group;
        let found = self.put_fields(in_scratch, &mut prepared.fields, scratch, draft)?;
        // The ranges of the fields in `scratch`.
        let mut moved = 0..prepared.fields.len();
        prepared.has_named = found.has_named;
        // What is prepared depends on no event.
        let record = Record { fields: &[], ..*self.record };
        let mut parts = Parts::bare(&record);
        parts.request = found.request;
        parts.taken = found.taken;
        parts.trace = match found.trace {
            _ if self.context.is_of_otel() => self.context.trace_id(),
            Some(trace) => Some(trace),
            None => self.context.made_trace_id(),
        };
        parts.span = self.context.span_id();
        parts.parent = match found.names_parent {
            true => found.remote.or_else(|| self.context.parent_span_id()),
            false => self.context.local_parent_span_id(),
        };
        let mut fixed = (0, self.shape.fixed_ends.iter());
        for segment in &steps.segments {
            for member in segment.iter().filter_map(|number| self.layout.members.get(*number)) {
                let start = prepared.bytes.len();
                match member {
                    Member::Value { stage: Stage::Shape, .. } => {
                        let end = fixed.1.next().copied().unwrap_or(fixed.0);
                        prepared.bytes.extend_from_slice(self.shape.fixed.get(fixed.0..end).unwrap_or_default());
                        fixed.0 = end;
                    }
                    Member::Value { key, put, of, .. } => {
                        prepared.bytes.extend_from_slice(&key.bytes);
                        if !put(&parts, &mut prepared.bytes) {
                            prepared.bytes.truncate(start);
                        } else if let Some(name) = of {
                            prepared.fields.push((Cow::Borrowed(name), start as u32..prepared.bytes.len() as u32));
                        }
                    }
                    Member::Fields(_, group) => {
                        if self.shape.groups >> group & 1 == 0 && !found.has_named {
                            continue;
                        }
                        if in_scratch != Some(*group) {
                            if in_scratch.is_some() {
                                // Another group's: it is written again in its place.
                                prepared.fields.drain(moved);
                            }
                            let first = prepared.fields.len();
                            self.put_fields(Some(*group), &mut prepared.fields, scratch, draft)?;
                            moved = first..prepared.fields.len();
                        }
                        in_scratch = None;
                        prepared.bytes.extend_from_slice(scratch);
                        for (_, range) in prepared.fields.get_mut(moved.clone()).unwrap_or_default() {
                            *range = range.start + start as u32..range.end + start as u32;
                        }
                        if found.has_named && !scratch.is_empty() {
                            prepared.groups |= 1 << group;
                        }
                    }
                    _ => {}
                }
            }
            prepared.ends.push(prepared.bytes.len() as u32);
        }
        Some(())
    }

    /// Writes the fields of a group of all spans into `scratch`, and adds where they are there to `ranges`. Returns `None`
    /// when the context is not regular.
    fn put_fields(
        &self,
        group: Option<Group>,
        ranges: &mut Vec<FieldRange>,
        scratch: &mut Vec<u8>,
        draft: &mut DraftBytes,
    ) -> Option<Found<'a>> {
        scratch.clear();
        scratch.shrink_to(MAX_KEPT_BYTES);
        let mut fields = Fields {
            line: Draft::new(draft, scratch),
            first: ranges.len(),
            ranges,
            syntax: group.map_or(&Syntax::JSON, |group| &self.layout.spelling_of(group).syntax),
        };
        let mut found = Found::default();
        for (depth, (span, site)) in self.context.spans().zip(&self.shape.sites).enumerate() {
            let mut named_trace_of_span = None;
            let mut undeclared = SmallVec::<[&str; 8]>::new();
            let origin = if site.is_hidden { Origin::Variable } else { Origin::Span };
            let mut put = |key: Key<'a>, raw: Raw<'a>| -> Option<()> {
                let (name, role, field) = match key {
                    Key::Index(index) => {
                        let field = site.fields.get(usize::from(index))?;
                        (field.name, field.role, Some(field))
                    }
                    Key::Name(name) => {
                        let name = text(name);
                        if undeclared.len() == FEW
                            || undeclared.contains(&name)
                            || site.fields.iter().any(|field| field.name == name)
                        {
                            return None;
                        }
                        // Its key could be that of a field whose key was changed.
                        if self.shape.changes_keys {
                            return None;
                        }
                        undeclared.push(name);
                        found.has_named = true;
                        (name, Role::of(name, origin, self.record, self.layout), None)
                    }
                    _ => return None,
                };
                match role {
                    Role::Group(of) if Some(of) == group => {
                        let may_be_hidden = found.has_named || field.is_some_and(|field| field.is_repeated);
                        fields.show(name, field, raw, may_be_hidden, self.layout, origin)?;
                    }
                    Role::Group(_) | Role::Hidden => {}
                    Role::Irregular => return None,
                    Role::Taken if found.taken.is_some() => {}
                    Role::Taken => {
                        let (_, fits) = self.layout.taken?;
                        found.taken = Some(raw.value());
                        if !fits(&raw.value()) {
                            return None;
                        }
                    }
                    Role::Request => found.request = found.request.or_else(|| Some((raw.value(), origin))),
                    Role::State if matches!(named_trace_of_span, Some((_, Some(_)))) => {}
                    Role::State => return None,
                    Role::Trace => {
                        found.names_parent |= name == "traceparent";
                        let trace = named_trace(name, &raw.value()).filter(|trace| span.is_in(trace.0))?;
                        match named_trace_of_span {
                            Some((other, _)) if other != trace.0 => return None,
                            Some((_, Some(_))) => {}
                            _ => named_trace_of_span = Some(trace),
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
            if let Some((trace, remote)) = named_trace_of_span {
                found.trace = found.trace.or(Some(trace));
                found.remote = found.remote.or(remote.filter(|_| depth == 0));
            }
        }
        fields.line.finish();
        Some(found)
    }
}

/// The fields of a group, being written.
struct Fields<'d> {
    line: Draft<'d>,
    ranges: &'d mut Vec<FieldRange>,
    /// Where its fields begin among the ranges.
    first: usize,
    syntax: &'d Syntax,
}

impl Fields<'_> {
    /// Writes a field, unless an inner span has one of that name. Returns `None` when there are too many fields to
    /// compare their names.
    #[inline(always)]
    fn show(
        &mut self,
        name: &str,
        field: Option<&SpanField>,
        raw: Raw<'_>,
        may_be_hidden: bool,
        layout: &Layout,
        origin: Origin,
    ) -> Option<()> {
        if may_be_hidden {
            let others = self.ranges.get(self.first..).filter(|others| others.len() <= MAX_COMPARED)?;
            if others.iter().any(|(other, _)| other == name) {
                return Some(());
            }
        }
        let start = self.line.len() as u32;
        let shown_name = match field {
            Some(field) => {
                self.line.put_piece(&field.key);
                Cow::Borrowed(field.name)
            }
            None => {
                let key = key_of(layout, name, origin);
                if matches!(key, Cow::Owned(_)) {
                    return None;
                }
                self.syntax.put_key(name, self.line.out());
                Cow::Owned(name.to_owned())
            }
        };
        self.line.put_formed(raw, self.syntax.form);
        self.ranges.push((shown_name, start..self.line.len() as u32));
        Some(())
    }
}

/// Prepares a context of any shape, in the way in which lines are written directly.
#[cold]
fn prepare_slowly(prepared: &mut Prepared, record: &Record<'_>, layout: &Layout, steps: &Steps) {
    let record = Record { fields: &[], ..*record };
    if record.original_bytes().is_some() {
        return;
    }
    let views = views(&record);
    let names: Names<&str> = views.iter().flat_map(|view| view.fields().map(|(name, _)| name)).collect();
    let has = |name: &str| names.contains(name);
    let any_origin = |test: &dyn Fn(Origin) -> bool| [Origin::Span, Origin::Variable].into_iter().any(test);
    let is_unsure = |name: &str| any_origin(&|origin| matches!(layout.place(name, origin), Place::Unsure(_)));
    let is_unsure = views.iter().any(|view| view.fields().any(|(name, _)| is_unsure(name)));
    let hides_static = |name: &str| has(name) && any_origin(&|origin| layout.hides_static(name, origin));
    let is_static = record.static_fields().any(|(name, _)| hides_static(name));
    let is_service = layout.takes.service && record.service().is_none() && has("service");
    let is_id = !layout.keeps_roles && ["trace_id", "span_id"].into_iter().any(&has);
    let parts = Parts::of(&record, &views, layout);
    let static_keys = record.static_fields().map(|(name, _)| key_of(layout, name, Origin::Static));
    let static_keys: Vec<_> = static_keys.filter(|key| matches!(key, Cow::Owned(_))).collect();
    let static_keys: Names<&str> = static_keys.iter().map(|key| &**key).collect();
    let shown = || parts.fields.iter().filter(|field| field.origin.is_context());
    let is_static = is_static || shown().any(|field| static_keys.contains(&*field.key));
    if is_static || is_service || is_id || is_unsure {
        return;
    }
    let mut is_changed = false;
    for segment in &steps.segments {
        for number in segment {
            let Some(member) = layout.members.get(*number) else { continue };
            let start = prepared.bytes.len() as u32;
            match member {
                Member::Fields(_, group) => {
                    for field in parts.fields.iter().filter(|field| field.origin.is_context() && field.group == *group)
                    {
                        let start = prepared.bytes.len() as u32;
                        field.put(layout, &mut prepared.bytes);
                        is_changed |= field.name != field.key;
                        prepared.groups |= 1 << group;
                        prepared.fields.push((field.name.to_owned().into(), start..prepared.bytes.len() as u32));
                    }
                }
                member => {
                    put_member(*number, member, &parts, layout, &mut prepared.bytes);
                    if let Member::Value { of: Some(name), .. } = member {
                        prepared.fields.push((Cow::Borrowed(name), start..prepared.bytes.len() as u32));
                    }
                }
            }
        }
        prepared.ends.push(prepared.bytes.len() as u32);
    }
    // A field of the event could have the same key as one whose key was changed.
    prepared.is_usable = !is_changed;
    // No shape says which names it has.
    prepared.has_named = true;
}
