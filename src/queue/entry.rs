//! One record: as it is pushed, and the header that the queue stores for it.

use std::sync::Arc;

use tracing::{Level, Metadata};

use crate::context::Node;
use crate::record::Timestamp;

/// What a record is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head {
    /// Captured fields, which the schema renders.
    Event {
        meta: &'static Metadata<'static>,
        /// Whether it came through the `log` crate.
        is_log: bool,
    },
    /// A line that is ready to be written.
    Line(Level),
}

impl Head {
    #[inline]
    pub(crate) fn level(self) -> Level {
        match self {
            Head::Event { meta, .. } => *meta.level(),
            Head::Line(level) => level,
        }
    }
}

/// A record to be pushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push<'a> {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    pub(crate) bytes: &'a [u8],
    pub(crate) context: Option<&'a Arc<Node>>,
    /// Whether the thread may wait for room. The log's own threads may not.
    pub(crate) may_wait: bool,
}

impl Push<'_> {
    /// Returns the bytes of the record itself, without its context.
    #[inline]
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Entry>() + self.bytes.len()
    }
}

/// The header of a stored record. Its bytes lie in the block, directly after those of the record before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    /// The index of its context in the batch; `NO_CONTEXT` outside any span.
    pub(super) context: u32,
    /// Where its bytes end in the block.
    pub(super) end: u32,
}

pub(super) const NO_CONTEXT: u32 = u32::MAX;
