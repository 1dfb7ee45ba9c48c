//! What a span hands down to the events inside it: ids, fields as they were at the time, and its parent.
//!
//! A span is a [`Node`]; events hold it by `Arc`, so nothing is copied. `Span::record` appends a [`Version`],
//! stamped from one process-wide epoch. A queued event carries the epoch at which it was pushed, and [`Context`]
//! shows the node *as of* it, on the span and on all its ancestors: a line already logged never changes.
//! A version is cumulative (it has every field recorded so far), so that a look-up is one binary search.
//!
//! Which versions can still be seen is asked of the queues ([`Seen`]): a version that no pushed event saw is
//! overwritten in place, versions older than the oldest queued event go.

mod ids;

pub use ids::{SpanId, TraceId};

pub(crate) use ids::IdSource;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use tracing::{Level, Metadata};

use crate::record::{Fields, Key, Value, declared_name, merge};

/// Counts `Span::record` calls of the whole process, from 1.
static EPOCH: AtomicU64 = AtomicU64::new(1);

/// The epoch now. Read under the queue's lock, so that epochs in a queue never go backwards.
#[inline]
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::SeqCst)
}

/// Which epochs the events pushed so far carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The oldest still queued or being written; the present when there is none.
    pub(crate) oldest: u64,
    /// The newest ever pushed.
    pub(crate) newest: u64,
}

impl Seen {
    /// No event at all.
    pub(crate) fn nothing() -> Self {
        Self { oldest: epoch(), newest: 0 }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self { oldest: self.oldest.min(other.oldest), newest: self.newest.max(other.newest) }
    }
}

/// One span.
#[derive(Debug)]
pub(crate) struct Node {
    /// Unique in this process; an address would come again.
    serial: u64,
    meta: &'static Metadata<'static>,
    parent: Option<Arc<Node>>,
    span_id: SpanId,
    /// Made for a span that has neither a parent nor a trace id of its own.
    made_trace_id: Option<TraceId>,
    /// Whether the call site declares a field that may name the trace.
    names_trace: bool,
    /// The fields it was opened with.
    fields: FieldBytes,
    /// Stamp of the newest version; zero until something was recorded.
    newest: AtomicU64,
    bytes: AtomicUsize,
    versions: Mutex<VecDeque<Version>>,
}

/// A span's fields live in the node itself unless they are long: one allocation less for each span.
pub(crate) type FieldBytes = SmallVec<[u8; 128]>;

/// The fields recorded on a span from the epoch `stamp` on.
#[derive(Clone, Debug)]
struct Version {
    stamp: u64,
    fields: Arc<Vec<u8>>,
}

impl Node {
    /// Opens a span. `names_trace`: whether a field is called `trace_id` or `traceparent`.
    pub(crate) fn new(
        meta: &'static Metadata<'static>,
        parent: Option<Arc<Node>>,
        fields: &[u8],
        names_trace: bool,
        ids: &IdSource,
    ) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let made_trace_id = if parent.is_none() { Some(ids.trace_id()) } else { None };
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            meta,
            parent,
            span_id: ids.span_id(),
            made_trace_id,
            names_trace,
            fields: SmallVec::from_slice(fields),
            newest: AtomicU64::new(0),
            bytes: AtomicUsize::new(fields.len() + size_of::<Self>()),
            versions: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Stamp of the newest version.
    #[inline]
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Memory a queued event keeps alive by holding this node, its ancestors aside.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    /// Replaces values for all events that follow. `seen` is asked while the versions are locked.
    pub(crate) fn record(&self, update: &[u8], seen: impl FnOnce() -> Seen) {
        let mut versions = self.versions();
        let seen = seen();
        let fields = match versions.back() {
            Some(last) => merge(&last.fields, update),
            None => update.to_vec(),
        };
        let fields = Arc::new(fields);
        self.bytes.store(self.fields.len() + fields.len() + size_of::<Self>(), Ordering::Relaxed);
        match versions.back_mut() {
            // No event has seen it: the new one takes its place and its stamp, so that an event being pushed right
            // now, at that epoch, finds one of the two and nothing older.
            Some(last) if last.stamp > seen.newest => last.fields = fields,
            _ => {
                let stamp = EPOCH.fetch_add(1, Ordering::SeqCst) + 1;
                versions.push_back(Version { stamp, fields });
                self.newest.store(stamp, Ordering::Release);
            }
        }
        while versions.get(1).is_some_and(|second| second.stamp <= seen.oldest) {
            versions.pop_front();
        }
    }

    fn versions(&self) -> MutexGuard<'_, VecDeque<Version>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that an event of `epoch` sees.
    fn version_at(&self, epoch: u64) -> Option<Version> {
        if self.newest() == 0 {
            return None;
        }
        let versions = self.versions();
        let later = versions.partition_point(|version| version.stamp <= epoch);
        versions.get(later.checked_sub(1)?).cloned()
    }

    /// Stamp of the version that an event of `epoch` sees; zero for the span as it was opened.
    fn stamp_at(&self, epoch: u64) -> u64 {
        match self.newest() {
            newest if newest <= epoch => newest,
            _ => self.version_at(epoch).map_or(0, |version| version.stamp),
        }
    }
}

impl Drop for Node {
    /// Drops the chain of parents one after the other: recursion would need a stack as deep as the spans.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.parent.take();
        }
    }
}

/// What the spans around one event hand down, as it was when the event was logged.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    leaf: &'a Node,
    epoch: u64,
}

/// Identifies a context with its values: equal keys mean equal contexts, for as long as the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextKey {
    /// Unique to the innermost span.
    pub span: u64,
    /// Grows with each change to it or to a span around it.
    pub version: u64,
}

impl<'a> Context<'a> {
    pub(crate) fn new(leaf: &'a Node, epoch: u64) -> Self {
        Self { leaf, epoch }
    }

    /// A key under which a schema can keep what it made of this context.
    pub fn key(&self) -> ContextKey {
        let version = self.nodes().map(|node| node.stamp_at(self.epoch)).max().unwrap_or(0);
        ContextKey { span: self.leaf.serial, version }
    }

    /// Equal identities mean equal contexts; cheaper than the key, and different also for some that are equal.
    #[inline]
    pub(crate) fn identity(&self) -> (u64, u64) {
        (self.leaf.serial, self.epoch)
    }

    /// The trace it belongs to, and the remote span that a `traceparent` field named as its parent.
    fn trace(&self) -> (Option<TraceId>, Option<SpanId>) {
        for node in self.nodes() {
            if node.names_trace
                && let Some((trace, remote)) = SpanView::new(node, self.epoch).own_trace()
            {
                return (Some(trace), remote.filter(|_| std::ptr::eq(node, self.leaf)));
            }
            if node.made_trace_id.is_some() {
                return (node.made_trace_id, None);
            }
        }
        (None, None)
    }

    /// The trace's id: from the nearest span that has one, else made for the outermost.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.trace().0
    }

    /// The innermost span's id.
    pub fn span_id(&self) -> SpanId {
        self.leaf.span_id
    }

    /// The id of the span around the innermost, which may be in another process.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.trace().1.or_else(|| self.leaf.parent.as_ref().map(|parent| parent.span_id))
    }

    /// The spans, the innermost first.
    pub fn spans(&self) -> impl Iterator<Item = SpanView<'a>> + use<'a> {
        let epoch = self.epoch;
        self.nodes().map(move |node| SpanView::new(node, epoch))
    }

    /// The spans' names, the innermost first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        self.nodes().map(|node| node.meta.name())
    }

    fn nodes(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        std::iter::successors(Some(self.leaf), |node| node.parent.as_deref())
    }
}

/// One span of a context, as it was when the event was logged.
#[derive(Debug)]
pub struct SpanView<'a> {
    node: &'a Node,
    recorded: Option<Version>,
}

impl<'a> SpanView<'a> {
    fn new(node: &'a Node, epoch: u64) -> Self {
        Self { node, recorded: node.version_at(epoch) }
    }

    /// The span's name.
    pub fn name(&self) -> &'static str {
        self.node.meta.name()
    }

    /// The span's target.
    pub fn target(&self) -> &'static str {
        self.node.meta.target()
    }

    /// The span's level.
    pub fn level(&self) -> Level {
        *self.node.meta.level()
    }

    /// The span's id.
    pub fn id(&self) -> SpanId {
        self.node.span_id
    }

    /// The span's fields: those it was opened with in their order, each with its value of the time, then those
    /// recorded later. A `trace_id` or `traceparent` that became the trace's id is not among them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let meta = self.node.meta;
        self.shown_fields().filter_map(move |(key, value)| Some((key.name(meta)?, value)))
    }

    /// The fields, `None` for the name of one that the call site does not declare.
    pub(crate) fn declared_fields(&self) -> impl Iterator<Item = (Option<&'static str>, Value<'_>)> {
        let meta = self.node.meta;
        self.shown_fields().map(move |(key, value)| match key {
            Key::Index(index) => (declared_name(meta, index), value),
            _ => (None, value),
        })
    }

    /// Bytes of text that were cut from the span's fields.
    pub(crate) fn refused_bytes(&self) -> u64 {
        self.raw_fields()
            .map(|(key, value)| match (key, value) {
                (Key::Cut, Value::U64(refused)) => refused,
                _ => 0,
            })
            .sum()
    }

    fn shown_fields(&self) -> impl Iterator<Item = (Key<'_>, Value<'_>)> {
        let meta = self.node.meta;
        let absorbed = if self.node.names_trace { self.own_trace().map(|(trace, _)| trace) } else { None };
        self.raw_fields().filter(move |(key, value)| {
            !matches!(key, Key::Cut | Key::Thread)
                && absorbed.is_none_or(|trace| {
                    key.name(meta).and_then(|name| named_trace(name, value)).is_none_or(|own| own.0 != trace)
                })
        })
    }

    fn raw_fields(&self) -> impl Iterator<Item = (Key<'_>, Value<'_>)> {
        let meta = self.node.meta;
        let recorded: &[u8] = self.recorded.as_ref().map_or(&[], |version| &version.fields);
        let opened: &[u8] = &self.node.fields;
        // By name, for a context variable of a declared field's name, and for a name declared twice.
        let same = move |one: Key<'_>, other: Key<'_>| {
            one == other || one.name(meta).is_some_and(|name| other.name(meta) == Some(name))
        };
        let replaced =
            move |key| Fields::new(recorded).filter(|(other, _)| same(*other, key)).last().map(|(_, value)| value);
        let added =
            Fields::new(recorded).filter(move |(key, _)| Fields::new(opened).all(|(other, _)| !same(other, *key)));
        Fields::new(opened).map(move |(key, value)| (key, replaced(key).unwrap_or(value))).chain(added)
    }

    /// The trace id that a field of this span gives, with the remote parent when it is a `traceparent`.
    fn own_trace(&self) -> Option<(TraceId, Option<SpanId>)> {
        let mut found = None;
        for (key, value) in self.raw_fields() {
            let own = key.name(self.node.meta).and_then(|name| named_trace(name, &value));
            match own {
                Some((_, Some(_))) => return own,
                Some(_) => found = own,
                None => {}
            }
        }
        found
    }
}

/// What a field says about the trace: `None` when it is another field, or malformed.
fn named_trace(name: &str, value: &Value<'_>) -> Option<(TraceId, Option<SpanId>)> {
    let text = value.as_str()?;
    match name {
        "trace_id" => Some((TraceId::parse(text)?, None)),
        "traceparent" => ids::parse_traceparent(text).map(|(trace, span)| (trace, Some(span))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::put_named;

    fn meta() -> &'static Metadata<'static> {
        crate::record::notice_metadata()
    }

    fn form(value: u64) -> Vec<u8> {
        let mut form = Vec::new();
        put_named(&mut form, "v", &Value::U64(value));
        form
    }

    fn value_at(node: &Node, epoch: u64) -> u64 {
        match SpanView::new(node, epoch).fields().last() {
            Some((_, Value::U64(value))) => value,
            other => panic!("{other:?}"),
        }
    }

    fn node(parent: Option<Arc<Node>>) -> Node {
        Node::new(meta(), parent, &form(0), false, &IdSource::seeded(1))
    }

    #[test]
    fn an_event_sees_each_version_as_of_its_epoch() {
        let node = node(None);
        let mut epochs = vec![epoch()];
        let first = epochs[0];
        for value in 1..=50 {
            node.record(&form(value), || Seen { oldest: first, newest: epoch() });
            epochs.push(epoch());
        }
        for (value, epoch) in epochs.into_iter().enumerate() {
            assert_eq!(value_at(&node, epoch), value as u64);
        }
    }

    #[test]
    fn versions_that_no_queued_event_can_see_are_freed() {
        let node = node(None);
        for value in 1..=1000 {
            node.record(&form(value), Seen::nothing);
        }
        assert_eq!(node.versions().len(), 1, "no event in between: one version");
        for value in 1..=1000 {
            node.record(&form(value), || Seen { oldest: epoch(), newest: epoch() });
        }
        assert!(node.versions().len() <= 2, "nothing queued: the present one, and one it replaced");
        assert_eq!(value_at(&node, epoch()), 1000);
    }

    #[test]
    fn a_long_chain_of_spans_is_dropped_without_recursion() {
        let mut leaf = Arc::new(node(None));
        for _ in 0..200_000 {
            leaf = Arc::new(node(Some(leaf)));
        }
        drop(leaf);
    }
}
