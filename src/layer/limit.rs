//! The limit of repeats, asked before anything is captured.

use std::hash::{DefaultHasher, Hash, Hasher};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::{Core, KIND_LOG, Known};
use crate::filter::Filters;
use crate::limit::{Limiter, Origin, Verdict};
use crate::record::Timestamp;
use crate::worker;

/// What is known of an event that passed.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) time: Timestamp,
    /// It is the last one: its message is kept.
    pub(super) keep: Option<Origin>,
}

impl Core {
    /// Judges an event whose call site has a limit; `None` when it is suppressed, and counted so.
    #[inline(never)]
    pub(super) fn judge(&self, limiter: &Limiter, event: &Event<'_>, site: Known) -> Option<Passed> {
        let meta = event.metadata();
        let time = self.clock.now();
        let passed = Some(Passed { time, keep: None });
        // The log's own threads have rules of their own: what they are told they might answer without end.
        if worker::own_lane().is_some() {
            return passed;
        }
        let (mask, log) = if site.kind & KIND_LOG == 0 {
            (site.mask, None)
        } else {
            let mut place = LogPlace::new(&self.filters, *meta.level(), site.mask);
            event.record(&mut place);
            (place.mask, Some(place.hash.finish()))
        };
        if mask == 0 {
            return passed;
        }
        let origin = Origin { meta, log };
        match limiter.judge(origin, mask, time) {
            Verdict::Log => passed,
            Verdict::LogLast => Some(Passed { time, keep: Some(origin) }),
            Verdict::Suppress { begins } => {
                self.lanes_in(mask).for_each(|lane| lane.queue.suppress(*meta.level()));
                if begins != 0 {
                    self.lanes_in(begins).for_each(|lane| lane.queue.wake_worker());
                }
                None
            }
        }
    }
}

/// Reads where a `log` record is from, and leaves its text alone.
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
