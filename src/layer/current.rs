//! The context here and now, asked for by the program itself.

use std::sync::Arc;

use tracing::dispatcher;

use super::Layer;
use crate::context::{Bound, Context, epoch};

/// Runs `with` on what the current span of the current dispatcher hands down. `None` outside any span, and where the
/// dispatcher has no layer of spanline's.
pub(crate) fn with_current<T>(with: impl FnOnce(&Context<'_>) -> T) -> Option<T> {
    let bound = dispatcher::get_default(|dispatch| {
        let layer = dispatch.downcast_ref::<Layer>()?;
        let find = layer.core.place.find.get()?;
        let current = dispatch.current_span();
        let mut found = None;
        find(dispatch, current.id()?, &mut |nodes| {
            found = nodes.and_then(|nodes| nodes.of(layer.core.serial)).map(Arc::clone);
            found.is_some()
        });
        found.map(|node| Bound::new(&node, epoch(), None))
    })?;
    Some(with(&bound.context()))
}
