//! Asks tracing-opentelemetry for the ids it has given to spans.
//!
//! Its layer makes a span's ids when the span is first entered, or when it is asked for them. So they are looked up at the
//! first enter, or before that at an event that names the span as its parent: once for each span, when every layer has
//! seen it, in any order of layers.
//!
//! An event in the current span never asks. If that span's ids are unknown, the other layer is making them right now,
//! under a lock, and its sampler logs. A span that its layer does not see has this crate's ids.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use smallvec::SmallVec;
use tracing::Event;
use tracing::span::Id;

use super::layer::Layer;
use super::otel::Otel;
use super::span_cache;
use crate::context::{Node, OtelIds};
use crate::record::discard;

thread_local! {
    /// Exists while OpenTelemetry's current context does, which panics when it is asked for too late: it is made later,
    /// and thread-locals end in the reverse order.
    static CONTEXT_EXISTS: Exists = {
        opentelemetry::Context::map_current(|_| ());
        Exists
    };

    /// Whether the thread is asking. It has no destructor, so other thread-locals' destructors can use it.
    static IS_ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Its destructor makes the thread-local unavailable when that has run.
struct Exists;

impl Drop for Exists {
    fn drop(&mut self) {}
}

/// Returns the context of the span that OpenTelemetry's own interface has made current, for an event outside tracing's
/// spans. Events of OpenTelemetry itself have none: it may be changing its context.
#[cold]
pub(super) fn active_otel_span(event: &Event<'_>) -> Option<Arc<Node>> {
    if event.metadata().target().starts_with("opentelemetry")
        || IS_ASKING.try_with(|asking| asking.replace(true)) != Ok(false)
    {
        return None;
    }
    let ids = catch_unwind(|| {
        CONTEXT_EXISTS.try_with(|_| {
            opentelemetry::Context::map_current(|context| context.has_active_span().then(|| ids_of(context)).flatten())
        })
    });
    let _ = IS_ASKING.try_with(|asking| asking.set(false));
    let ids = ids.unwrap_or_else(|payload| {
        discard(payload);
        Ok(None)
    });
    ids.ok().flatten().map(Node::only_otel)
}

/// Returns the ids of the span in a context, if they are valid.
fn ids_of(context: &opentelemetry::Context) -> Option<OtelIds> {
    let span = context.span();
    let found = span.span_context();
    OtelIds::new(
        u128::from_be_bytes(found.trace_id().to_bytes()),
        u64::from_be_bytes(found.span_id().to_bytes()),
        found.trace_flags().to_u8(),
        &found.trace_state().header(),
    )
}

impl Layer {
    /// Looks up the ids of a span and of those around it, unless they are known. A sampler that logs while its thread is
    /// asking gets none.
    pub(super) fn look_up_otel_ids(&self, otel: &Otel, id: &Id) {
        if span_cache::with(self.core.serial, id, |node| node.is_otel_known()) == Some(true) {
            return;
        }
        if IS_ASKING.try_with(|asking| asking.replace(true)) == Ok(false) {
            // This runs user code too: samplers, id generators, processors.
            let asked = catch_unwind(AssertUnwindSafe(|| self.ask_otel(otel, id)));
            let _ = IS_ASKING.try_with(|asking| asking.set(false));
            if let Err(payload) = asked {
                discard(payload);
            }
        }
    }

    #[cold]
    fn ask_otel(&self, otel: &Otel, id: &Id) {
        let (Some(find), Some(dispatch)) = (self.core.registry.find(), self.core.registry.subscriber()) else {
            return;
        };
        // No lock of the registry may be held while the other layer is asked.
        let mut unknown = SmallVec::<[(Id, Arc<Node>); 4]>::new();
        find(&dispatch, id, &mut |id, nodes| match nodes.and_then(|nodes| nodes.of(self.core.serial)) {
            Some(node) if node.is_otel_known() => true,
            Some(node) => {
                unknown.push((id.clone(), Arc::clone(node)));
                false
            }
            None => false,
        });
        for (id, node) in &unknown {
            let ids = tracing_opentelemetry::get_otel_context(id, &dispatch).and_then(|context| ids_of(&context));
            if node.is_shown() {
                otel.note(ids.is_some());
            }
            node.set_otel(ids);
        }
    }
}
