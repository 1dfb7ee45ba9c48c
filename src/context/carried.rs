//! The ids of a context: which trace it belongs to, which span it is in, and what goes on to other services.
//!
//! Hidden spans have no id. Those with a `traceparent` come from another process: what is directly inside them is in no
//! span of this one, and its parent is the remote span.

use std::borrow::Cow;

use super::traceparent::{SAMPLED, TraceParent};
use super::{Context, Node, SpanId, SpanView, TRACE_NAMES, TraceId, named_trace};
use crate::record::{Key, Value};

/// What a context hands to other services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) trace: Option<TraceId>,
    /// The current span, here or, where none of this process is open, remote.
    pub(crate) span: Option<SpanId>,
    pub(crate) flags: u8,
    pub(crate) state: Option<String>,
    pub(crate) request: Option<String>,
}

impl Node {
    /// The span's id; a hidden span has none.
    #[inline]
    pub(super) fn span_id(&self) -> Option<SpanId> {
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.otel_ids() {
            return Some(ids.span);
        }
        self.span_id
    }

    /// The trace that OpenTelemetry has the span in.
    #[inline]
    pub(super) fn otel_trace(&self) -> Option<TraceId> {
        #[cfg(feature = "opentelemetry")]
        return self.otel_ids().map(|ids| ids.trace);
        #[cfg(not(feature = "opentelemetry"))]
        None
    }
}

impl<'a> Context<'a> {
    /// The trace's id: from the nearest span that has one, else made for the outermost.
    pub fn trace_id(&self) -> Option<TraceId> {
        let own = |node: &'a Node| if node.names_trace { self.view(node).own_trace() } else { None };
        self.nodes()
            .find_map(|node| node.otel_trace().or_else(|| own(node).map(|(trace, _)| trace)).or(node.made_trace_id))
    }

    /// Whether a span of it has ids of OpenTelemetry.
    #[inline]
    pub(crate) fn is_of_otel(&self) -> bool {
        cfg!(feature = "opentelemetry") && self.nodes().any(|node| node.otel_trace().is_some())
    }

    /// The innermost span's id; `None` where there are context variables and no span of this process.
    pub fn span_id(&self) -> Option<SpanId> {
        self.leaf.span_id().or_else(|| self.place().0)
    }

    /// The id of the span around the innermost, which may be in another process.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.place().1
    }

    /// The trace id made for the outermost span.
    pub(crate) fn made_trace_id(&self) -> Option<TraceId> {
        self.nodes().find_map(|node| node.made_trace_id)
    }

    /// The span it is in, and the one around that.
    fn place(&self) -> (Option<SpanId>, Option<SpanId>) {
        let mut inside = None;
        for node in self.nodes() {
            match (inside, node.span_id()) {
                (None, Some(span)) => inside = Some(span),
                (Some(_), Some(around)) => return (inside, Some(around)),
                (_, None) => {}
            }
            let remote = if node.names_trace { self.view(node).own_trace() } else { None };
            if let Some((trace, Some(parent))) = remote {
                // OpenTelemetry may not know of it, and have what is inside in a trace of its own.
                return (inside, (self.trace_id() == Some(trace)).then_some(parent));
            }
        }
        (inside, None)
    }

    /// Whether the trace is sampled, where OpenTelemetry or a `traceparent` says so.
    pub(crate) fn is_sampled(&self) -> Option<bool> {
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.nodes().find(|node| node.is_shown()).and_then(Node::otel_ids) {
            return Some(ids.flags & SAMPLED != 0);
        }
        let node = self.nodes().find(|node| node.names_trace && self.view(node).own_trace().is_some())?;
        let named = self.view(node).raw_fields().filter(|(key, _)| key.name(node.meta) == Some("traceparent"));
        let read = TraceParent::parse(named.last()?.1.as_str()?.as_bytes()).ok()?;
        Some(read.flags & SAMPLED != 0)
    }

    /// What goes on to other services.
    pub(crate) fn carried(&self) -> Carried {
        let (span, parent) = self.place();
        let trace = self.trace_id();
        let mut carried = Carried {
            trace,
            span: span.or(parent),
            flags: if trace.is_some() { SAMPLED } else { 0 },
            state: None,
            request: self.field("request_id"),
        };
        #[cfg(feature = "opentelemetry")]
        if let Some(ids) = self.nodes().find(|node| node.is_shown()).and_then(Node::otel_ids).filter(|_| span.is_some())
        {
            carried.flags = ids.flags;
            carried.state = ids.state.as_deref().map(str::to_owned);
            return carried;
        }
        // Who names the trace also says what goes with it; a trace made here is recorded here.
        let names = |node: &&Node| node.names_trace && self.view(node).own_trace().is_some();
        if let Some(node) = self.nodes().find(names) {
            let field = |wanted: &str| {
                let named = self.view(node).raw_fields().filter(|(key, _)| key.name(node.meta) == Some(wanted));
                named.last().and_then(|(_, value)| value.as_str())
            };
            if let Some(read) = field("traceparent").and_then(|text| TraceParent::parse(text.as_bytes()).ok()) {
                carried.flags = read.flags;
                let state = field("tracestate").map(|text| super::read_state(std::iter::once(text.as_bytes())));
                carried.state = state.and_then(Result::ok).flatten();
            }
        }
        carried
    }

    /// The text of the nearest field of a name.
    fn field(&self, wanted: &str) -> Option<String> {
        self.spans().find_map(|span| {
            let named = span.raw_fields().filter(|(key, _)| key.name(span.node.meta) == Some(wanted));
            named.last().and_then(|(_, value)| value.to_text()).map(Cow::into_owned)
        })
    }
}

impl<'a> SpanView<'a> {
    /// The fields called as in [`TRACE_NAMES`]; the last ones, where several are called so.
    pub(super) fn trace_fields(&self) -> TraceFields<'a> {
        let meta = self.node.meta;
        let mut named = [None; 2];
        let mut see = |key: Key<'a>, value: &dyn Fn() -> Value<'a>| {
            let name = key.name(meta);
            if let Some(at) = TRACE_NAMES.iter().position(|other| Some(*other) == name) {
                named[at] = Some((key, value()));
            }
        };
        match self.plain_fields() {
            Some(mut fields) => {
                while let Some((key, raw)) = fields.next_raw() {
                    see(key, &|| raw.value());
                }
            }
            None => self.raw_fields().for_each(|(key, value)| see(key, &|| value)),
        }
        named
    }

    /// The trace id that a field of this span gives, with the remote parent when it is a `traceparent`.
    pub(super) fn own_trace(&self) -> Option<(TraceId, Option<SpanId>)> {
        self.trace_of(&self.trace_fields())
    }

    /// What the weightiest of these fields says.
    pub(super) fn trace_of(&self, named: &TraceFields<'_>) -> Option<(TraceId, Option<SpanId>)> {
        let mut said = TRACE_NAMES.iter().zip(named).filter_map(|(name, field)| named_trace(name, &field.as_ref()?.1));
        said.find(|(trace, _)| self.is_in(*trace))
    }
}

/// For each of [`TRACE_NAMES`] the field of that name.
pub(super) type TraceFields<'a> = [Option<(Key<'a>, Value<'a>)>; 2];
