//! The end of a span: its closing line, and the lines that were held back for its request.
//!
//! The layer's callbacks call it only for a log that has either.

use std::sync::Arc;

use tracing::span::Id;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::layer::Layer;
use super::nodes::node_of;
use super::span_cache;
use crate::context::{Node, Timing};
use crate::outputs::Line;
use crate::queue::{Head, Push};
use crate::record::Value;

impl Layer {
    /// Runs `run` with the node of an open span.
    fn with_open_node<S, T>(&self, id: &Id, registry: &Context<'_, S>, run: impl Fn(&Arc<Node>) -> T) -> Option<T>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = self.core.serial;
        span_cache::with(core, id, &run).or_else(|| {
            let node = node_of(&registry.span(id)?, core)?;
            span_cache::remember(core, id, &node);
            Some(run(&node))
        })
    }

    /// Reads the clock for a span that is entered or exited.
    #[cold]
    pub(super) fn time<S>(&self, id: &Id, registry: &Context<'_, S>, note: fn(&Timing, u64))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_open_node(id, registry, |node| {
            if let Some(timing) = node.timing() {
                note(timing, self.core.clock.elapsed());
            }
        });
    }

    #[cold]
    pub(super) fn close<S>(&self, id: &Id, registry: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(node) = self.with_open_node(id, registry, Arc::clone) else { return };
        if let Some(timing) = node.timing() {
            self.log_close(&node, timing);
        }
        if let Some(held_lines) = self.core.diagnostics.held_lines.as_ref().filter(|_| node.holds_back()) {
            held_lines.discard(node.serial());
        }
    }

    fn log_close(&self, node: &Arc<Node>, timing: &Timing) {
        let core = &self.core;
        let meta: &'static Metadata<'static> = node.meta();
        let mask = core.filters.mask(meta.target(), *meta.level());
        if mask == 0 {
            return;
        }
        let times = timing.close(core.clock.elapsed());
        core.capture_line(
            |capture| {
                capture.named("message", &Value::Str("close"));
                capture.named("duration_us", &Value::U64(times.duration_us));
                capture.named("busy_us", &Value::U64(times.busy_us));
                capture.named("idle_us", &Value::U64(times.idle_us));
            },
            |bytes| {
                let line = Line { head: Head::Event { meta, is_log: false }, time: core.clock.now(), bytes };
                let push = |mask, push| core.outputs.push(mask, Push { context: Some(node), ..push });
                let to_deliver = core.outputs.submit(mask, line, push);
                core.outputs.deliver(to_deliver);
            },
        );
    }
}
