//! Collects what lines have.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::block::{Block, Spread};
use super::filter;
use crate::entry::{Entry, Form, Part};

/// More ids of one block are not kept: its lines may have any.
const MAX_IDS: usize = 1 << 20;

/// How many of the ids that came last are compared, as lines that follow each other have the same ones.
const LATELY: usize = 256;

/// How much the filters of one file may take, in bytes.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes a part of what is left. Returns false if that is too little.
    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// Builds one block.
#[derive(Debug)]
pub(crate) struct Builder {
    block: Block,
    ids: Vec<u64>,
    lately: Box<[u64; LATELY]>,
    /// How many ids may be kept until equal ones are left out.
    room: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self { block: Block::default(), ids: Vec::new(), lately: Box::new([0; LATELY]), room: 64 << 10 }
    }
}

impl Builder {
    /// Makes the block one that is always read.
    pub(crate) fn doubt(&mut self) {
        self.block.is_doubtful = true;
    }

    /// Adds a line, and the ids under which filters find it.
    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        self.block.text += u64::from(entry.form() == Form::Text);
        self.block.broken += u64::from(entry.form() == Form::Broken);
        if let Some(time) = entry.time() {
            let spread = self.block.spread.get_or_insert(Spread { earliest: time, latest: time, last: time });
            spread.earliest = spread.earliest.min(time);
            spread.latest = spread.latest.max(time);
            spread.last = time;
            self.block.is_doubtful |= !entry.has_zone();
        }
        self.block.is_doubtful |= entry.is_cut();
        if entry.is_record() {
            self.add_ids(entry);
        }
    }

    fn add_ids(&mut self, entry: &Entry<'_>) {
        for part in [Part::Request, Part::Trace] {
            if let Some(id) = entry.text(part) {
                self.add_id(&id);
            } else if let Some(id) = entry.field(part.name()) {
                // An expression compares what stands under the name.
                self.add_id(&id.shown());
            }
        }
        if let Some(id) = entry.field("span_id") {
            self.add_id(&id.shown());
        }
    }

    /// Adds an id of a line.
    pub(crate) fn add_id(&mut self, id: &str) {
        if self.block.has_any_id {
            return;
        }
        let hash = filter::hash(id);
        if let Some(last) = self.lately.get_mut(hash as usize % LATELY) {
            if *last == hash {
                return;
            }
            *last = hash;
        }
        self.ids.push(hash);
        if self.ids.len() >= self.room {
            self.keep_different_ids();
        }
    }

    fn keep_different_ids(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.room = self.ids.len().saturating_mul(2).max(64 << 10);
        if self.ids.len() > MAX_IDS {
            self.block.has_any_id = true;
            self.ids = Vec::new();
        }
    }

    /// Returns the block.
    pub(crate) fn end(mut self, budget: &Budget) -> Block {
        self.keep_different_ids();
        let bits = filter::built(&self.ids);
        if budget.take(bits.len()) {
            self.block.ids = bits;
        } else {
            self.block.has_any_id = true;
        }
        self.block
    }
}
