//! The limit of repeats, checked before anything is captured.

use std::hash::{DefaultHasher, Hash, Hasher};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::call_site::CallSite;
use super::core::Core;
use crate::filter::Filters;
use crate::limit::{Limiter, Origin, Verdict};
use crate::record::Timestamp;
use crate::worker;

/// An event that the limit let pass.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) time: Timestamp,
    /// Set for the last event before the limit. Its message becomes the summary's sample.
    pub(super) sample_for: Option<Origin>,
}

impl Core {
    /// Applies the limit to an event; returns `None` when it is suppressed, which is counted.
    #[inline(never)]
    pub(super) fn judge(&self, limiter: &Limiter, event: &Event<'_>, site: CallSite) -> Option<Passed> {
        let meta = event.metadata();
        let time = self.clock.now();
        let passed = Some(Passed { time, sample_for: None });
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
        match limiter.judge(origin, mask, time) {
            Verdict::Log => passed,
            Verdict::LogLast => Some(Passed { time, sample_for: Some(origin) }),
            Verdict::Suppress { first_for } => {
                self.outputs.in_mask(mask).for_each(|lane| lane.queue.suppress(*meta.level()));
                if first_for != 0 {
                    self.outputs.in_mask(first_for).for_each(|lane| lane.queue.wake_worker());
                }
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
