//! What is prepared for a call site: the head of its lines, its keys, and whether its lines are regular.

use tracing::Metadata;

use super::contexts::Contexts;
use super::members::{put_key, put_place};
use super::options::Options;
use super::shapes::Role;
use super::slots::Slots;
use crate::record::{Key, Record, plain_name};
use crate::schema::json::{self, Piece};

/// The prepared parts of a call site.
#[derive(Debug)]
pub(super) struct Plan {
    /// `,"level":…,"target":…`
    pub(super) head: Vec<u8>,
    /// Those of `,"file":…,"line":…,"module":…` that are switched on.
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
    /// For each shape, by its number: whether its contexts may have fields with the same names.
    met: Vec<Option<bool>>,
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

    /// Returns comma, key and colon of a declared field.
    #[inline]
    pub(super) fn key(&self, index: u8) -> Option<&Piece> {
        self.keys.get(usize::from(index))
    }

    /// Finds out whether contexts of a shape share names with the call site, unless that is known.
    #[inline]
    pub(super) fn meet(&mut self, number: u32, contexts: &Contexts) {
        if !matches!(self.met.get(number as usize), Some(Some(_))) {
            self.meet_first(number, contexts);
        }
    }

    #[cold]
    fn meet_first(&mut self, number: u32, contexts: &Contexts) {
        let others = contexts.shape(number).map_or(&[][..], |shape| &shape.names);
        let place = number as usize;
        if self.met.len() <= place {
            self.met.resize(place + 1, None);
        }
        self.met[place] = Some(self.names.iter().any(|name| others.contains(name)));
    }

    /// Returns whether contexts of a shape may have fields with the same names.
    #[inline]
    pub(super) fn shares(&self, number: u32) -> bool {
        self.met.get(number as usize).copied().flatten() == Some(true)
    }

    /// Returns the name of a captured field; `None` for what is not a field.
    #[cold]
    pub(super) fn name<'a>(&self, key: Key<'a>) -> Option<&'a str> {
        match key {
            Key::Index(index) => self.names.get(usize::from(index)).copied(),
            Key::Name(name) => Some(name),
            Key::Thread | Key::Truncated | Key::Backtrace | Key::HeldBack => None,
        }
    }

    /// Returns whether a field that no call site declares goes to the top level as it is.
    #[cold]
    pub(super) fn takes(&self, name: &str, record: &Record<'_>, options: &Options) -> bool {
        Role::of(name, record, options) != Role::Irregular && name != "trace_id" && !self.names.contains(&name)
    }

    /// Forgets the shapes: their numbers are about to be reused.
    pub(super) fn forget_shapes(&mut self) {
        self.met.clear();
    }
}
