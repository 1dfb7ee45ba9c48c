//! The slow path of events: repeats are limited, traces sampled, a backtrace is added, lines are held back or released,
//! names repeat, or a directive follows the spans.
//!
//! One test of a call site's flags leads here. All other events pay nothing for it.

use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::call_site::CallSite;
use super::layer::Layer;
use super::limit::Passed;
use crate::context::Node;

impl Layer {
    #[inline(never)]
    pub(super) fn log_on_slow_path<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: CallSite)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let is_outside_spans = || event.is_root() || (event.is_contextual() && registry.current_span().id().is_none());
        if site.outputs == 0 && !site.has(CallSite::LOG) && is_outside_spans() {
            // Lines are held back for requests only, and directives follow spans.
            return;
        }
        let is_in_context = site.has(CallSite::IN_CONTEXT)
            && self.with_node(event, registry, |node| node.is_some_and(|node| core.filters.matches(node)));
        let site = if is_in_context { self.inside(event, registry, site) } else { site };
        if site.outputs == 0 && !site.has(CallSite::LOG | CallSite::HELD_BACK) {
            return;
        }
        let passed = match &core.limiter {
            Some(limiter) if site.has(CallSite::LIMITED) => core.judge(limiter, event, site, |time| {
                self.with_node(event, registry, |node| core.drops_trace(limiter, node, time))
            }),
            _ => Some(Passed::at(core.clock.now())),
        };
        if let Some(passed) = passed {
            self.log(event, registry, site, Some(Passed { is_in_context, ..passed }));
        }
    }

    /// Returns the call site with the outputs that want the event inside its spans.
    #[cold]
    fn inside<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: CallSite) -> CallSite
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let meta = event.metadata();
        let mask_in = |node: Option<&Arc<Node>>| {
            node.map_or(site.outputs, |node| self.core.filters.mask_in(meta.target(), *meta.level(), node))
        };
        CallSite { outputs: self.with_node(event, registry, mask_in), ..site }
    }
}
