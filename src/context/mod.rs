//! What a span hands down to the events inside it: ids, fields as they were at the time, and its parent.
//!
//! A span is a [`Node`]; events hold it by `Arc`, so nothing is copied. `Span::record` replaces the node's [`Version`],
//! stamped from one process-wide epoch. A queued event is [`Bound`] to the node and to the versions of that moment, its
//! ancestors' included: a line already logged never changes, and a version lives exactly as long as a queued event that
//! saw it. A version is cumulative (it has every field recorded so far), so there is at most one for each span.

mod bound;
mod carried;
mod hidden;
mod ids;
#[cfg(feature = "opentelemetry")]
mod otel;
mod overlay;
mod request;
mod request_id;
mod span_view;
mod timing;
mod traceparent;

pub use ids::{SpanId, TraceId};
pub use request_id::new_request_id;
pub use span_view::SpanView;

pub(crate) use bound::Bound;
pub(crate) use carried::Carried;
pub(crate) use hidden::{Dynamic, is_hidden, open_hidden};
pub(crate) use ids::{IdSource, begin_anew};
#[cfg(feature = "opentelemetry")]
pub(crate) use otel::OtelIds;
pub(crate) use overlay::Overlay;
pub(crate) use request_id::read as read_request_id;
pub(crate) use timing::Timing;
pub(crate) use traceparent::{SAMPLED, TraceParent, read_state};

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};

use smallvec::SmallVec;
use tracing::Metadata;

use crate::record::{Value, merge};
use crate::sync;

/// No span has recorded anything yet.
const FIRST_EPOCH: u64 = 1;

/// Counts `Span::record` calls of the whole process.
static EPOCH: AtomicU64 = AtomicU64::new(FIRST_EPOCH);

/// The epoch now: while it is the same, no span of the process has changed.
#[inline]
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::SeqCst)
}

/// Held for reading while a span records: a fork keeps all of them out, so that its child finds no span locked.
static RECORDING: RwLock<()> = RwLock::new(());

/// Keeps everybody from recording on spans, for the moment of a fork.
pub(crate) fn hold_records() -> RwLockWriteGuard<'static, ()> {
    sync::write(&RECORDING)
}

/// One span.
#[derive(Debug)]
pub(crate) struct Node {
    /// Unique in this process; an address would come again.
    serial: u64,
    meta: &'static Metadata<'static>,
    parent: Option<Arc<Node>>,
    /// A hidden span has none.
    span_id: Option<SpanId>,
    /// What OpenTelemetry calls it, once that has been asked.
    #[cfg(feature = "opentelemetry")]
    otel: std::sync::OnceLock<Option<Box<OtelIds>>>,
    /// Made for a span around which none knows of a trace.
    made_trace_id: Option<TraceId>,
    /// Whether neither it nor any around it is a span that shows, or knows of a trace.
    bare: bool,
    /// Whether the call site declares a field that may name the trace.
    names_trace: bool,
    /// The fields it was opened with.
    fields: FieldBytes,
    /// Stamp of the newest version; zero until something was recorded.
    newest: AtomicU64,
    bytes: AtomicUsize,
    recorded: Mutex<Option<Arc<Version>>>,
    /// Whether the span has closed.
    ended: AtomicBool,
    /// Whether the fields it was opened with are known to show nothing that is to be redacted.
    plain: AtomicBool,
    /// Spans around it, when all of them and itself are small; else a number beyond [`SMALL_DEPTH`].
    small_depth: u8,
    /// Its call site has a field that names a request.
    names_request: bool,
    /// Whether lines were ever held back for the request that it is.
    holds: AtomicBool,
    /// Where a line is wanted when it closes.
    timing: Option<Box<Timing>>,
}

/// A chain of so many spans without long fields is small.
const SMALL_DEPTH: u8 = 32;

/// A span's fields live in the node itself unless they are long: one allocation less for each span.
pub(crate) type FieldBytes = SmallVec<[u8; 128]>;

/// The fields recorded on a span by the time of its `stamp`.
#[derive(Debug)]
pub(crate) struct Version {
    stamp: u64,
    fields: Vec<u8>,
}

impl Node {
    /// Opens a span. `names_trace`: whether a field is called `trace_id` or `traceparent`.
    pub(crate) fn new(
        meta: &'static Metadata<'static>,
        parent: Option<Arc<Node>>,
        fields: &[u8],
        names_trace: bool,
        ids: &IdSource,
    ) -> Arc<Self> {
        let is_root = parent.as_ref().is_none_or(|parent| parent.bare);
        let made_trace_id = if is_root { Some(ids.trace_id()) } else { None };
        Self::make(meta, parent, fields, names_trace, made_trace_id, Some(ids.span_id()))
    }

    /// Opens a hidden span.
    #[cold]
    pub(crate) fn hidden(meta: &'static Metadata<'static>, parent: Option<Arc<Node>>, fields: &[u8]) -> Arc<Self> {
        let is_outside = parent.as_ref().is_none_or(|parent| parent.bare);
        let mut node = Self::make(meta, parent, fields, true, None, None);
        if let Some(node) = Arc::get_mut(&mut node).filter(|_| is_outside) {
            node.bare = SpanView { node, recorded: &[] }.own_trace().is_none();
        }
        node
    }

    #[inline]
    fn make(
        meta: &'static Metadata<'static>,
        parent: Option<Arc<Node>>,
        fields: &[u8],
        names_trace: bool,
        made_trace_id: Option<TraceId>,
        span_id: Option<SpanId>,
    ) -> Arc<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let is_long = fields.len() > FieldBytes::new().inline_size();
        let above = parent.as_ref().map_or(0, |parent| parent.small_depth.saturating_add(1));
        let mut node = Arc::new(Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            meta,
            parent,
            span_id,
            #[cfg(feature = "opentelemetry")]
            otel: std::sync::OnceLock::new(),
            made_trace_id,
            bare: false,
            names_trace,
            newest: AtomicU64::new(0),
            bytes: AtomicUsize::new(fields.len() + size_of::<Self>()),
            recorded: Mutex::new(None),
            ended: AtomicBool::new(false),
            plain: AtomicBool::new(false),
            small_depth: if is_long { u8::MAX } else { above },
            fields: SmallVec::new(),
            names_request: false,
            holds: AtomicBool::new(false),
            timing: None,
        });
        // Copied once, to where they stay.
        if let Some(node) = Arc::get_mut(&mut node) {
            node.fields.extend_from_slice(fields);
        }
        node
    }

    /// Says that the span has closed. Nothing is logged in it any more, so what was recorded on it lives on only with
    /// the events that have seen it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if self.newest() != 0 {
            let _recording = sync::read(&RECORDING);
            sync::lock(&self.recorded).take();
        }
    }

    /// Whether the span has closed.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    pub(crate) fn set_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }

    /// Whether it takes little memory to keep it, and with it the spans around it.
    #[inline]
    pub(crate) fn is_small(&self) -> bool {
        self.small_depth <= SMALL_DEPTH
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// The span's call site.
    pub(crate) fn meta(&self) -> &'static Metadata<'static> {
        self.meta
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

    /// Replaces values for all events that follow.
    pub(crate) fn record(&self, update: &[u8]) {
        let _recording = sync::read(&RECORDING);
        let mut recorded = sync::lock(&self.recorded);
        let fields = match &*recorded {
            Some(last) => merge(&last.fields, update),
            None => update.to_vec(),
        };
        self.bytes.store(self.fields.len() + fields.len() + size_of::<Self>(), Ordering::Relaxed);
        // Whoever sees a later stamp on another node also sees that there is something here to be waited for.
        self.newest.fetch_max(FIRST_EPOCH, Ordering::SeqCst);
        let stamp = EPOCH.fetch_add(1, Ordering::SeqCst) + 1;
        let before = recorded.replace(Arc::new(Version { stamp, fields }));
        self.newest.store(stamp, Ordering::Release);
        drop(recorded);
        drop(before);
    }

    /// What has been recorded by now.
    fn version(&self) -> Option<Arc<Version>> {
        if self.newest() == 0 {
            return None;
        }
        sync::lock(&self.recorded).clone()
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
#[derive(Clone, Copy)]
pub struct Context<'a> {
    leaf: &'a Node,
    version: u64,
    recorded: &'a [(u64, Arc<Version>)],
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
    /// A key under which a schema can keep what it made of this context.
    #[inline]
    pub fn key(&self) -> ContextKey {
        ContextKey { span: self.leaf.serial, version: self.version }
    }

    /// The spans' call sites, the innermost first.
    pub(crate) fn call_sites(&self) -> impl Iterator<Item = &'static Metadata<'static>> + use<'a> {
        self.nodes().map(|node| node.meta)
    }

    /// The spans, the innermost first; among them those that are [hidden](SpanView::is_hidden).
    pub fn spans(&self) -> impl Iterator<Item = SpanView<'a>> + use<'a> {
        let context = *self;
        self.nodes().map(move |node| context.view(node))
    }

    /// The names of the spans that show, the innermost first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        self.nodes().filter(|node| node.span_id.is_some()).map(|node| node.meta.name())
    }

    fn view(&self, node: &'a Node) -> SpanView<'a> {
        let own = self.recorded.iter().find(|(serial, _)| *serial == node.serial);
        SpanView { node, recorded: own.map_or(&[], |(_, version)| &version.fields) }
    }

    fn nodes(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        std::iter::successors(Some(self.leaf), |node| node.parent.as_deref())
    }
}

/// Fields that may name the trace, the weightier first.
const TRACE_NAMES: [&str; 2] = ["traceparent", "trace_id"];

/// What a field says about the trace: `None` when it is another field, or malformed.
pub(crate) fn named_trace(name: &str, value: &Value<'_>) -> Option<(TraceId, Option<SpanId>)> {
    let text = value.as_str()?;
    match name {
        "trace_id" => Some((TraceId::parse(text)?, None)),
        "traceparent" => TraceParent::parse(text.as_bytes()).ok().map(|read| (read.trace, Some(read.span))),
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

    fn number(value: &Value<'_>) -> Option<u64> {
        if let Value::U64(number) = value { Some(*number) } else { None }
    }

    fn value(bound: &Bound) -> u64 {
        match bound.context().spans().next().and_then(|span| span.fields().last().map(|(_, value)| number(&value))) {
            Some(Some(value)) => value,
            other => panic!("{other:?}"),
        }
    }

    fn node(parent: Option<Arc<Node>>) -> Arc<Node> {
        Node::new(meta(), parent, &form(0), false, &IdSource::seeded(1))
    }

    #[test]
    fn a_bound_context_keeps_the_values_of_its_moment() {
        let node = node(None);
        let mut bound = vec![Bound::new(&node, epoch(), None)];
        for value in 1..=50 {
            node.record(&form(value));
            bound.push(Bound::new(&node, epoch(), None));
        }
        for (expected, bound) in bound.iter().enumerate() {
            assert_eq!(value(bound), expected as u64);
        }
        assert!(bound.windows(2).all(|pair| pair[0].context().key() != pair[1].context().key()));
    }

    #[test]
    fn a_version_that_no_queued_event_saw_is_freed() {
        let node = node(None);
        node.record(&form(1));
        let first = Arc::downgrade(&node.version().expect("a version"));
        let bound = Bound::new(&node, epoch(), None);
        node.record(&form(2));
        let second = Arc::downgrade(&node.version().expect("a version"));
        node.record(&form(3));
        assert!(second.upgrade().is_none() && first.upgrade().is_some());
        drop(bound);
        assert!(first.upgrade().is_none());
    }

    /// The key stands for the values: while one thread records on both of two spans, each pair of values that another
    /// sees has a key of its own.
    #[test]
    fn equal_keys_mean_equal_values_while_spans_record() {
        let parent = node(None);
        let child = node(Some(Arc::clone(&parent)));
        let done = AtomicBool::new(false);
        let values = |bound: &Bound| {
            let last = |span: SpanView<'_>| span.fields().last().and_then(|(_, value)| number(&value));
            bound.context().spans().map(last).collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 1..=if cfg!(miri) { 100 } else { 20_000 } {
                    child.record(&form(value));
                    parent.record(&form(value));
                }
                done.store(true, Ordering::Relaxed);
            });
            let mut seen = std::collections::HashMap::new();
            while !done.load(Ordering::Relaxed) {
                let bound = Bound::new(&child, epoch(), None);
                let before = seen.entry(bound.context().key()).or_insert_with(|| values(&bound));
                assert_eq!(*before, values(&bound));
            }
        });
    }

    #[test]
    fn a_child_is_bound_to_what_its_parent_has_recorded() {
        let parent = node(None);
        let child = node(Some(Arc::clone(&parent)));
        parent.record(&form(7));
        let now = epoch();
        let apart = Bound::new(&child, now, None);
        let together = Bound::new(&child, now, Some(&Bound::new(&parent, now, None)));
        for bound in [apart, together] {
            let above = bound.context().spans().nth(1).expect("the parent");
            assert_eq!(above.fields().last().and_then(|(_, value)| number(&value)), Some(7));
        }
    }

    #[test]
    fn a_long_chain_of_spans_is_dropped_without_recursion() {
        let mut leaf = node(None);
        for _ in 0..if cfg!(miri) { 1_000 } else { 200_000 } {
            leaf = node(Some(leaf));
        }
        drop(leaf);
    }
}
