//! Detail that one request was granted: events and spans inside it that the filters alone hide.
//!
//! It is set on the node of the request's span, so it holds for all spans and tasks below, and ends with the span.

use std::sync::Arc;

use tracing::Level;

use super::context::Context;
use super::epoch::next_epoch;
use super::node::Node;

/// Which events and spans are seen inside a request.
pub(crate) trait Grant: Send + Sync + std::fmt::Debug {
    /// Returns whether those of this target and level are.
    fn enables(&self, target: &str, level: Level) -> bool;

    /// Returns what granted it, for the next service.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only HTTP requests are granted anything"))]
    fn token(&self) -> &[u8];
}

impl Node {
    /// Grants detail to the span. The first grant stays.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only HTTP requests are granted anything"))]
    pub(crate) fn grant(&self, detail: Arc<dyn Grant>) {
        if self.granted.set(Box::new(detail)).is_ok() {
            // Spans inside may remember that there was nothing.
            next_epoch();
        }
    }

    /// Returns whether this very span was granted detail.
    pub(crate) fn is_granted(&self) -> bool {
        self.granted.get().is_some()
    }

    /// Returns whether a grant, to the span or to one around it, shows events or spans of this target and level.
    pub(crate) fn is_granted_for(&self, target: &str, level: Level) -> bool {
        self.chain().any(|node| node.granted.get().is_some_and(|detail| detail.enables(target, level)))
    }
}

impl Context<'_> {
    /// Returns the nearest grant.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only HTTP requests are granted anything"))]
    pub(crate) fn granted(&self) -> Option<&Arc<dyn Grant>> {
        self.nodes().find_map(|node| node.granted.get()).map(Box::as_ref)
    }
}
