//! Contexts that have been rendered: one run of bytes, put into each line of that context as it is.
//!
//! A direct-mapped table, so its size is bounded and nothing needs to be thrown out on purpose; the buffers are
//! reused, so a new context costs no allocation.

use std::hash::Hasher;

use super::plan::AddressHasher;
use super::slots::Slots;
use super::{Options, json, put_key, put_named};
use crate::context::{Context, ContextKey};
use crate::record::{Record, Value};

const PLACES: usize = 512;

/// A buffer that grew larger than this for one context is given back with it.
const MAX_KEPT_BYTES: usize = 4096;

/// A context in JSON.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    key: Option<ContextKey>,
    /// `,"request_id":…,"trace_id":… … ,"spans":[…]`
    pub(super) bytes: Vec<u8>,
    /// The users' keys in it.
    pub(super) names: Vec<&'static str>,
    /// A hash of the names: contexts of the same shape conflict with the same call sites.
    pub(super) shape: u64,
    /// Whether it may be put into a line as it is: no reserved names, no name twice, nothing that goes under `fields`.
    pub(super) regular: bool,
}

#[derive(Debug, Default)]
pub(super) struct Contexts {
    places: Vec<Rendered>,
}

impl Contexts {
    /// The context in JSON, rendered now unless it has been.
    #[inline]
    pub(super) fn get(&mut self, context: &Context<'_>, record: &Record<'_>, options: &Options) -> &Rendered {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Rendered::default);
        }
        let key = context.key();
        let place = &mut self.places[key.span as usize % PLACES];
        if place.key != Some(key) {
            place.render(key, context, record, options);
        }
        place
    }
}

impl Rendered {
    fn render(&mut self, key: ContextKey, context: &Context<'_>, record: &Record<'_>, options: &Options) {
        if self.bytes.capacity() > MAX_KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.names.clear();
        self.key = Some(key);
        self.regular = true;
        let slots = Slots::new(options);
        let mut request = None;
        let mut fields = Vec::new();
        let views: Vec<_> = context.spans().collect();
        for view in &views {
            if view.refused_bytes() > 0 {
                self.regular = false;
                return;
            }
            for (name, value) in view.declared_fields() {
                let Some(name) = name else {
                    self.regular = false;
                    return;
                };
                if !options.span_fields.lifts(name) {
                    continue;
                }
                let clash = slots.find(name).is_some()
                    || name == "traceparent"
                    || self.names.contains(&name)
                    || record.static_fields().any(|(other, _)| other == name);
                if clash {
                    self.regular = false;
                    return;
                }
                self.names.push(name);
                match name {
                    "request_id" => request = Some(value),
                    _ => fields.push((name, value)),
                }
            }
        }
        put_ids(&mut self.bytes, context, request);
        for (name, value) in &fields {
            put_named(&mut self.bytes, name, value);
        }
        put_spans(&mut self.bytes, context);
        self.shape = shape(&self.names);
    }
}

/// Appends `request_id`, `trace_id`, `span_id` and `parent_span_id`, what there is of them.
pub(super) fn put_ids(out: &mut Vec<u8>, context: &Context<'_>, request: Option<Value<'_>>) {
    if let Some(request) = request {
        put_named(out, "request_id", &request);
    }
    if let Some(trace) = context.trace_id() {
        out.extend_from_slice(b",\"trace_id\":\"");
        out.extend_from_slice(&trace.digits());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"span_id\":\"");
    out.extend_from_slice(&context.span_id().digits());
    out.push(b'"');
    if let Some(parent) = context.parent_span_id() {
        out.extend_from_slice(b",\"parent_span_id\":\"");
        out.extend_from_slice(&parent.digits());
        out.push(b'"');
    }
}

/// Appends `spans`, the outermost first.
pub(super) fn put_spans(out: &mut Vec<u8>, context: &Context<'_>) {
    put_key(out, "spans");
    let names: Vec<_> = context.names().collect();
    for (place, name) in names.iter().rev().enumerate() {
        out.push(if place == 0 { b'[' } else { b',' });
        json::put_str(out, name);
    }
    out.push(b']');
}

fn shape(names: &[&'static str]) -> u64 {
    let mut hasher = AddressHasher::default();
    for name in names {
        hasher.write_usize(name.len());
        hasher.write(name.as_bytes());
    }
    hasher.finish()
}
