//! Which request a span belongs to, and whether lines were held back for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::hidden::is_hidden;
use super::node::Node;

impl Node {
    /// Returns the request that the span belongs to: the nearest span that names one, else the outermost one that is not
    /// hidden, else the outermost.
    pub(crate) fn request(self: &Arc<Self>) -> &Arc<Self> {
        let mut outermost = self;
        let mut next = Some(self);
        while let Some(node) = next {
            if node.flags.names_request {
                return node;
            }
            if !is_hidden(node.meta) || is_hidden(outermost.meta) {
                outermost = node;
            }
            next = node.parent.as_ref();
        }
        outermost
    }

    /// Marks that lines are held back for this request.
    pub(crate) fn set_holds_back(&self) {
        self.flags.holds_back.store(true, Ordering::Relaxed);
    }

    /// Returns whether lines were ever held back for this request.
    pub(crate) fn holds_back(&self) -> bool {
        self.flags.holds_back.load(Ordering::Relaxed)
    }
}
