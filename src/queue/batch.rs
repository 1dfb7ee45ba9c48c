//! Records waiting together: blocks of them, and the contexts they share.

use std::collections::VecDeque;
use std::sync::Arc;

use tracing::{Level, Metadata};

use super::Push;
use super::block::{Block, Spare, blocks_for};
use crate::context::{Bound, Node};
use crate::direct_mapped::BoxedDirectMapped;
use crate::metrics::ByLevel;
use crate::record::Timestamp;

/// What kind of record it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head {
    /// Captured fields, for the schema to render.
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

/// A record's header; its bytes lie in the block, from where those of the record before it end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    /// Place among the contexts; `NO_CONTEXT` outside any span.
    context: u32,
    pub(super) end: u32,
}

const NO_CONTEXT: u32 = u32::MAX;

/// Memory beyond this is given back when nothing comes.
const TRIM_BYTES: usize = 256 * 1024;

/// The places of the tables over span serials. Serials count up, so their low bits spread evenly.
const PLACES: usize = 256;

/// Records waiting together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The oldest first; records are added to the last one.
    blocks: VecDeque<Block>,
    records: usize,
    contexts: Vec<Bound>,
    by_level: ByLevel,
    bytes: usize,
    /// Records that were logged on threads of the log itself.
    echoes: usize,
    /// For a span's serial, where its context may be found. An entry is checked before it is believed, so the
    /// table need not be emptied.
    found: BoxedDirectMapped<u32, PLACES>,
    /// For a span's serial, whether its memory has been accounted for in this batch.
    charged: BoxedDirectMapped<Charge, PLACES>,
    /// The most it ever held.
    most_contexts: usize,
    /// Tells the charges of this round from older ones.
    round: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Charge {
    round: u64,
    serial: u64,
    newest: u64,
    epoch: u64,
}

/// Where a record will go, and what it costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) cost: usize,
    context: Found,
}

#[derive(Clone, Copy, Debug)]
enum Found {
    None,
    At(u32),
    New,
}

impl Batch {
    /// For records of `max_bytes` in all. The memory is reserved, not touched.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            blocks: VecDeque::with_capacity(blocks_for(max_bytes).0),
            records: 0,
            contexts: Vec::with_capacity((max_bytes / size_of::<Node>()).max(16)),
            by_level: ByLevel::default(),
            bytes: 0,
            echoes: 0,
            found: BoxedDirectMapped::boxed(|| 0),
            charged: BoxedDirectMapped::boxed(Charge::default),
            most_contexts: 0,
            round: 1,
        }
    }

    /// Bytes of the record itself, its context aside.
    #[inline]
    pub(crate) fn own_bytes(push: &Push<'_>) -> usize {
        size_of::<Entry>() + push.bytes.len()
    }

    /// Looks up where a record would go.
    #[inline]
    pub(crate) fn place(&self, push: &Push<'_>, epoch: u64) -> Place {
        let cost = Self::own_bytes(push);
        let Some(node) = push.context else { return Place { cost, context: Found::None } };
        let at = *self.found.place(node.serial());
        match self.contexts.get(at as usize) {
            Some(bound) if bound.is(node, epoch) => Place { cost, context: Found::At(at) },
            _ => Place { cost: cost + self.charge(node, epoch), context: Found::New },
        }
    }

    /// The same for a record that comes with its context: lines that were held back together share one.
    #[cold]
    pub(crate) fn place_bound(&self, push: &Push<'_>, bound: &Bound, epoch: u64) -> Place {
        let cost = Self::own_bytes(push);
        match self.contexts.last() {
            Some(last) if last.is_same(bound) => Place { cost, context: Found::At((self.contexts.len() - 1) as u32) },
            _ => Place { cost: cost + self.charge(bound.node(), epoch), context: Found::New },
        }
    }

    /// Memory that holding `node` adds to what this batch keeps alive already.
    fn charge(&self, node: &Arc<Node>, epoch: u64) -> usize {
        let mut bytes = size_of::<Bound>();
        let mut next = Some(node);
        while let Some(node) = next {
            let charge = *self.charged.place(node.serial());
            let same = charge.round == self.round && charge.serial == node.serial() && charge.newest == node.newest();
            if same && charge.epoch == epoch {
                // Nothing was recorded anywhere since, so its ancestors are accounted for as well.
                break;
            }
            if !same {
                bytes += node.bytes();
            }
            next = node.parent();
        }
        bytes
    }

    fn remember(&mut self, node: &Arc<Node>, epoch: u64) {
        let mut next = Some(node);
        while let Some(node) = next {
            let charge = Charge { round: self.round, serial: node.serial(), newest: node.newest(), epoch };
            let place = self.charged.place_mut(node.serial());
            if *place == charge {
                break;
            }
            *place = charge;
            next = node.parent();
        }
    }

    /// Adds a record at the place that was looked up. `bound`: the context it comes with, if it does. `spare`: where a
    /// block is taken from when it needs one.
    #[inline(always)]
    pub(crate) fn add(&mut self, push: &Push<'_>, place: Place, epoch: u64, bound: Option<&Bound>, spare: &mut Spare) {
        let context = match (place.context, bound, push.context) {
            (Found::At(at), ..) => at,
            (Found::New, Some(bound), _) => self.add_bound(bound, epoch),
            (Found::New, None, Some(node)) => self.add_context(node, epoch),
            _ => NO_CONTEXT,
        };
        if !self.blocks.back().is_some_and(|block| block.has_room(push.bytes.len())) {
            self.blocks.push_back(spare.take());
        }
        if let Some(block) = self.blocks.back_mut() {
            block.add(push.bytes, |end| Entry { head: push.head, time: push.time, context, end });
        }
        self.records += 1;
        self.by_level.add(push.head.level(), 1);
        self.bytes += place.cost;
        self.echoes += usize::from(!push.may_wait);
    }

    fn add_context(&mut self, node: &Arc<Node>, epoch: u64) -> u32 {
        self.remember(node, epoch);
        let at = self.contexts.len() as u32;
        let parent = node.parent().and_then(|parent| {
            let found = self.contexts.get(*self.found.place(parent.serial()) as usize);
            found.filter(|bound| bound.is(parent, epoch))
        });
        let bound = Bound::new(node, epoch, parent);
        self.contexts.push(bound);
        *self.found.place_mut(node.serial()) = at;
        at
    }

    #[cold]
    fn add_bound(&mut self, bound: &Bound, epoch: u64) -> u32 {
        self.remember(bound.node(), epoch);
        self.contexts.push(bound.clone());
        (self.contexts.len() - 1) as u32
    }

    /// Whether the table of contexts has reached what it was allocated for.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.contexts.len() == self.contexts.capacity()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes accounted for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn by_level(&self) -> ByLevel {
        self.by_level
    }

    /// When the first of its records was logged.
    pub(crate) fn first_time(&self) -> Option<Timestamp> {
        self.blocks.front().and_then(|block| block.time(0))
    }

    pub(crate) fn last_time(&self) -> Timestamp {
        self.blocks.back().and_then(Block::last).map_or_else(Timestamp::default, |entry| entry.time)
    }

    /// Whether all of it was logged on threads of the log itself.
    pub(crate) fn is_echo(&self) -> bool {
        self.echoes > 0 && self.echoes == self.records
    }

    /// Takes out the oldest block.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        self.blocks.pop_front()
    }

    /// The context of one of its records.
    #[inline]
    pub(crate) fn context(&self, entry: &Entry) -> Option<&Bound> {
        self.contexts.get(entry.context as usize)
    }

    /// Whether so much of its table of contexts has been touched that it is worth giving back when nothing comes.
    pub(crate) fn is_bloated(&self) -> bool {
        self.most_contexts * size_of::<Bound>() > TRIM_BYTES
    }

    /// Empties it for the next round, keeping its memory.
    pub(crate) fn clear(&mut self) {
        self.most_contexts = self.most_contexts.max(self.contexts.len());
        self.blocks.clear();
        self.records = 0;
        self.contexts.clear();
        self.by_level = ByLevel::default();
        self.bytes = 0;
        self.echoes = 0;
        self.round += 1;
    }
}
