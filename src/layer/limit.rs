//! The limits of repeats and the sampling of traces, checked before anything is captured.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::call_site::CallSite;
use super::core::Core;
use crate::context::{Bound, Node, epoch};
use crate::filter::Filters;
use crate::limit::{Limiter, Origin, Verdict};
use crate::outputs::Places;
use crate::record::Timestamp;
use crate::worker;

/// An event that the limit let pass.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) time: Timestamp,
    /// Set for the last event before the limit. Its message becomes the summary's sample.
    pub(super) sample_for: Option<Origin>,
    /// It is inside a span that a directive names.
    pub(super) is_in_context: bool,
}

impl Passed {
    pub(super) fn at(time: Timestamp) -> Self {
        Self { time, sample_for: None, is_in_context: false }
    }
}

impl Core {
    /// Returns whether the trace of a node is not kept.
    pub(super) fn drops_trace(&self, limiter: &Limiter, node: Option<&Arc<Node>>, time: Timestamp) -> bool {
        let Some(node) = node else { return false };
        let bound = Bound::new(node, epoch(), None);
        bound.context().trace_id().is_some_and(|trace| !limiter.keeps_trace(trace, node.trace_decision(), time))
    }

    /// Counts a line that is suppressed in the outputs of `mask`, and wakes the workers that have to report it.
    pub(super) fn count_suppressed(verdict: Verdict, level: Level, places: &Places, mask: u64) {
        if let Verdict::Suppress { reason, first_for } = verdict {
            places.count(mask, |lane, is_first| lane.queue.suppress(reason, level, is_first));
            if first_for != 0 {
                places.in_mask(first_for).for_each(|lane| lane.queue.wake_worker());
            }
        }
    }

    /// Applies the limits to an event; returns `None` when it is suppressed, which is counted. `drops_trace`: whether the
    /// trace of the event is not kept.
    #[inline(never)]
    pub(super) fn judge(
        &self,
        limiter: &Limiter,
        event: &Event<'_>,
        site: CallSite,
        places: &Places,
        drops_trace: impl FnOnce(Timestamp) -> bool,
    ) -> Option<Passed> {
        let meta = event.metadata();
        let time = self.clock.now();
        let passed = Some(Passed::at(time));
        // Lines of the log's own threads are not limited: a summary could cause the next line without end.
        if worker::own_lane().is_some() {
            return passed;
        }
        let (mask, log) = if site.has(CallSite::LOG) {
            let mut place = LogPlace::new(&self.filters, *meta.level(), site.outputs);
            event.record(&mut place);
            (place.mask, Some(place.hash.finish()))
        } else {
            (site.outputs, None)
        };
        if mask == 0 {
            return passed;
        }
        let origin = Origin { meta, log };
        let verdict = match limiter.samples_traces(*meta.level()) && drops_trace(time) {
            true => limiter.suppress_trace(origin, mask, time),
            false => limiter.judge(origin, mask, time),
        };
        match verdict {
            Verdict::Log => passed,
            Verdict::LogLast => Some(Passed { sample_for: Some(origin), ..Passed::at(time) }),
            Verdict::Suppress { .. } => {
                Self::count_suppressed(verdict, *meta.level(), places, mask);
                None
            }
        }
    }
}

/// Reads where a `log` record comes from, without formatting its text.
struct LogPlace<'a> {
    filters: &'a Filters,
    level: Level,
    mask: u64,
    hash: DefaultHasher,
}

impl<'a> LogPlace<'a> {
    fn new(filters: &'a Filters, level: Level, mask: u64) -> Self {
        Self { filters, level, mask, hash: DefaultHasher::new() }
    }
}

impl Visit for LogPlace<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => {
                self.mask = self.filters.mask(value, self.level);
                value.hash(&mut self.hash);
            }
            "log.file" => value.hash(&mut self.hash),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            value.hash(&mut self.hash);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
