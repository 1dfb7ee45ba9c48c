//! What can be prepared for a call site: the head of its lines, its keys, and whether its lines are regular.

use std::hash::{BuildHasherDefault, Hasher};

use tracing::Metadata;

use super::contexts::Rendered;
use super::slots::Slots;
use super::{Options, json, put_key};
use crate::record::{Record, Value, plain_name};

/// A call site's prepared parts.
#[derive(Debug)]
pub(super) struct Plan {
    /// `,"level":…,"target":…`
    pub(super) head: Vec<u8>,
    /// `,"file":…,"line":…,"module":…`, what of it is switched on.
    pub(super) place: Vec<u8>,
    /// Whether its lines can be put together from prepared parts.
    pub(super) regular: bool,
    /// Index of the field `message`.
    pub(super) message: Option<u8>,
    /// Index of the field `error`.
    pub(super) error: Option<u8>,
    /// `,"name":` for each declared field, one after the other.
    keys: Vec<u8>,
    /// Where each of the keys ends.
    ends: Vec<u32>,
    names: Vec<&'static str>,
    /// For shapes of contexts met so far, whether they share a key with this call site.
    met: Vec<(u64, bool)>,
}

/// Contexts come in few shapes: as many as there are ways to nest the program's spans.
const MAX_MET: usize = 64;

impl Plan {
    pub(super) fn new(record: &Record<'_>, options: &Options) -> Self {
        let meta: &'static Metadata<'static> = record.meta;
        let slots = Slots::new(options);
        let names: Vec<_> = meta.fields().iter().map(|field| plain_name(field.name())).collect();
        let index = |wanted: &str| names.iter().position(|name| *name == wanted).and_then(|at| u8::try_from(at).ok());
        let (message, error) = (index("message"), index("error"));
        let doubled =
            names.iter().enumerate().any(|(place, name)| names.iter().skip(place + 1).any(|other| other == name));
        let reserved = names.iter().any(|name| !matches!(*name, "message" | "error") && slots.find(name).is_some());
        let statics = record.static_fields().any(|(name, _)| names.contains(&name));
        let placed = meta.file().is_some() || !(options.file || options.line || options.module);
        let mut plan = Self {
            head: Vec::new(),
            place: Vec::new(),
            regular: !doubled && !reserved && !statics && placed,
            message,
            error,
            keys: Vec::new(),
            ends: Vec::new(),
            names,
            met: Vec::new(),
        };
        plan.head.extend_from_slice(b",\"level\":\"");
        plan.head.extend_from_slice(meta.level().as_str().as_bytes());
        plan.head.extend_from_slice(b"\",\"target\":");
        json::put_str(&mut plan.head, meta.target());
        put_place(&mut plan.place, options, record);
        for name in &plan.names {
            put_key(&mut plan.keys, name);
            plan.ends.push(plan.keys.len() as u32);
        }
        plan
    }

    /// Comma, key and colon of a declared field.
    #[inline]
    pub(super) fn key(&self, index: u8) -> Option<&[u8]> {
        let index = usize::from(index);
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.keys.get(start as usize..*self.ends.get(index)? as usize)
    }

    /// Whether the event and its context have a key in common.
    #[inline]
    pub(super) fn conflicts_with(&mut self, context: &Rendered) -> bool {
        if let Some((_, conflict)) = self.met.iter().find(|(shape, _)| *shape == context.shape) {
            return *conflict;
        }
        let conflict = context.names.iter().any(|name| self.names.contains(name));
        if self.met.len() == MAX_MET {
            self.met.clear();
        }
        self.met.push((context.shape, conflict));
        conflict
    }
}

/// Appends what is switched on of `file`, `line` and `module`, where the record has it.
pub(super) fn put_place(out: &mut Vec<u8>, options: &Options, record: &Record<'_>) {
    if let (true, Some(file)) = (options.file, record.file()) {
        super::put_member(out, b",\"file\":", &Value::Str(file));
    }
    if let (true, Some(line)) = (options.line, record.line()) {
        super::put_member(out, b",\"line\":", &Value::U64(u64::from(line)));
    }
    if let (true, Some(module)) = (options.module, record.module_path()) {
        super::put_member(out, b",\"module\":", &Value::Str(module));
    }
}

/// Addresses are spread well by one multiplication.
pub(super) type PlanKeys = BuildHasherDefault<AddressHasher>;

#[derive(Debug, Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    #[inline]
    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
