//! The ids that tracing-opentelemetry has given to spans.
//!
//! Its layer makes them when a span is entered first, or when it is asked for them. So they are asked for at the first
//! enter, or at an event that names the span as its parent before: once for each span, when every layer has seen it, in
//! whatever order they lie. An event in the current span never asks: where its ids are not known yet, the other layer is
//! just making them, under a lock, and its sampler logs. A span that its layer does not see keeps the ids it has here.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use opentelemetry::trace::TraceContextExt;
use smallvec::SmallVec;
use tracing::span::Id;

use super::{Layer, recent};
use crate::complaint::Complaints;
use crate::context::{Node, OtelIds};
use crate::record::discard;

/// After so many spans without any ids of OpenTelemetry something is wrong with the set-up.
const MAX_MISSES: u32 = 32;

/// What the layer knows of tracing-opentelemetry's.
#[derive(Debug)]
pub(crate) struct Otel {
    complaints: Arc<Complaints>,
    has_found: AtomicBool,
    misses: AtomicU32,
}

impl Otel {
    pub(crate) fn new(complaints: Arc<Complaints>) -> Self {
        Self { complaints, has_found: AtomicBool::new(false), misses: AtomicU32::new(0) }
    }

    /// Counts an answer; says once that there is never one.
    fn note(&self, found: bool) {
        if found {
            self.has_found.store(true, Ordering::Relaxed);
        } else if !self.has_found.load(Ordering::Relaxed)
            && self.misses.fetch_add(1, Ordering::Relaxed) + 1 == MAX_MISSES
        {
            self.complaints.say(
                "opentelemetry",
                "no span has ids of OpenTelemetry: the registry has no layer of the tracing-opentelemetry that spanline is \
                 built with (0.34), or it sees no spans",
            );
        }
    }
}

thread_local! {
    /// Whether the thread is asking. No destructor, so it can be used in those of others.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

impl Layer {
    /// Looks up the ids of a span and of those around it, unless they are known. A sampler that logs finds its thread
    /// asking already and goes without.
    pub(super) fn know_ids(&self, otel: &Otel, id: &Id) {
        if recent::with(self.core.serial, id, |node| node.knows_otel()) == Some(true) {
            return;
        }
        if ASKING.try_with(|asking| asking.replace(true)) == Ok(false) {
            // What runs there is the user's too: samplers, id generators, processors.
            let asked = catch_unwind(AssertUnwindSafe(|| self.look_up_ids(otel, id)));
            let _ = ASKING.try_with(|asking| asking.set(false));
            if let Err(payload) = asked {
                discard(payload);
            }
        }
    }

    #[cold]
    fn look_up_ids(&self, otel: &Otel, id: &Id) {
        let (Some(find), Some(subscriber)) = (self.core.place.find.get(), self.core.place.subscriber.get()) else {
            return;
        };
        let Some(dispatch) = subscriber.upgrade() else { return };
        // Nothing of the registry may be held while the other layer is asked.
        let mut unknown = SmallVec::<[(Id, Arc<Node>); 4]>::new();
        find(&dispatch, id, &mut |id, nodes| match nodes.and_then(|nodes| nodes.of(self.core.serial)) {
            Some(node) if node.knows_otel() => true,
            Some(node) => {
                unknown.push((id.clone(), Arc::clone(node)));
                false
            }
            None => false,
        });
        for (id, node) in &unknown {
            let ids = tracing_opentelemetry::get_otel_context(id, &dispatch).and_then(|context| {
                let span = context.span();
                let found = span.span_context();
                OtelIds::new(
                    u128::from_be_bytes(found.trace_id().to_bytes()),
                    u64::from_be_bytes(found.span_id().to_bytes()),
                    found.trace_flags().to_u8(),
                    &found.trace_state().header(),
                )
            });
            if node.is_shown() {
                otel.note(ids.is_some());
            }
            node.know_otel(ids);
        }
    }
}
