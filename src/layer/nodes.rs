//! The nodes of a span in its registry, and the registry that a layer sits on.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;
use tracing::dispatcher::WeakDispatch;
use tracing::span::Id;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::layer::Layer;
use crate::context::{Node, keep};

/// A span's nodes, one for each layer in the registry (usually one), each with the serial of its layer's core.
///
/// The registry drops them when the span closes.
#[derive(Debug, Default)]
pub(super) struct Nodes(pub(super) SmallVec<[(u64, Arc<Node>); 1]>);

impl Nodes {
    /// Returns the node that belongs to a core.
    #[inline]
    pub(super) fn of(&self, core: u64) -> Option<&Arc<Node>> {
        self.0.iter().find(|(serial, _)| *serial == core).map(|(_, node)| node)
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, node) in self.0.drain(..) {
            node.close();
            keep(node);
        }
    }
}

/// Returns the node of a span that belongs to a core.
pub(super) fn node_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, core: u64) -> Option<Arc<Node>> {
    span.extensions().get::<Nodes>()?.of(core).cloned()
}

/// Returns the node of a span, or of the nearest one around it that has one. A span that a directive shows elsewhere has
/// none.
pub(super) fn nearest_node<'a, S>(span: &SpanRef<'a, S>, core: u64) -> Option<Arc<Node>>
where
    S: LookupSpan<'a>,
{
    span.scope().find_map(|span| node_of(&span, core))
}

/// Shows the nodes of a span, then those of the spans around it, until the function returns true.
pub(super) type Find = fn(&Dispatch, &Id, &mut dyn FnMut(&Id, Option<&Nodes>) -> bool);

/// The registry that a layer sits on.
#[derive(Default)]
pub(crate) struct HostRegistry {
    /// Finds a span's nodes in it. Its type is known only when the layer is installed.
    find: OnceLock<Find>,
    /// The subscriber that both are part of.
    subscriber: OnceLock<WeakDispatch>,
    /// Whether a wrapper hides the layer in it, until that is reported.
    is_hidden: AtomicBool,
}

impl fmt::Debug for HostRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRegistry").field("is_known", &self.find.get().is_some()).finish_non_exhaustive()
    }
}

impl HostRegistry {
    /// Stores the type of the registry.
    pub(super) fn set_type<S>(&self)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let find: Find = |dispatch, id, with| {
            let span = dispatch.downcast_ref::<S>().and_then(|registry| registry.span(id));
            for span in span.iter().flat_map(SpanRef::scope) {
                if with(&span.id(), span.extensions().get::<Nodes>()) {
                    return;
                }
            }
        };
        let _ = self.find.set(find);
    }

    pub(super) fn set_subscriber(&self, subscriber: &Dispatch) {
        let _ = self.subscriber.set(subscriber.downgrade());
        self.is_hidden.store(Layer::of(subscriber).is_none(), Ordering::Relaxed);
    }

    /// Returns once whether a wrapper hides the layer. The caller may complain: tracing holds no lock, as it does while it
    /// registers the subscriber.
    pub(super) fn take_hidden(&self) -> bool {
        self.is_hidden.swap(false, Ordering::Relaxed)
    }

    pub(super) fn find(&self) -> Option<Find> {
        self.find.get().copied()
    }

    /// Returns the subscriber, unless it is gone.
    pub(super) fn subscriber(&self) -> Option<Dispatch> {
        self.subscriber.get()?.upgrade()
    }
}
