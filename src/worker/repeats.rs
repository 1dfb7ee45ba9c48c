//! Consecutive equal lines of an output: the first is written, the others are counted and reported in one line.
//!
//! Lines are equal if their call site, their captured fields and their context are. Before: the record filter. After: the
//! schema.

use std::time::{Duration, Instant};

use tracing::Metadata;

use crate::context::Bound;
use crate::metrics::Reason;
use crate::record::{Timestamp, Value, put_named};
use crate::sync::after;

/// A run that goes on is reported this long after its first line that was not written.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// The line before, and how often it was repeated.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    last: Option<Shown>,
    run: Option<Run>,
}

/// A line that is written: the last one, or a report of its repeats.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) meta: &'static Metadata<'static>,
    pub(super) is_log: bool,
    pub(super) fields: Vec<u8>,
    pub(super) context: Option<Bound>,
}

/// Lines equal to it that were not written.
#[derive(Clone, Copy, Debug)]
struct Run {
    lines: u64,
    first: Timestamp,
    last: Timestamp,
    report_at: Instant,
}

impl Repeats {
    /// Returns whether a record is equal to the one before.
    pub(super) fn is_last(
        &self,
        (meta, is_log): (&'static Metadata<'static>, bool),
        fields: &[u8],
        context: Option<&Bound>,
    ) -> bool {
        let key = |bound: &Bound| bound.context().key();
        self.last.as_ref().is_some_and(|last| {
            std::ptr::eq(last.meta, meta)
                && last.is_log == is_log
                && last.context.as_ref().map(key) == context.map(key)
                && last.fields == fields
        })
    }

    /// Counts a record that is equal to the one before.
    pub(super) fn count(&mut self, time: Timestamp) {
        let start = || Run { lines: 0, first: time, last: time, report_at: after(Instant::now(), REPORT_AFTER) };
        let run = self.run.get_or_insert_with(start);
        run.lines += 1;
        (run.first, run.last) = (run.first.min(time), run.last.max(time));
    }

    /// Takes over a record that is being written. The run before has been [taken](Self::take).
    pub(super) fn begin(
        &mut self,
        (meta, is_log): (&'static Metadata<'static>, bool),
        fields: &[u8],
        context: Option<&Bound>,
    ) {
        let last = self.last.get_or_insert_with(|| Shown { meta, is_log, fields: Vec::new(), context: None });
        (last.meta, last.is_log, last.context) = (meta, is_log, context.cloned());
        last.fields.clear();
        last.fields.extend_from_slice(fields);
    }

    /// Takes out what there is to report. `now`: only if it is due.
    pub(super) fn take(&mut self, now: Option<Instant>) -> Option<Shown> {
        let run = self.run.take_if(|run| now.is_none_or(|now| now >= run.report_at))?;
        let mut report = self.last.clone()?;
        put_suppressed(&mut report.fields, run.lines, Reason::Repeated, run.first, run.last);
        Some(report)
    }

    /// Returns when there is something to report.
    pub(super) fn due(&self) -> Option<Instant> {
        self.run.map(|run| run.report_at)
    }

    /// In a forked child: what was repeated is the parent's.
    pub(super) fn start_afresh(&mut self) {
        *self = Self::default();
    }
}

/// Adds how many lines were suppressed, why, and from when to when.
pub(super) fn put_suppressed(fields: &mut Vec<u8>, lines: u64, reason: Reason, first: Timestamp, last: Timestamp) {
    put_named(fields, "suppressed", &Value::U64(lines));
    put_named(fields, "reason", &Value::Str(reason.as_str()));
    put_named(fields, "first", &Value::Str(&first.to_string()));
    put_named(fields, "last", &Value::Str(&last.to_string()));
}
