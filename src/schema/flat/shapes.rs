//! The shape of a context: what all contexts of the same call sites share, whatever their values.

use std::collections::HashMap;
use std::hash::Hasher;

use smallvec::SmallVec;
use tracing::Metadata;

use super::members::{put_key, put_spans};
use super::options::Options;
use super::slots::Slots;
use crate::addresses::{AddressHasher, AddressKeys};
use crate::context::Context;
use crate::record::{Record, plain_name};
use crate::schema::json::Piece;

/// A program has few shapes. Recursion can make more; their lines take the general way.
const MAX_SHAPES: usize = 1024;
const MAX_DEPTH: usize = 32;

/// One sequence of nested call sites.
#[derive(Debug)]
pub(super) struct Shape {
    /// The call sites, innermost first.
    pub(super) sites: Vec<SpanCallSite>,
    /// The users' keys that its contexts may have.
    pub(super) names: Vec<&'static str>,
    /// `,"spans":[…]`
    pub(super) spans: Vec<u8>,
    addresses: SmallVec<[usize; 8]>,
}

/// A span's call site, as part of a shape.
#[derive(Debug)]
pub(super) struct SpanCallSite {
    pub(super) fields: Vec<SpanField>,
}

/// A declared field of a span.
#[derive(Debug)]
pub(super) struct SpanField {
    pub(super) name: &'static str,
    /// `,"name":`
    pub(super) key: Piece,
    pub(super) role: Role,
}

/// What happens to a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Shown,
    /// Not among the fields that the user chose.
    Hidden,
    /// The request's id.
    Request,
    /// May name the trace.
    Trace,
    /// Accompanies the trace that the span names. Before that trace, or without one, it takes the general way.
    State,
    /// Another span of the context has a field of that name: shown unless an inner span has a value.
    Repeated,
    /// Takes the general way.
    Irregular,
}

impl Role {
    /// Returns the role of a span's field with that name, if no other span has one.
    pub(super) fn of(name: &str, record: &Record<'_>, options: &Options) -> Self {
        match name {
            _ if record.static_fields().any(|(other, _)| other == name) => Role::Irregular,
            "trace_id" | "traceparent" => Role::Trace,
            "tracestate" => Role::State,
            _ if Slots::new(options).find(name).is_some() => Role::Irregular,
            _ if !options.span_fields.lifts(name) => Role::Hidden,
            "request_id" => Role::Request,
            _ => Role::Shown,
        }
    }
}

#[derive(Debug, Default)]
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
        options: &Options,
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
                self.all.push(Shape::new(context, record, options, addresses));
                number
            }
        };
        Some((number, self.all.get(number as usize)?))
    }
}

impl Shape {
    fn new(context: &Context<'_>, record: &Record<'_>, options: &Options, addresses: SmallVec<[usize; 8]>) -> Self {
        let mut names = Vec::new();
        let mut sites: Vec<SpanCallSite> = Vec::new();
        for meta in context.call_sites() {
            let mut fields: Vec<SpanField> = Vec::new();
            for field in meta.fields() {
                let name = plain_name(field.name());
                let mut role = match name {
                    _ if fields.iter().any(|field| field.name == name) => Role::Irregular,
                    _ => Role::of(name, record, options),
                };
                for other in sites.iter_mut().flat_map(|site| &mut site.fields) {
                    if role == Role::Shown && other.name == name && matches!(other.role, Role::Shown | Role::Repeated) {
                        (role, other.role) = (Role::Repeated, Role::Repeated);
                    }
                }
                if !matches!(role, Role::Hidden | Role::Trace | Role::State) {
                    names.push(name);
                }
                let mut key = Vec::new();
                put_key(&mut key, name);
                fields.push(SpanField { name, key: Piece::new(&key), role });
            }
            sites.push(SpanCallSite { fields });
        }
        let mut spans = Vec::new();
        put_spans(&mut spans, context);
        Self { sites, names, spans, addresses }
    }
}
