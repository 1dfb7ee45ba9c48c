//! Context variables on a span that is already open.

use std::sync::Arc;

use smallvec::SmallVec;
use tracing::span::Id;
use tracing::{Dispatch, Span};

use super::layer::Layer;
use super::this_thread::with_scratch;
use crate::context::Node;
use crate::record::{Capture, FieldValue};

/// Context variables: fields for a span and all spans below it that its call site does not declare.
pub trait SpanExt {
    /// Sets a variable: adds a field to every later event in this span and in the spans below it.
    ///
    /// The field follows the rules of a span's field. A later value of the same name replaces it; `None` changes nothing.
    /// A span that is disabled, or not in a registry with a spanline layer, ignores it. So does a span whose variables
    /// would take more memory than a line may have, with a complaint.
    ///
    /// ```
    /// use spanline::SpanExt;
    ///
    /// let span = tracing::info_span!("request", request_id = "r-1");
    /// span.set_variable("tenant", "acme");
    /// span.set_variable("attempt", 2u64);
    /// ```
    fn set_variable<'v>(&self, name: &str, value: impl Into<FieldValue<'v>>);
}

impl SpanExt for Span {
    fn set_variable<'v>(&self, name: &str, value: impl Into<FieldValue<'v>>) {
        let value = value.into();
        self.with_subscriber(|(id, dispatch)| {
            let span = self.metadata().map_or("", |meta| meta.name());
            set_variable(dispatch, id, (name, &value), span, |node| Some(Arc::clone(node)), false);
        });
    }
}

/// Adds a field to the outermost request around the current span, if there is one.
#[cfg(feature = "tower")]
pub(crate) fn set_request_variable(name: &str, value: &FieldValue<'_>) {
    tracing::dispatcher::get_default(|dispatch| {
        let current = dispatch.current_span();
        if let Some(id) = current.id() {
            set_variable(dispatch, id, (name, value), "request", outermost_request, true);
        }
    });
}

/// Returns the outermost request that the span belongs to.
#[cfg(feature = "tower")]
fn outermost_request(node: &Arc<Node>) -> Option<Arc<Node>> {
    let around = std::iter::successors(Some(node), |node| node.parent());
    around.filter(|node| node.meta().target() == crate::record::REQUESTS).last().cloned()
}

/// Adds a field to the node that `choose` finds for a span, in each log. `span`: its name, for a complaint.
/// `climbs`: whether the nearest span around it stands for a span that the log does not have.
fn set_variable(
    dispatch: &Dispatch,
    id: &Id,
    (name, value): (&str, &FieldValue<'_>),
    span: &str,
    choose: impl Fn(&Arc<Node>) -> Option<Arc<Node>>,
    climbs: bool,
) {
    let Some(layer) = Layer::of(dispatch) else { return };
    let Some(find) = layer.core.registry.find() else { return };
    let mut found = SmallVec::<[(u64, Arc<Node>); 1]>::new();
    find(dispatch, id, &mut |_, nodes| {
        found = nodes.map(|nodes| nodes.0.clone()).unwrap_or_default();
        !climbs || !found.is_empty()
    });
    with_scratch(|scratch| {
        let mut capture = Capture::new(scratch, layer.core.outputs.max_record_bytes());
        layer.core.capture_variable(&mut capture, name, value);
        // One value may take nearly all that a record may have.
        let (update, max_bytes) = (scratch.bytes(), 2 * layer.core.outputs.max_record_bytes());
        let is_full =
            |(_, node): &&(u64, Arc<Node>)| choose(node).is_some_and(|node| !node.record_up_to(update, max_bytes));
        if !update.is_empty() && found.iter().filter(is_full).count() > 0 {
            layer.core.outputs.complain("variables", || {
                format!(
                    "span {span}: the variable {name} is ignored, as variables would take more than {max_bytes} bytes"
                )
            });
        }
    });
}
