//! What is asked of a span besides its fields: which request it belongs to, and how long it takes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Node, Timing, is_hidden};

impl Node {
    /// Sets what is asked of a span that nobody else knows yet.
    pub(crate) fn ask(node: &mut Arc<Self>, names_request: bool, timing: Option<Timing>) {
        if let Some(node) = Arc::get_mut(node) {
            node.names_request = names_request;
            node.timing = timing.map(Box::new);
        }
    }

    /// The span's clock, where a line is wanted when it closes.
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.timing.as_deref()
    }

    /// The request it belongs to: the nearest span that names one, else the outermost that is not hidden, if there is
    /// one.
    pub(crate) fn request(self: &Arc<Self>) -> &Arc<Self> {
        let mut outermost = self;
        let mut next = Some(self);
        while let Some(node) = next {
            if node.names_request {
                return node;
            }
            if !is_hidden(node.meta) || is_hidden(outermost.meta) {
                outermost = node;
            }
            next = node.parent.as_ref();
        }
        outermost
    }

    /// Says that lines are held back for this request.
    pub(crate) fn set_holds(&self) {
        self.holds.store(true, Ordering::Relaxed);
    }

    /// Whether lines were ever held back for this request.
    pub(crate) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }
}
