//! The spans around one event, as they were when it was logged.

use std::fmt;
use std::sync::Arc;

use tracing::Metadata;

use super::node::Node;
use super::recorded::Version;
use super::span_view::SpanView;

/// The spans around one event and their fields, as they were when the event was logged.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The innermost span.
    pub(super) leaf: &'a Node,
    /// The latest stamp among the recorded versions.
    pub(super) version: u64,
    /// The recorded versions, each with its span's serial, innermost first.
    pub(super) recorded: &'a [(u64, Arc<Version>)],
}

/// Identifies a context and its values: equal keys mean equal contexts for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ContextKey {
    /// Unique to the innermost span.
    pub span: u64,
    /// Grows with each change to that span or one around it.
    pub version: u64,
}

impl<'a> Context<'a> {
    /// Returns the key under which a schema can cache what it rendered from this context.
    #[inline]
    pub fn key(&self) -> ContextKey {
        ContextKey { span: self.leaf.serial(), version: self.version }
    }

    /// Returns the spans' call sites, innermost first.
    pub(crate) fn call_sites(&self) -> impl Iterator<Item = &'static Metadata<'static>> + use<'a> {
        self.nodes().map(|node| node.meta)
    }

    /// Returns the spans, innermost first, including [hidden](SpanView::is_hidden) ones.
    pub fn spans(&self) -> impl Iterator<Item = SpanView<'a>> + use<'a> {
        let context = *self;
        self.nodes().map(move |node| context.view(node))
    }

    /// Returns the names of the spans that are not hidden, innermost first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<'a> {
        self.nodes().filter(|node| node.is_shown()).map(|node| node.meta.name())
    }

    pub(super) fn view(&self, node: &'a Node) -> SpanView<'a> {
        // A span is opened after those around it, so the serials fall.
        let own = self.recorded.binary_search_by(|(serial, _)| node.serial().cmp(serial)).ok();
        let version = own.and_then(|at| self.recorded.get(at));
        SpanView { node, recorded: version.map_or(&[], |(_, version)| &version.fields) }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        self.leaf.chain()
    }
}

/// Shows what the context passes on, which may be less than what was captured.
impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("key", &self.key()).field("spans", &self.spans().collect::<Vec<_>>()).finish()
    }
}
