//! The spans a thread has used last, with their nodes.
//!
//! The registry says which span is the current one, always: it is right by construction where guards are held over
//! an await, spans are left out of order, or several dispatchers take turns. What is kept here saves asking it what the
//! node of that span is, which takes a reference on the span, its lock and a look into a map: a fifth of the time of an
//! event. An entry holds as long as its span is open. When a span closes, the registry drops its nodes and with
//! that marks them ended, before the id can be given to another span; so an id that is found with a node not ended
//! means that node.
//!
//! A thread that logs nothing any more keeps a few nodes of closed spans; only those small in all their chain are kept.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::span::Id;

use crate::context::Node;

/// Spans in use at once by one thread, nearly always.
const PLACES: usize = 8;

struct Recent {
    core: u64,
    span: u64,
    node: Arc<Node>,
}

thread_local! {
    static RECENT: [RefCell<Option<Recent>>; PLACES] = const { [const { RefCell::new(None) }; PLACES] };
}

/// Ids of spans that are open at the same time differ in their low bits.
#[inline]
fn place(span: u64) -> usize {
    span as usize % PLACES
}

/// Runs `with` on the node of a span, if this thread has used it lately and it is still open.
#[inline]
pub(super) fn with<T>(core: u64, span: &Id, with: impl FnOnce(&Arc<Node>) -> T) -> Option<T> {
    let span = span.into_u64();
    RECENT
        .try_with(|places| {
            let recent = places[place(span)].try_borrow().ok()?;
            let recent = recent.as_ref()?;
            (recent.span == span && recent.core == core && !recent.node.is_ended()).then(|| with(&recent.node))
        })
        .ok()
        .flatten()
}

/// Remembers the node of an open span.
#[inline]
pub(super) fn remember(core: u64, span: &Id, node: &Arc<Node>) {
    if node.is_small() {
        let span = span.into_u64();
        let recent = Recent { core, span, node: Arc::clone(node) };
        let _ = RECENT.try_with(|places| places[place(span)].try_borrow_mut().map(|mut place| place.replace(recent)));
    }
}
