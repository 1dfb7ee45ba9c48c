//! What can be prepared for a call site: the head of its lines, its keys, and whether its lines are regular.

use std::hash::{BuildHasherDefault, Hasher};

use tracing::Metadata;

use super::contexts::Contexts;
use super::slots::Slots;
use super::{Options, json, put_key};
use crate::record::{Fields, Key, Record, Value, plain_name};
use crate::schema::json::Piece;

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
    /// `,"name":` for each declared field.
    keys: Vec<Piece>,
    names: Vec<&'static str>,
    /// For each shape of contexts, by its number, which of this call site's fields it may have too.
    met: Vec<Option<Box<[u8]>>>,
}

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
            keys: Vec::with_capacity(names.len()),
            names,
            met: Vec::new(),
        };
        plan.head.extend_from_slice(b",\"level\":\"");
        plan.head.extend_from_slice(meta.level().as_str().as_bytes());
        plan.head.extend_from_slice(b"\",\"target\":");
        json::put_str(&mut plan.head, meta.target());
        put_place(&mut plan.place, options, record);
        for name in &plan.names {
            let mut key = Vec::new();
            put_key(&mut key, name);
            plan.keys.push(Piece::new(&key));
        }
        plan
    }

    /// Comma, key and colon of a declared field.
    #[inline]
    pub(super) fn key(&self, index: u8) -> Option<&Piece> {
        self.keys.get(usize::from(index))
    }

    /// Works out which names are shared with contexts of a shape, unless that is known.
    #[inline]
    pub(super) fn meet(&mut self, number: u32, contexts: &Contexts) {
        if !matches!(self.met.get(number as usize), Some(Some(_))) {
            self.meet_first(number, contexts);
        }
    }

    #[cold]
    fn meet_first(&mut self, number: u32, contexts: &Contexts) {
        let others = contexts.shape(number).map_or(&[][..], |shape| &shape.names);
        let shared = self.names.iter().zip(0..=u8::MAX).filter(|(name, _)| others.contains(name));
        let shared = shared.map(|(_, index)| index).collect();
        let place = number as usize;
        if self.met.len() <= place {
            self.met.resize(place + 1, None);
        }
        self.met[place] = Some(shared);
    }

    /// Indexes of the fields whose names contexts of a shape may have too.
    #[inline]
    pub(super) fn shared_with(&self, number: u32) -> &[u8] {
        self.met.get(number as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Whether a field of a name in `shared` is among the captured ones.
    #[cold]
    pub(super) fn has(&self, fields: &Fields<'_>, shared: &[u8], name: &str) -> bool {
        let index = shared.iter().find(|index| self.names.get(usize::from(**index)) == Some(&name));
        index.is_some_and(|index| fields.clone().any(|(key, _)| key == Key::Index(*index)))
    }

    /// The numbers of shapes are given out anew.
    pub(super) fn forget_shapes(&mut self) {
        self.met.clear();
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
