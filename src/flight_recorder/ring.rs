//! The lines that are held back for one request, in order, each bound to its context at the time.

use std::collections::VecDeque;
use std::sync::Arc;

use tracing::{Level, Metadata};

use crate::context::{Bound, Node, epoch};
use crate::record::{HELD_BACK_MARK, Timestamp};

/// A line that is added or taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldLine<'a> {
    pub(crate) meta: &'static Metadata<'static>,
    pub(crate) is_log: bool,
    pub(crate) time: Timestamp,
    /// The captured fields.
    pub(crate) bytes: &'a [u8],
    /// The mask of the outputs it is held back from.
    pub(crate) mask: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    meta: &'static Metadata<'static>,
    is_log: bool,
    time: Timestamp,
    mask: u64,
    /// Its context, counted since the ring was made.
    context: u64,
    bytes: usize,
}

/// The lines held back for one request.
#[derive(Debug)]
pub(crate) struct Ring {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    /// Each with the memory that it keeps alive below the request's span.
    contexts: VecDeque<(Bound, usize)>,
    /// The count of the first context.
    first_context: u64,
    context_bytes: usize,
    /// The memory of the request's span and the spans around it.
    request_bytes: usize,
}

impl Ring {
    pub(super) fn new(request: &Arc<Node>) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: VecDeque::new(),
            contexts: VecDeque::new(),
            first_context: 0,
            context_bytes: 0,
            request_bytes: chain(request).map(|node| node.bytes()).sum(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the memory that it uses, allocated capacity included.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.request_bytes
            + self.context_bytes
            + self.entries.capacity() * size_of::<Entry>()
            + self.bytes.capacity()
            + self.contexts.capacity() * size_of::<(Bound, usize)>()
    }

    /// Returns the memory that its lines fill.
    pub(super) fn used(&self) -> usize {
        self.context_bytes
            + self.entries.len() * size_of::<Entry>()
            + self.bytes.len()
            + self.contexts.len() * size_of::<(Bound, usize)>()
    }

    pub(super) fn add(&mut self, node: &Arc<Node>, line: &HeldLine<'_>) {
        let epoch = epoch();
        if !self.contexts.back().is_some_and(|(last, _)| last.is(node, epoch)) {
            self.add_context(Bound::new(node, epoch, None), node);
        }
        let bytes = line.bytes.len() + HELD_BACK_MARK.len();
        self.bytes.extend(line.bytes);
        self.bytes.extend(&HELD_BACK_MARK);
        self.push(Entry { meta: line.meta, is_log: line.is_log, time: line.time, mask: line.mask, context: 0, bytes });
    }

    /// Removes outputs from all lines.
    pub(super) fn forget(&mut self, mask: u64) {
        self.entries.iter_mut().for_each(|entry| entry.mask &= !mask);
    }

    /// Adds an entry with the last context.
    fn push(&mut self, entry: Entry) {
        let context = (self.first_context + self.contexts.len() as u64).saturating_sub(1);
        self.entries.push_back(Entry { context, ..entry });
    }

    fn add_context(&mut self, bound: Bound, node: &Arc<Node>) {
        // The epoch has changed, but nothing was recorded on these spans.
        if let Some((last, _)) = self.contexts.back_mut()
            && last.context().key() == bound.context().key()
        {
            *last = bound;
            return;
        }
        let request = node.request().serial();
        let below = chain(node).take_while(|node| node.serial() != request).map(|node| node.bytes()).sum();
        self.contexts.push_back((bound, below));
        self.context_bytes += below;
    }

    /// Drops the oldest line; returns its level and the outputs that do not get it.
    pub(super) fn drop_oldest(&mut self) -> Option<(Level, u64)> {
        let entry = self.entries.pop_front()?;
        drop(self.bytes.drain(..entry.bytes.min(self.bytes.len())));
        let needed = self.entries.front().map_or(u64::MAX, |next| next.context);
        while self.first_context < needed
            && let Some((_, bytes)) = self.contexts.pop_front()
        {
            self.first_context += 1;
            self.context_bytes -= bytes;
        }
        Some((*entry.meta.level(), entry.mask))
    }

    /// Returns the level and the outputs of each line.
    pub(super) fn levels_and_masks(&self) -> impl Iterator<Item = (Level, u64)> {
        self.entries.iter().map(|entry| (*entry.meta.level(), entry.mask))
    }

    /// Adds the lines of `other` that outputs in `mask` have not received.
    pub(super) fn add_remaining(&mut self, other: &Self, mask: u64) {
        let mut start = 0;
        let mut last = None;
        for entry in &other.entries {
            let bytes = start..start + entry.bytes;
            start = bytes.end;
            if entry.mask & mask == 0 {
                continue;
            }
            if last != Some(entry.context)
                && let Some((bound, below)) = other.context(entry.context)
            {
                self.contexts.push_back((bound.clone(), *below));
                self.context_bytes += below;
                last = Some(entry.context);
            }
            self.bytes.extend(other.bytes.range(bytes));
            self.push(Entry { mask: entry.mask & mask, ..*entry });
        }
    }

    fn context(&self, number: u64) -> Option<&(Bound, usize)> {
        self.contexts.get(number.checked_sub(self.first_context)? as usize)
    }

    /// Returns the lines, oldest first, with their contexts. Their bytes are marked as held back.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = (HeldLine<'_>, Option<&Bound>)> {
        self.bytes.make_contiguous();
        let this = &*self;
        let (bytes, _) = this.bytes.as_slices();
        let mut start = 0;
        this.entries.iter().map(move |entry| {
            let own = bytes.get(start..start + entry.bytes).unwrap_or_default();
            start += entry.bytes;
            let Entry { meta, is_log, time, mask, .. } = *entry;
            (HeldLine { meta, is_log, time, bytes: own, mask }, this.context(entry.context).map(|(bound, _)| bound))
        })
    }
}

/// Returns a span and the spans around it.
fn chain(node: &Arc<Node>) -> impl Iterator<Item = &Arc<Node>> {
    std::iter::successors(Some(node), |node| node.parent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::IdSource;
    use crate::record::{Value, notice_metadata, put_named};

    fn node(parent: Option<&Arc<Node>>) -> Arc<Node> {
        Node::new(notice_metadata(), parent.cloned(), &[], false, &IdSource::seeded(1))
    }

    fn add(ring: &mut Ring, node: &Arc<Node>, number: u64, mask: u64) {
        let mut bytes = Vec::new();
        put_named(&mut bytes, "v", &Value::U64(number));
        let time = Timestamp::from_nanos(number as i64);
        ring.add(node, &HeldLine { meta: notice_metadata(), is_log: false, time, bytes: &bytes, mask });
    }

    fn read(ring: &mut Ring) -> Vec<(i64, u64, u64)> {
        let lines = ring.lines().map(|(line, bound)| {
            assert!(line.bytes.ends_with(&HELD_BACK_MARK));
            (line.time.as_nanos(), line.mask, bound.expect("a context").context().key().span)
        });
        lines.collect()
    }

    #[test]
    fn lines_come_out_in_order_with_their_contexts_even_after_the_oldest_were_dropped() {
        let request = node(None);
        let (one, other) = (node(Some(&request)), node(Some(&request)));
        let mut ring = Ring::new(&request);
        let in_turn = [&one, &one, &other, &one, &other, &other];
        in_turn.iter().zip(0..).for_each(|(node, number)| add(&mut ring, node, number, 1));
        for dropped in 0..in_turn.len() {
            let expected: Vec<_> =
                in_turn.iter().zip(0..).skip(dropped).map(|(node, number)| (number, 1, node.serial())).collect();
            assert_eq!(read(&mut ring), expected);
            assert!(ring.drop_oldest().is_some());
        }
        assert_eq!((ring.drop_oldest(), ring.used(), ring.context_bytes), (None, 0, 0));
        add(&mut ring, &one, 7, 1);
        assert_eq!(read(&mut ring), [(7, 1, one.serial())]);
    }

    #[test]
    fn lines_that_other_outputs_have_not_received_stay() {
        let request = node(None);
        let one = node(Some(&request));
        let mut ring = Ring::new(&request);
        add(&mut ring, &request, 0, 0b01);
        add(&mut ring, &one, 1, 0b11);
        add(&mut ring, &one, 2, 0b10);
        let mut remaining = Ring::new(&request);
        remaining.add_remaining(&ring, !0b01);
        assert_eq!(read(&mut remaining), [(1, 0b10, one.serial()), (2, 0b10, one.serial())]);
    }

    #[test]
    fn recording_on_another_span_makes_no_new_context() {
        let (request, elsewhere) = (node(None), node(None));
        let mut update = Vec::new();
        put_named(&mut update, "attempt", &Value::U64(2));
        let mut ring = Ring::new(&request);
        add(&mut ring, &request, 0, 1);
        elsewhere.record(&update);
        add(&mut ring, &request, 1, 1);
        assert_eq!(ring.contexts.len(), 1);
        request.record(&update);
        add(&mut ring, &request, 2, 1);
        assert_eq!(ring.contexts.len(), 2);
    }
}
