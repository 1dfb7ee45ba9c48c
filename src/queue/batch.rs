//! A batch: blocks of records, and the contexts that they share.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::Block;
use super::entry::{Entry, NO_CONTEXT, Push};
use super::spare::{Spare, blocks_for};
use crate::context::{Bound, Node, keep_for_all};
use crate::direct_mapped::BoxedDirectMapped;
use crate::metrics::ByLevel;
use crate::record::Timestamp;

/// An idle queue gives back memory beyond this.
const TRIM_BYTES: usize = 256 * 1024;

/// The places of the tables over span serials. Serials count up, so their low bits spread evenly.
const PLACES: usize = 256;

/// Records that wait together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Oldest first. Records are added to the last one.
    blocks: VecDeque<Block>,
    records: usize,
    contexts: Vec<Bound>,
    by_level: ByLevel,
    bytes: usize,
    /// Records that the log's own threads logged.
    echoes: usize,
    /// For a span's serial, where its context may be found. An entry is checked before it is believed, so the
    /// table need not be emptied.
    found: BoxedDirectMapped<u32, PLACES>,
    /// For a span's serial, whether its memory has been accounted for in this batch.
    charged: BoxedDirectMapped<Charge, PLACES>,
    /// The most it ever held.
    most_contexts: usize,
    /// Distinguishes the charges of this round from older ones.
    round: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Charge {
    round: u64,
    serial: u64,
    newest: u64,
    epoch: u64,
}

/// Where a record goes, and what it costs.
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
    /// Reserves a batch for records of `max_bytes` in all, without touching its memory.
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

    /// Returns where a record would go.
    #[inline]
    pub(crate) fn place(&self, push: &Push<'_>, epoch: u64) -> Place {
        let cost = push.own_bytes();
        let Some(node) = push.context else { return Place { cost, context: Found::None } };
        let at = *self.found.place(node.serial());
        match self.contexts.get(at as usize) {
            Some(bound) if bound.is(node, epoch) => Place { cost, context: Found::At(at) },
            _ => Place { cost: cost + self.charge(node, epoch), context: Found::New },
        }
    }

    /// Does the same for a record that comes with its context. Lines that were held back together share one.
    #[cold]
    pub(crate) fn place_bound(&self, push: &Push<'_>, bound: &Bound, epoch: u64) -> Place {
        let cost = push.own_bytes();
        match self.contexts.last() {
            Some(last) if last.is_same(bound) => Place { cost, context: Found::At((self.contexts.len() - 1) as u32) },
            _ => Place { cost: cost + self.charge(bound.node(), epoch), context: Found::New },
        }
    }

    /// Returns the memory that `node` adds to what this batch already keeps alive.
    fn charge(&self, node: &Arc<Node>, epoch: u64) -> usize {
        let mut bytes = size_of::<Bound>();
        let mut next = Some(node);
        while let Some(node) = next {
            let charge = *self.charged.place(node.serial());
            let same = charge.round == self.round && charge.serial == node.serial() && charge.newest == node.newest();
            if same && charge.epoch == epoch {
                // Nothing was recorded since, so its ancestors are accounted for too.
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

    /// Adds a record at its place. `bound`: the context that it comes with, if any. `copy`: its bytes, if they have been
    /// copied already. `spare`: the source of blocks.
    #[inline(always)]
    pub(crate) fn add(
        &mut self,
        push: &Push<'_>,
        place: Place,
        epoch: u64,
        bound: Option<&Bound>,
        copy: Option<Vec<u8>>,
        spare: &mut Spare,
    ) {
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
            block.add(push.bytes, copy, |end| Entry { head: push.head, time: push.time, context, end });
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

    /// Whether the table of contexts has reached its capacity.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.contexts.len() == self.contexts.capacity()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Returns the bytes accounted for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn by_level(&self) -> ByLevel {
        self.by_level
    }

    /// Returns when its first record was logged.
    pub(crate) fn first_time(&self) -> Option<Timestamp> {
        self.blocks.front().and_then(|block| block.time(0))
    }

    pub(crate) fn last_time(&self) -> Timestamp {
        self.blocks.back().and_then(Block::last).map_or_else(Timestamp::default, |entry| entry.time)
    }

    /// Whether the log's own threads logged all of it.
    pub(crate) fn is_echo(&self) -> bool {
        self.echoes > 0 && self.echoes == self.records
    }

    /// Removes the oldest block.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        self.blocks.pop_front()
    }

    /// Returns its records in order: their headers and their bytes.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&Entry, &[u8])> {
        self.records_from(0)
    }

    /// Returns the records behind the first `first`. Reaches them without a look at those.
    pub(super) fn records_from(&self, first: usize) -> impl Iterator<Item = (&Entry, &[u8])> {
        let mut skipped = first;
        self.blocks.iter().flat_map(move |block| {
            let start = skipped.min(block.len());
            skipped -= start;
            (start..block.len()).filter_map(|index| block.get(index))
        })
    }

    /// Returns how many records it has.
    pub(crate) fn len(&self) -> usize {
        self.records
    }

    /// Returns the context of one of its records.
    #[inline]
    pub(crate) fn context(&self, entry: &Entry) -> Option<&Bound> {
        self.contexts.get(entry.context as usize)
    }

    /// Whether its table of contexts has touched enough memory that an idle queue should give it back.
    pub(crate) fn is_bloated(&self) -> bool {
        self.most_contexts * size_of::<Bound>() > TRIM_BYTES
    }

    /// Empties it for the next round and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.most_contexts = self.most_contexts.max(self.contexts.len());
        self.blocks.clear();
        self.records = 0;
        keep_for_all(self.contexts.drain(..).map(Bound::into_node));
        self.by_level = ByLevel::default();
        self.bytes = 0;
        self.echoes = 0;
        self.round += 1;
    }
}
