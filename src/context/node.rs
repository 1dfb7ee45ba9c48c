//! One span: its call site, its fields, its ids, and the span around it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tracing::Metadata;

use super::context::Context;
use super::epoch::recording;
use super::granted::Grant;
use super::hidden::METADATA;
use super::ids::{IdSource, SpanId, TraceId};
#[cfg(feature = "opentelemetry")]
use super::otel::OtelIds;
use super::recorded::{Recorded, Version};
use super::span_ids::SpanIds;
use super::spare_nodes;
use super::timing::Timing;
use super::trace_decision::TraceDecision;
use super::trace_fields::{named_traces, trace_fields};
use crate::values::{FieldBytes, Fields, Value, values_of};

/// A span and those around it are small together up to this: a handful, or one with long fields.
const SMALL_BYTES: u16 = 4096;

/// One span.
#[derive(Debug)]
pub(crate) struct Node {
    /// Unique in this process; an address would be reused.
    serial: u64,
    pub(super) meta: &'static Metadata<'static>,
    pub(super) parent: Option<Arc<Node>>,
    pub(super) ids: SpanIds,
    /// The fields it was opened with.
    pub(super) fields: FieldBytes,
    recorded: Recorded,
    /// Present when the span logs lines of its life.
    timing: Option<Box<Timing>>,
    /// Whether it is inside a span that a question was about: the question's stamp, and the answer in the lowest bit.
    inside: AtomicU64,
    /// Boxed: few spans have one.
    pub(super) granted: OnceLock<Box<Arc<dyn Grant>>>,
    pub(super) flags: Flags,
}

/// Facts about a span that fit in a byte each.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// Neither the span nor any around it is shown or names a trace.
    is_outside_traces: bool,
    /// The call site declares a field that may name the trace.
    pub(super) names_trace: bool,
    /// The call site has a field that names a request.
    pub(super) names_request: bool,
    /// The memory of the span and of those around it as they were opened, up to the largest number.
    chain_bytes: u16,
    /// The span has closed.
    is_closed: AtomicBool,
    /// The fields it was opened with are known to need no redaction; and the same for outputs that also remove terminal
    /// sequences.
    is_harmless: [AtomicBool; 2],
    /// Lines were held back for the request that starts here.
    pub(super) holds_back: AtomicBool,
    /// The ids are of a span in another program, which is not shown.
    is_elsewhere: bool,
    /// Whether the lines of the trace are kept, at its outermost span.
    trace_decision: TraceDecision,
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
        let is_root = parent.as_ref().is_none_or(|parent| parent.flags.is_outside_traces);
        let made_trace = if is_root { Some(ids.trace_id()) } else { None };
        Self::open(meta, parent, fields, names_trace, made_trace, Some(ids.span_id()))
    }

    /// Opens the span of `other`, which belongs to another layer, for this layer: with the same ids.
    ///
    /// The two layers may see different spans around it. The trace's id is set here where the spans around would not give
    /// the same.
    #[cold]
    pub(crate) fn with_ids_of(other: &Self, parent: Option<Arc<Node>>, fields: &[u8], names_trace: bool) -> Arc<Self> {
        let trace_of = |leaf: &Self| Context { leaf, version: 0, recorded: &[] }.trace_id();
        let inherited = parent.as_deref().and_then(trace_of);
        let trace = other.ids.made_trace().or_else(|| trace_of(other).filter(|trace| inherited != Some(*trace)));
        Self::open(other.meta, parent, fields, names_trace, trace, other.ids.made_span())
    }

    /// Opens a hidden span.
    #[cold]
    pub(crate) fn hidden(meta: &'static Metadata<'static>, parent: Option<Arc<Node>>, fields: &[u8]) -> Arc<Self> {
        let is_outside = parent.as_ref().is_none_or(|parent| parent.flags.is_outside_traces);
        let mut node = Self::open(meta, parent, fields, true, None, None);
        if let Some(node) = Arc::get_mut(&mut node).filter(|_| is_outside) {
            let named = trace_fields(Fields::new(&node.fields), meta);
            node.flags.is_outside_traces = named_traces(&named).next().is_none();
        }
        node
    }

    /// Returns the context of a record that another program made.
    pub(crate) fn elsewhere(trace: Option<TraceId>, span: Option<SpanId>) -> Arc<Self> {
        let mut node = Self::open(&METADATA, None, &[], false, trace, span);
        if let Some(node) = Arc::get_mut(&mut node) {
            node.flags.is_elsewhere = true;
        }
        node
    }

    #[inline]
    fn open(
        meta: &'static Metadata<'static>,
        parent: Option<Arc<Node>>,
        fields: &[u8],
        names_trace: bool,
        made_trace: Option<TraceId>,
        span_id: Option<SpanId>,
    ) -> Arc<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let own_bytes = size_of::<Self>() + fields.len();
        let around = parent.as_ref().map_or(0, |parent| parent.flags.chain_bytes);
        let chain_bytes = around.saturating_add(u16::try_from(own_bytes).unwrap_or(u16::MAX));
        let mut node = spare_nodes::take().unwrap_or_else(|| Self::unopened(meta));
        // It is not shared yet. Each field is written to its final place.
        if let Some(node) = Arc::get_mut(&mut node) {
            node.serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            node.meta = meta;
            node.parent = parent;
            node.ids = SpanIds::new(span_id, made_trace);
            node.recorded.begin(own_bytes);
            *node.inside.get_mut() = 0;
            node.flags = Flags { names_trace, chain_bytes, ..Flags::default() };
            node.fields.extend_from_slice(fields);
        }
        node
    }

    #[cold]
    fn unopened(meta: &'static Metadata<'static>) -> Arc<Self> {
        Arc::new(Self {
            serial: 0,
            meta,
            parent: None,
            ids: SpanIds::new(None, None),
            recorded: Recorded::default(),
            timing: None,
            inside: AtomicU64::new(0),
            granted: OnceLock::new(),
            flags: Flags::default(),
            fields: FieldBytes::new(),
        })
    }

    /// Returns the node, emptied, if nothing else refers to it, and the node around it.
    pub(super) fn unused(mut self: Arc<Self>) -> (Option<Arc<Self>>, Option<Arc<Self>>) {
        let Some(node) = Arc::get_mut(&mut self) else { return (None, None) };
        let around = node.parent.take();
        node.timing = None;
        node.granted = OnceLock::new();
        node.recorded.clear();
        if node.fields.spilled() {
            node.fields = FieldBytes::new();
        }
        node.fields.clear();
        (Some(self), around)
    }

    /// Sets whether the span names a request, and its clock. Does nothing once the node is shared.
    pub(crate) fn configure(node: &mut Arc<Self>, names_request: bool, timing: Option<Timing>) {
        if let Some(node) = Arc::get_mut(node) {
            node.flags.names_request = names_request;
            node.timing = timing.map(Box::new);
        }
    }

    /// Returns the decision about its trace, which the outermost span has.
    pub(crate) fn trace_decision(&self) -> &TraceDecision {
        &self.chain().last().unwrap_or(self).flags.trace_decision
    }

    /// Marks the span as closed. What was recorded on it lives on only with the events that saw it.
    pub(crate) fn close(&self) {
        self.flags.is_closed.store(true, Ordering::Release);
        self.recorded.release();
    }

    /// Returns whether the span has closed.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.flags.is_closed.load(Ordering::Acquire)
    }

    /// Returns whether the fields it was opened with are known to need no change. `strips`: in an output that removes
    /// terminal sequences.
    pub(super) fn is_harmless(&self, strips: bool) -> bool {
        self.flags.is_harmless[usize::from(strips)].load(Ordering::Relaxed)
    }

    pub(super) fn set_harmless(&self, strips: bool) {
        self.flags.is_harmless[usize::from(strips)].store(true, Ordering::Relaxed);
    }

    /// Returns whether it takes little memory to keep it and the spans around it.
    #[inline]
    pub(crate) fn is_small(&self) -> bool {
        self.flags.chain_bytes <= SMALL_BYTES
    }

    /// Returns whether the span is shown; a hidden one is not.
    #[inline]
    pub(crate) fn is_shown(&self) -> bool {
        self.ids.made_span().is_some() && !self.flags.is_elsewhere
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// Returns the span's call site.
    pub(crate) fn meta(&self) -> &'static Metadata<'static> {
        self.meta
    }

    pub(crate) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref()
    }

    /// Returns the span and the spans around it, innermost first.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(self), |node| node.parent.as_deref())
    }

    /// Returns whether the span, or one around it, `matches`.
    pub(crate) fn is_inside(&self, matches: impl Fn(&Node) -> bool) -> bool {
        self.chain().any(matches)
    }

    /// The same for a question that is asked often. `stamp`: changes whenever the answer may change, and is not 0.
    #[inline]
    pub(crate) fn is_inside_remembered(&self, stamp: u64, matches: impl Fn(&Node) -> bool) -> bool {
        self.remembered(stamp).unwrap_or_else(|| self.find_out(stamp, matches))
    }

    #[inline]
    fn remembered(&self, stamp: u64) -> Option<bool> {
        let inside = self.inside.load(Ordering::Relaxed);
        (inside >> 1 == stamp).then_some(inside & 1 == 1)
    }

    #[cold]
    fn find_out(&self, stamp: u64, matches: impl Fn(&Node) -> bool) -> bool {
        let mut chain = self.chain();
        let answer = chain.find_map(|node| node.remembered(stamp).or_else(|| matches(node).then_some(true)));
        let answer = answer.unwrap_or(false);
        self.inside.store(stamp << 1 | u64::from(answer), Ordering::Relaxed);
        answer
    }

    /// Passes on the newest value of a field of the span.
    pub(crate) fn with_value<T>(&self, name: &str, run: impl FnOnce(Option<Value<'_>>) -> T) -> T {
        // A fork waits for it: the child finds no span locked, nor what `run` locks.
        let _recording = recording();
        let latest = self.latest();
        let newest = |fields| values_of(fields, self.meta, name).last();
        let recorded = latest.as_ref().and_then(|latest| newest(&latest.fields));
        run(recorded.or_else(|| newest(&self.fields)))
    }

    /// Returns the span's clock, if it logs a line when it closes.
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.timing.as_deref()
    }

    /// Replaces values for all later events.
    pub(crate) fn record(&self, update: &[u8]) {
        self.record_up_to(update, usize::MAX);
    }

    /// The same for fields that no call site declares. Returns false, and changes nothing, if all that was recorded would
    /// take more than `max_bytes`.
    pub(crate) fn record_up_to(&self, update: &[u8], max_bytes: usize) -> bool {
        self.recorded.record(update, self.fields.len() + size_of::<Self>(), max_bytes)
    }

    /// Returns the latest recorded version.
    pub(super) fn latest(&self) -> Option<Arc<Version>> {
        self.recorded.latest()
    }

    /// Returns the stamp of the latest recorded version; zero until something was recorded.
    #[inline]
    pub(crate) fn newest(&self) -> u64 {
        self.recorded.newest()
    }

    /// Returns the memory that a queued event keeps alive by holding this node, without its ancestors.
    pub(crate) fn bytes(&self) -> usize {
        self.recorded.bytes()
    }
}

#[cfg(feature = "opentelemetry")]
impl Node {
    /// Returns the context of a span that was made with OpenTelemetry's own interface.
    pub(crate) fn only_otel(ids: OtelIds) -> Arc<Self> {
        let mut node = Self::hidden(&METADATA, None, &[]);
        if let Some(node) = Arc::get_mut(&mut node) {
            node.ids = SpanIds::only_otel(ids);
        }
        node
    }

    /// Returns whether OpenTelemetry has been asked for the span's ids.
    #[inline]
    pub(crate) fn is_otel_known(&self) -> bool {
        self.ids.is_otel_known()
    }

    /// Stores OpenTelemetry's ids of the span; the first answer stays.
    pub(crate) fn set_otel(&self, ids: Option<OtelIds>) {
        self.ids.set_otel(ids);
    }
}

impl Drop for Node {
    /// Drops the chain of parents in a loop. Recursion would need a stack as deep as the spans.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.parent.take();
        }
    }
}
