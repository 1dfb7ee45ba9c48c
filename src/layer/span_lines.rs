//! The lines of a span's life: when it opens, is entered, is exited and closes.
//!
//! All four have the same keys. The layer's callbacks call this only for a log that has such lines.

use std::sync::Arc;

use tracing::span::Id;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::core::Core;
use super::layer::Layer;
use crate::context::{Node, SpanMoment, SpanMoments, Timing};
use crate::filter::Directives;
use crate::limit::{Origin, Verdict};
use crate::outputs::{Line, Places};
use crate::queue::{Head, Push};
use crate::record::Value;

/// Which spans log a line at which moments.
#[derive(Debug, Default)]
pub(crate) struct SpanLines([Option<Directives>; SpanMoment::ALL.len()]);

impl SpanLines {
    /// Returns which spans log lines, by moment; `None` if none does at any.
    pub(crate) fn new(of: [Option<Directives>; SpanMoment::ALL.len()]) -> Option<Self> {
        of.iter().any(Option::is_some).then_some(Self(of))
    }

    /// Returns the moments at which spans of a call site log a line.
    pub(super) fn moments(&self, meta: &Metadata<'_>) -> SpanMoments {
        let enables = |of: &Option<Directives>| of.as_ref().is_some_and(|of| of.enables(meta.target(), *meta.level()));
        SpanMoment::ALL.into_iter().zip(&self.0).filter(|(_, of)| enables(of)).map(|(moment, _)| moment).collect()
    }
}

impl Layer {
    /// Reads the clock for a span that is entered or exited, and logs the line of that moment.
    #[cold]
    pub(super) fn pass<S>(&self, id: &Id, registry: &Context<'_, S>, moment: SpanMoment)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(node) = self.with_open_node(id, registry, Arc::clone) else { return };
        let Some(timing) = node.timing() else { return };
        match moment {
            SpanMoment::Enter => timing.enter(self.core.clock.elapsed()),
            SpanMoment::Exit => timing.exit(self.core.clock.elapsed()),
            SpanMoment::New | SpanMoment::Close => {}
        }
        self.log_moment(&node, timing, moment);
    }

    /// Logs the line of a span's moment, if the span has such lines.
    pub(super) fn log_moment(&self, node: &Arc<Node>, timing: &Timing, moment: SpanMoment) {
        let filters = &self.core.filters;
        let meta: &'static Metadata<'static> = node.meta();
        self.core.outputs.with(
            || match filters.matches(node) {
                true => filters.mask_in(meta.target(), *meta.level(), node),
                false => filters.mask(meta.target(), *meta.level()),
            },
            |places, mask| self.log_moment_to(places, mask, node, timing, moment),
        );
    }

    fn log_moment_to(&self, places: &Places, mask: u64, node: &Arc<Node>, timing: &Timing, moment: SpanMoment) {
        let core = &self.core;
        let meta: &'static Metadata<'static> = node.meta();
        if mask == 0 || !timing.logs(moment) {
            return;
        }
        if let Some(limiter) = core.limiter.as_ref().filter(|limiter| limiter.samples_traces(*meta.level())) {
            let time = core.clock.now();
            if core.drops_trace(limiter, Some(node), time) {
                let verdict = limiter.suppress_trace(Origin { meta, log: None }, mask, time);
                if let Verdict::Suppress { .. } = verdict {
                    return Core::count_suppressed(verdict, *meta.level(), places, mask);
                }
            }
        }
        let times = timing.times(core.clock.elapsed());
        core.capture_line(
            |capture| {
                capture.named("message", &Value::Str(moment.as_str()));
                capture.named("duration_us", &Value::U64(times.duration_us));
                capture.named("busy_us", &Value::U64(times.busy_us));
                capture.named("idle_us", &Value::U64(times.idle_us));
            },
            |bytes| {
                let line = Line { head: Head::Event { meta, is_log: false }, time: core.clock.now(), bytes };
                let push = |mask, push| places.push(mask, Push { context: Some(node), ..push });
                let to_deliver = places.submit(mask, line, push);
                places.deliver(to_deliver);
            },
        );
    }
}
