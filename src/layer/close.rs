//! The end of a span: its closing line, and the lines that were held back for its request.
//!
//! The layer's callbacks call it only for a log that has either.

use std::sync::Arc;

use tracing::Subscriber;
use tracing::span::Id;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::layer::Layer;
use super::nodes::node_of;
use super::span_cache;
use crate::context::{Node, SpanMoment};

impl Layer {
    /// Runs `run` with the node of an open span.
    pub(super) fn with_open_node<S, T>(
        &self,
        id: &Id,
        registry: &Context<'_, S>,
        run: impl Fn(&Arc<Node>) -> T,
    ) -> Option<T>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = self.core.serial;
        span_cache::with(core, id, &run).or_else(|| {
            let node = node_of(&registry.span(id)?, core)?;
            span_cache::remember(core, id, &node);
            Some(run(&node))
        })
    }

    #[cold]
    pub(super) fn close<S>(&self, id: &Id, registry: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(node) = self.with_open_node(id, registry, Arc::clone) else { return };
        if let Some(timing) = node.timing() {
            self.log_moment(&node, timing, SpanMoment::Close);
        }
        if let Some(held_lines) = self.core.diagnostics.held_lines.as_ref().filter(|_| node.holds_back()) {
            held_lines.discard(node.serial());
        }
    }
}
