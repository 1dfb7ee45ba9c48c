//! The current context, for the program itself.

use std::sync::Arc;

use tracing::dispatcher;

use super::layer::Layer;
use crate::context::{Bound, Context, epoch};

/// Runs `run` with the context of the current span. Returns `None` outside any span, and when the current subscriber has
/// no spanline layer.
pub(crate) fn with_current<T>(run: impl FnOnce(&Context<'_>) -> T) -> Option<T> {
    let bound = dispatcher::get_default(|dispatch| {
        let layer = Layer::of(dispatch)?;
        let find = layer.core.registry.find()?;
        let current = dispatch.current_span();
        let mut found = None;
        find(dispatch, current.id()?, &mut |_, nodes| {
            found = nodes.and_then(|nodes| nodes.of(layer.core.serial)).map(Arc::clone);
            found.is_some()
        });
        found.map(|node| Bound::new(&node, epoch(), None))
    })?;
    Some(run(&bound.context()))
}
