//! The slow path of events: repeats are limited, traces sampled, a backtrace is added, lines are held back or released,
//! names repeat, a directive or a grant follows the spans, or the log's outputs were changed.
//!
//! One test of a call site's flags leads here. All other events pay nothing for it.

use std::cell::Cell;
use std::sync::Arc;

use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::call_site::CallSite;
use super::layer::Layer;
use super::limit::Passed;
use super::nodes::nearest_node;
use crate::context::Node;

impl Layer {
    #[inline(never)]
    pub(super) fn log_on_slow_path<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: CallSite)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        if site.has(CallSite::IN_CONTEXT) {
            core.filters.learn_parent(event.metadata(), event.is_contextual());
        }
        let is_outside_spans = || event.is_root() || (event.is_contextual() && registry.current_span().id().is_none());
        if site.outputs == 0 && !site.has(CallSite::LOG) && is_outside_spans() {
            // Lines are held back for requests only, and directives follow spans.
            return;
        }
        let known = Cell::new(Some(site));
        let look_up = || {
            let site = known.take().unwrap_or_else(|| core.call_site(event.metadata()));
            let is_inside = site.has(CallSite::IN_CONTEXT)
                && self.with_node(event, registry, |node| node.is_some_and(|node| core.filters.matches(node)));
            (if is_inside { self.inside(event, registry, site) } else { site }, is_inside)
        };
        core.outputs.with(look_up, |places, (site, is_in_context)| {
            if site.outputs == 0 && !site.has(CallSite::LOG | CallSite::HELD_BACK) {
                return;
            }
            let passed = match &core.limiter {
                Some(limiter) if site.has(CallSite::LIMITED) => core.judge(limiter, event, site, places, |time| {
                    self.with_node(event, registry, |node| core.drops_trace(limiter, node, time))
                }),
                _ => Some(Passed::at(core.clock.now())),
            };
            if let Some(passed) = passed {
                self.log(event, registry, site, Some(Passed { is_in_context, ..passed }), places);
            }
        });
    }

    /// Returns whether a new span is seen that only a directive or a grant shows: inside the spans that these name.
    #[cold]
    pub(super) fn shows_inside<S>(&self, attributes: &Attributes<'_>, id: &Id, registry: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let filters = &self.core.filters;
        let meta = attributes.metadata();
        filters.learn_parent(meta, attributes.is_contextual());
        let parent = registry.span(id).and_then(|span| span.parent());
        let node = parent.and_then(|parent| nearest_node(&parent, self.core.serial));
        node.is_some_and(|node| filters.matches(&node) && filters.sees_span_in(meta, &node))
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
