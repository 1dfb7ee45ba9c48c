//! The ids that tracing-opentelemetry has given to spans.
//!
//! Its layer makes them when a span is entered first, or when it is asked for them; so they are asked for before the first
//! event in a span, once for each, when every layer has seen the span, in whatever order they lie. A span that its layer
//! does not see keeps the ids it has here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use opentelemetry::trace::TraceContextExt;
use smallvec::SmallVec;
use tracing::span::Id;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{Layer, recent};
use crate::complaint::Complaints;
use crate::context::{Node, OtelIds};

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

impl Layer {
    /// Looks up the ids of the span an event is in, and of those around it, unless they are known.
    pub(super) fn know_ids_of<S>(&self, otel: &Otel, event: &Event<'_>, registry: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let current = registry.current_span();
        let id = event.parent().or_else(|| current.id().filter(|_| event.is_contextual()));
        if let Some(id) = id {
            self.know_ids(otel, id);
        }
    }

    fn know_ids(&self, otel: &Otel, id: &Id) {
        if recent::with(self.core.serial, id, |node| node.knows_otel()) == Some(true) {
            return;
        }
        if let Some(dispatch) = self.subscriber.get().and_then(|subscriber| subscriber.upgrade()) {
            self.look_up_ids(otel, &dispatch, id);
        }
    }

    /// Looks them up, where the subscriber is at hand.
    #[cold]
    pub(super) fn look_up_ids(&self, otel: &Otel, dispatch: &Dispatch, id: &Id) {
        let Some(find) = self.find.get() else { return };
        // Nothing of the registry may be held while the other layer is asked.
        let mut unknown = SmallVec::<[(Id, Arc<Node>); 4]>::new();
        find(dispatch, id, &mut |id, nodes| match nodes.and_then(|nodes| nodes.of(self.core.serial)) {
            Some(node) if node.knows_otel() => true,
            Some(node) => {
                unknown.push((id.clone(), Arc::clone(node)));
                false
            }
            None => false,
        });
        // From the outside in: an event logged meanwhile finds the chain known up to its span.
        for (id, node) in unknown.iter().rev() {
            let ids = tracing_opentelemetry::get_otel_context(id, dispatch).and_then(|context| {
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
