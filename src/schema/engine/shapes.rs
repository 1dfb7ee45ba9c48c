//! The shape of a context: what all contexts of the same call sites share, whatever their values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hasher;

use smallvec::SmallVec;
use tracing::Metadata;

use super::layout::{Group, Layout, Member, Place, Stage};
use super::parts::Parts;
use super::plan::key_of;
use super::steps::Steps;
use crate::addresses::{AddressHasher, AddressKeys};
use crate::context::{Context, is_hidden};
use crate::names::Names;
use crate::record::{Record, plain_name};
use crate::schema::json::Piece;
use crate::schema::resolved_fields::Origin;

/// A program has few shapes. Recursion can make more; their contexts are prepared without one.
const MAX_SHAPES: usize = 1024;
const MAX_DEPTH: usize = 32;

/// One sequence of nested call sites.
pub(super) struct Shape {
    /// The call sites, innermost first.
    pub(super) sites: Vec<SpanCallSite>,
    /// The users' names that its contexts may have.
    pub(super) names: Vec<(&'static str, Origin)>,
    /// The members that depend on the shape alone, one after the other in the order of the layout, and the end of each.
    pub(super) fixed: Vec<u8>,
    pub(super) fixed_ends: Vec<usize>,
    /// Whether its contexts can be prepared quickly.
    pub(super) is_regular: bool,
    /// Whether the key of one of its fields, or of a static one, was changed for the reader.
    pub(super) changes_keys: bool,
    /// The groups of its fields, as a set.
    pub(super) groups: u32,
    /// The first of them in a line.
    pub(super) first_group: Option<Group>,
    addresses: SmallVec<[usize; 8]>,
}

/// A span's call site, as part of a shape.
pub(super) struct SpanCallSite {
    pub(super) fields: Vec<SpanField>,
    /// Whether it is that of context variables.
    pub(super) is_hidden: bool,
}

/// A declared field of a span.
pub(super) struct SpanField {
    pub(super) name: &'static str,
    /// What precedes its value.
    pub(super) key: Piece,
    pub(super) role: Role,
    /// Another span of the shape has a field of that name: shown unless an inner span has a value.
    pub(super) is_repeated: bool,
}

/// What happens to a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Group(Group),
    /// It is not shown.
    Hidden,
    /// The request's id.
    Request,
    /// The layout takes it for a member.
    Taken,
    /// May name the trace.
    Trace,
    /// Accompanies the trace that the span names.
    State,
    /// The context has to be prepared slowly, or not at all.
    Irregular,
}

impl Role {
    /// Returns the role of a span's field with that name.
    pub(super) fn of(name: &str, origin: Origin, record: &Record<'_>, layout: &Layout) -> Self {
        if !layout.keeps_roles {
            match name {
                _ if layout.hides_static(name, origin) && record.static_fields().any(|(other, _)| other == name) => {
                    return Self::Irregular;
                }
                _ if layout.taken.is_some_and(|(taken, _)| taken == name) => return Self::Taken,
                "trace_id" | "traceparent" => return Self::Trace,
                "tracestate" => return Self::State,
                "request_id" => return Self::Request,
                "span_id" => return Self::Irregular,
                "service" if layout.takes.service && record.service().is_none() => return Self::Irregular,
                _ => {}
            }
        }
        match layout.place(name, origin) {
            Place::Group(group) => Self::Group(group),
            Place::Hidden => Self::Hidden,
            Place::Either(..) | Place::Unsure(_) => Self::Irregular,
        }
    }
}

#[derive(Default)]
pub(super) struct Shapes {
    all: Vec<Shape>,
    /// The numbers of the shapes with a hash.
    found: HashMap<usize, SmallVec<[u32; 1]>, AddressKeys>,
}

impl Shapes {
    pub(super) fn get(&self, number: u32) -> Option<&Shape> {
        self.all.get(number as usize)
    }

    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= MAX_SHAPES
    }

    /// Returns the number and the shape of a context; `None` when it is too deep or there are too many shapes.
    pub(super) fn of(
        &mut self,
        context: &Context<'_>,
        record: &Record<'_>,
        layout: &Layout,
        steps: &Steps,
    ) -> Option<(u32, &Shape)> {
        let mut addresses = SmallVec::<[usize; 8]>::new();
        let mut hash = AddressHasher::default();
        for meta in context.call_sites() {
            if addresses.len() == MAX_DEPTH {
                return None;
            }
            addresses.push(std::ptr::from_ref::<Metadata<'static>>(meta) as usize);
            hash.write_usize(std::ptr::from_ref::<Metadata<'static>>(meta) as usize);
        }
        let candidates = self.found.entry(hash.finish() as usize).or_default();
        let is_it = |number: &u32| self.all.get(*number as usize).is_some_and(|shape| shape.addresses == addresses);
        let number = match candidates.iter().copied().find(is_it) {
            Some(number) => number,
            None if self.all.len() >= MAX_SHAPES => return None,
            None => {
                let number = self.all.len() as u32;
                candidates.push(number);
                self.all.push(Shape::new(context, record, layout, steps, addresses));
                number
            }
        };
        Some((number, self.all.get(number as usize)?))
    }
}

impl Shape {
    fn new(
        context: &Context<'_>,
        record: &Record<'_>,
        layout: &Layout,
        steps: &Steps,
        addresses: SmallVec<[usize; 8]>,
    ) -> Self {
        let mut shape = Self {
            sites: Vec::new(),
            names: Vec::new(),
            fixed: Vec::new(),
            fixed_ends: Vec::new(),
            is_regular: !layout.keeps_roles,
            changes_keys: false,
            groups: 0,
            first_group: None,
            addresses,
        };
        for meta in context.call_sites() {
            let is_hidden = is_hidden(meta);
            let origin = if is_hidden { Origin::Variable } else { Origin::Span };
            let names = meta.fields().iter().map(|field| plain_name(field.name()));
            let fields = names.map(|name| shape.field(name, origin, record, layout)).collect();
            shape.sites.push(SpanCallSite { fields, is_hidden });
        }
        shape.compare(record, layout);
        let parts = Parts::bare(record);
        for number in steps.segments.iter().flatten() {
            if let Some(Member::Fields(_, group)) = layout.members.get(*number)
                && shape.groups >> group & 1 == 1
            {
                shape.first_group = shape.first_group.or(Some(*group));
            }
            if let Some(Member::Value { key, stage: Stage::Shape, put, .. }) = layout.members.get(*number) {
                let start = shape.fixed.len();
                shape.fixed.extend_from_slice(&key.bytes);
                if !put(&parts, &mut shape.fixed) {
                    shape.fixed.truncate(start);
                }
                shape.fixed_ends.push(shape.fixed.len());
            }
        }
        shape
    }

    fn field(&mut self, name: &'static str, origin: Origin, record: &Record<'_>, layout: &Layout) -> SpanField {
        let role = Role::of(name, origin, record, layout);
        self.is_regular &= role != Role::Irregular;
        if !matches!(role, Role::Hidden | Role::Trace | Role::State) {
            self.names.push((name, origin));
        }
        if let Role::Group(group) = role {
            self.groups |= 1 << group;
        }
        let mut key = Vec::new();
        if let Some(group) = layout.place(name, origin).spelled_for() {
            layout.spelling_of(group).syntax.put_key(&layout.key(group, name), &mut key);
        }
        SpanField { name, key: Piece::new(&key), role, is_repeated: false }
    }

    /// Compares names and keys with one another.
    fn compare(&mut self, record: &Record<'_>, layout: &Layout) {
        let statics = record.static_fields().map(|(name, _)| (name, key_of(layout, name, Origin::Static)));
        let names = self.names.iter().map(|(name, origin)| (*name, key_of(layout, name, *origin)));
        let all: Vec<(&str, Cow<'_, str>)> = statics.chain(names).collect();
        self.changes_keys = all.iter().any(|(_, key)| matches!(key, Cow::Owned(_)));
        let mut keys: Names<&str, &str> = Names::default();
        for (name, key) in &all {
            self.is_regular &= keys.find_or_insert(key, name).is_none_or(|other| *other == *name);
        }
        let mut spans: Names<&str, usize> = Names::default();
        for site in &self.sites {
            let mut of_site = Names::default();
            for field in &site.fields {
                self.is_regular &= of_site.add(field.name);
                let count = spans.get(field.name).unwrap_or(0);
                spans.insert(field.name, count + 1);
            }
        }
        for field in self.sites.iter_mut().flat_map(|site| &mut site.fields) {
            field.is_repeated = spans.get(field.name).is_some_and(|count| count > 1);
        }
    }
}
