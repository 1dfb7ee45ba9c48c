//! The nodes of spans, for the filter of the layer, and for what a request is granted.

use std::sync::Arc;

#[cfg(feature = "tower")]
use tracing::Span;
use tracing::span::Id;

use super::core::Core;
use super::layer::Layer;
use super::span_cache;
#[cfg(feature = "tower")]
use crate::context::Grant;
use crate::context::Node;
use crate::filter::{CallsiteFilter, FindNode};

impl FindNode for Core {
    fn find(&self, span: &Id, run: &mut dyn FnMut(&Node)) {
        if span_cache::with(self.serial, span, |node| run(node)).is_none() {
            self.look_up(span, run);
        }
    }
}

impl Core {
    #[cold]
    fn look_up(&self, span: &Id, run: &mut dyn FnMut(&Node)) {
        let (Some(find), Some(subscriber)) = (self.registry.find(), self.registry.subscriber()) else { return };
        let mut found = None;
        find(&subscriber, span, &mut |id, nodes| {
            found = nodes.and_then(|nodes| nodes.of(self.serial)).map(|node| (Arc::clone(node), id == span));
            found.is_some()
        });
        if let Some((node, is_own)) = found {
            if is_own {
                span_cache::remember(self.serial, span, &node);
            }
            run(&node);
        }
    }
}

impl Layer {
    /// Returns the filter that hides from the layer what it does not want.
    pub(crate) fn call_site_filter(&self) -> CallsiteFilter {
        CallsiteFilter::new(&self.core.filters, Arc::clone(&self.core) as Arc<dyn FindNode>)
    }
}

/// Grants detail to a span, in each log. Returns false if no log has the span.
#[cfg(feature = "tower")]
pub(crate) fn grant(span: &Span, detail: &Arc<dyn Grant>) -> bool {
    let mut has_node = false;
    span.with_subscriber(|(id, dispatch)| {
        let Some(find) = Layer::of(dispatch).and_then(|layer| layer.core.registry.find()) else { return };
        find(dispatch, id, &mut |_, nodes| {
            for (_, node) in nodes.iter().flat_map(|nodes| &nodes.0) {
                node.grant(Arc::clone(detail));
                has_node = true;
            }
            true
        });
    });
    has_node
}
