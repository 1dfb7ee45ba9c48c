//! The spans that a thread used last, with their nodes.
//!
//! The registry always decides which span is the current one, so guards held across an await, spans left out of order and
//! several dispatchers are handled correctly. This cache only saves asking it for that span's node, which takes a
//! reference on the span, its lock and a map look-up.
//!
//! An entry is valid while its span is open. When a span closes, the registry drops its nodes, which marks them closed
//! before the id can be reused. So an id found with an open node means that node.
//!
//! A thread forgets the spans that close on it, and keeps nodes of spans that close on others. Only nodes whose whole chain
//! is small are cached: half a MiB at most for each thread.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::span::Id;

use crate::context::Node;
use crate::direct_mapped::DirectMapped;

/// The number of spans that one thread takes turns in without asking the registry. Ids of open spans differ in their low
/// bits.
const PLACES: usize = 128;

struct Entry {
    core: u64,
    span: u64,
    node: Arc<Node>,
}

thread_local! {
    static SPANS: DirectMapped<RefCell<Option<Entry>>, PLACES> =
        const { DirectMapped::new([const { RefCell::new(None) }; PLACES]) };
}

/// Runs `run` with the node of a span, if the cache has it and the span is still open.
#[inline]
pub(super) fn with<T>(core: u64, span: &Id, run: impl FnOnce(&Arc<Node>) -> T) -> Option<T> {
    let span = span.into_u64();
    SPANS
        .try_with(|spans| {
            let entry = spans.place(span).try_borrow().ok()?;
            let entry = entry.as_ref()?;
            (entry.span == span && entry.core == core && !entry.node.is_closed()).then(|| run(&entry.node))
        })
        .ok()
        .flatten()
}

/// Removes a span that closes.
#[inline]
pub(super) fn forget(core: u64, span: &Id) {
    let span = span.into_u64();
    let _ = SPANS.try_with(|spans| {
        if let Ok(mut place) = spans.place(span).try_borrow_mut()
            && place.as_ref().is_some_and(|entry| entry.span == span && entry.core == core)
        {
            *place = None;
        }
    });
}

/// Adds the node of an open span.
#[inline]
pub(super) fn remember(core: u64, span: &Id, node: &Arc<Node>) {
    if node.is_small() {
        let span = span.into_u64();
        let entry = Entry { core, span, node: Arc::clone(node) };
        let _ = SPANS.try_with(|spans| spans.place(span).try_borrow_mut().map(|mut place| place.replace(entry)));
    }
}
