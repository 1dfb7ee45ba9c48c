//! The slow path of events: repeats are limited, traces sampled, a backtrace is added, lines are held back or released, or names repeat.
//!
//! One test of a call site's flags leads here. All other events pay nothing for it.

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::call_site::CallSite;
use super::layer::Layer;
use super::limit::Passed;

impl Layer {
    #[inline(never)]
    pub(super) fn log_on_slow_path<S>(&self, event: &Event<'_>, registry: &Context<'_, S>, site: CallSite)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let core = &self.core;
        let is_outside_spans = || event.is_root() || (event.is_contextual() && registry.current_span().id().is_none());
        if site.outputs == 0 && !site.has(CallSite::LOG) && is_outside_spans() {
            // Lines are held back for requests only.
            return;
        }
        let passed = match &core.limiter {
            Some(limiter) if site.has(CallSite::LIMITED) => core.judge(limiter, event, site, |time| {
                self.with_node(event, registry, |node| core.drops_trace(limiter, node, time))
            }),
            _ => Some(Passed { time: core.clock.now(), sample_for: None }),
        };
        if let Some(passed) = passed {
            self.log(event, registry, site, Some(passed));
        }
    }
}
