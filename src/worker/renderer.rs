//! Records → lines in the buffer, and the lines of the log about itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tracing::Metadata;

use super::lane::Lane;
use super::pump::Resolved;
use super::repeats::{Repeats, Shown, put_suppressed};
use super::shorten;
use crate::context::{Bound, Context};
use crate::limit::{SAMPLE_CUT_BYTES, Summary};
use crate::metrics::{DroppedLine, Reason};
use crate::queue::{Batch, Block, Head, Loss, WorkerCounts};
use crate::record::{Clock, Record, Statics, Value, discard, is_control, notice_metadata, put_named};
use crate::redaction::Redactor;
use crate::schema::Schema;
#[cfg(feature = "sealed")]
use crate::sealing::{Problem, Sealing, is_sealed};
use crate::sink::{Columns, Lines, Wanted};

/// Tells whether an output takes a record.
pub(crate) type RecordFilter = Box<dyn FnMut(&Record<'_>) -> bool + Send>;

/// Renders one output's lines.
pub(super) struct Renderer {
    pub(super) schema: Box<dyn Schema>,
    pub(super) redactor: Option<Redactor>,
    #[cfg(feature = "sealed")]
    pub(super) sealing: Sealing,
    pub(super) record_filter: Option<RecordFilter>,
    /// Leaves out lines equal to the one before, where that is wanted.
    pub(super) repeats: Option<Repeats>,
    pub(super) statics: Arc<Statics>,
    /// What a handle has set since.
    pub(super) shared_statics: Arc<ArcSwap<Statics>>,
    pub(super) clock: Clock,
    pub(super) max_line_bytes: usize,
    /// What the sink wants with each line.
    pub(super) columns: Wanted,
}

/// Records that are being rendered, and what becomes of them.
pub(super) struct Rendering<'a> {
    pub(super) batch: &'a Batch,
    pub(super) block: &'a Block,
    /// The record after the last one to be rendered.
    pub(super) end: usize,
    pub(super) lines: &'a mut Lines,
    /// The chunk grows up to this many bytes.
    pub(super) limit: usize,
    /// What becomes of records without a line.
    pub(super) resolved: &'a mut Resolved,
    pub(super) counts: &'a mut WorkerCounts,
}

impl Renderer {
    /// Takes over static fields that a handle has set. The schema then forgets what it has prepared with the old ones.
    pub(super) fn refresh_statics(&mut self) {
        let current = self.shared_statics.load();
        if !Arc::ptr_eq(&current, &self.statics) {
            self.statics = Arc::clone(&current);
            self.forget();
        }
    }

    /// Makes the schema forget what it has prepared: the process id or a static field has changed.
    pub(super) fn forget(&mut self) {
        catch_unwind(AssertUnwindSafe(|| self.schema.forked())).unwrap_or_else(discard);
    }

    /// Reports values that could not be sealed, and wipes the secret if its time is over.
    #[cfg(feature = "sealed")]
    pub(super) fn end_sealing(&mut self, lane: &Lane) {
        self.sealing.expire();
        match self.sealing.take_problem() {
            Some(Problem::Failed(error)) => {
                lane.complain(
                    "sealed nothing",
                    &format!("`sealed:failed` stands for values that could not be sealed: {error:#}"),
                );
            }
            Some(Problem::NoRecipients) => lane.complaints.say_once(
                "sealed without recipients",
                "values from `spanline::sealed` are redacted, because they have no recipients; set them with \
                 `Builder::seal_fields`",
            ),
            None => {}
        }
    }

    /// Renders records from `next` on until the chunk is full. Returns the first one not rendered.
    pub(super) fn render(&mut self, mut next: usize, mut to: Rendering<'_>, lane: &Lane) -> usize {
        while next < to.end && to.lines.len() < to.limit {
            let rendered = catch_unwind(AssertUnwindSafe(|| {
                let mut length = to.lines.len();
                while next < to.end && length < to.limit {
                    length = self.render_one(next, &mut to);
                    next += 1;
                }
            }));
            if let Err(payload) = rendered {
                discard(payload);
                to.lines.discard_unended();
                to.counts.panics += 1;
                if let Some((entry, _)) = to.block.get(next) {
                    to.resolved.dropped.push(DroppedLine::new(Reason::Panicked, entry.head.level(), entry.time));
                }
                let what = if self.record_filter.is_some() { "the schema or the record filter" } else { "the schema" };
                lane.complain("schema panicked", &format!("{what} panicked; the line is counted as dropped"));
                next += 1;
            }
        }
        next
    }

    /// Renders a record. Returns the length of the chunk with its line.
    #[inline]
    fn render_one(&mut self, index: usize, to: &mut Rendering<'_>) -> usize {
        let Some((entry, bytes)) = to.block.get(index) else { return to.lines.len() };
        let (level, time) = (entry.head.level(), entry.time);
        let (meta, is_log) = match entry.head {
            Head::Line(_) => {
                to.lines.buffer().extend_from_slice(bytes);
                return to.lines.end_line(level, time, None, false);
            }
            Head::Event { meta, is_log } => (meta, is_log),
        };
        let bound = to.batch.context(entry);
        let mut is_repeated = false;
        if let Some(repeats) = &mut self.repeats {
            is_repeated = repeats.is_last((meta, is_log), bytes, bound);
            if !is_repeated {
                let report = repeats.take(None);
                self.render_report(report, to.lines, to.counts);
            }
        }
        let lines = &mut *to.lines;
        let mut record = Record {
            meta,
            time,
            fields: bytes,
            context: bound.map(Bound::context),
            statics: &self.statics,
            is_log,
            max_value_bytes: usize::MAX,
            original_bytes: None,
        };
        if let Some(redactor) = &mut self.redactor {
            redactor.pass(&mut record, usize::MAX);
        }
        #[cfg(feature = "sealed")]
        self.sealing.pass(&mut record);
        if self.record_filter.as_mut().is_some_and(|takes| !takes(&record) && !is_control(record.meta)) {
            to.resolved.filtered.add(level, 1);
            return lines.len();
        }
        if let Some(repeats) = &mut self.repeats {
            if is_repeated {
                repeats.count(time);
                to.resolved.repeated.add(level, 1);
                return lines.len();
            }
            repeats.begin((meta, is_log), bytes, bound);
        }
        let buffer = lines.buffer();
        let start = buffer.len();
        self.schema.render(&record, buffer);
        let mut end = buffer.len();
        if end - start > self.max_line_bytes {
            shorten::render_shortened(&mut *self.schema, record, lines, self.max_line_bytes);
            end = lines.len();
        }
        if end == start {
            to.resolved.dropped.push(DroppedLine::new(Reason::Rejected, level, time));
            return end;
        }
        let length = lines.end_line(level, time, Some(meta), false);
        if self.columns.ids {
            lines.add_columns(columns(&record, self.columns.field.as_deref()));
        }
        length
    }

    /// Renders what was lost, in the output's own schema.
    pub(super) fn render_notice(&mut self, loss: &Loss, lines: &mut Lines, counts: &mut WorkerCounts) {
        let mut fields = Vec::new();
        put_named(&mut fields, "message", &Value::Str("log lines were dropped"));
        put_named(&mut fields, "dropped", &Value::U64(loss.by_level.total()));
        put_named(&mut fields, "reason", &Value::Str(loss.reason.as_str()));
        put_named(&mut fields, "first", &Value::Str(&loss.first.to_string()));
        put_named(&mut fields, "last", &Value::Str(&loss.last.to_string()));
        for (level, dropped) in loss.by_level.levels() {
            let name = format!("dropped_{}", level.as_str().to_ascii_lowercase());
            put_named(&mut fields, &name, &Value::U64(dropped));
        }
        self.render_own((notice_metadata(), false), &fields, None, lines, counts);
    }

    /// Renders how many written lines could not be made durable.
    pub(super) fn render_not_durable(&mut self, count: u64, lines: &mut Lines, counts: &mut WorkerCounts) {
        let mut fields = Vec::new();
        put_named(&mut fields, "message", &Value::Str("log lines may not survive a power cut"));
        put_named(&mut fields, "not_durable", &Value::U64(count));
        put_named(&mut fields, "reason", &Value::Str("sync_failed"));
        self.render_own((notice_metadata(), false), &fields, None, lines, counts);
    }

    /// Renders how many lines of a call site were suppressed, as a line of that call site.
    pub(super) fn render_repeats(&mut self, summary: &Summary, lines: &mut Lines, counts: &mut WorkerCounts) {
        let mut fields = summary.sample.clone();
        put_suppressed(&mut fields, summary.lines, summary.reason, summary.first, summary.last);
        self.render_own((summary.meta, summary.is_log), &fields, None, lines, counts);
    }

    /// Renders how often the line before was repeated, as a line of its call site and context.
    fn render_report(&mut self, report: Option<Shown>, lines: &mut Lines, counts: &mut WorkerCounts) {
        if let Some(Shown { meta, is_log, fields, context }) = report {
            self.render_own((meta, is_log), &fields, context.as_ref(), lines, counts);
        }
    }

    /// Renders how often the line before was repeated, if that is due. Returns whether it did. `is_urgent`: it is due in any
    /// case.
    pub(super) fn render_due_report(&mut self, is_urgent: bool, lines: &mut Lines, counts: &mut WorkerCounts) -> bool {
        let report = self.repeats.as_mut().and_then(|repeats| repeats.take((!is_urgent).then(Instant::now)));
        let is_due = report.is_some();
        self.render_report(report, lines, counts);
        is_due
    }

    /// Renders a line of the log about itself.
    fn render_own(
        &mut self,
        (meta, is_log): (&'static Metadata<'static>, bool),
        fields: &[u8],
        context: Option<&Bound>,
        lines: &mut Lines,
        counts: &mut WorkerCounts,
    ) {
        let (level, time) = (*meta.level(), self.clock.now());
        let record = Record {
            meta,
            time,
            fields,
            context: context.map(Bound::context),
            statics: &self.statics,
            is_log,
            max_value_bytes: usize::MAX,
            original_bytes: None,
        };
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            let mut record = record;
            if let Some(redactor) = &mut self.redactor {
                redactor.pass(&mut record, SAMPLE_CUT_BYTES);
            }
            #[cfg(feature = "sealed")]
            self.sealing.pass(&mut record);
            let start = lines.len();
            self.schema.render(&record, lines.buffer());
            if lines.len() - start > self.max_line_bytes {
                shorten::render_shortened(&mut *self.schema, record, lines, self.max_line_bytes);
                if lines.len() == start {
                    // What is left is bounded: the log's own text, or a sample that was cut, and the static fields.
                    self.schema.render(&record, lines.buffer());
                }
            }
            (lines.len() > start).then(|| self.columns.ids.then(|| columns(&record, self.columns.field.as_deref())))
        }));
        let columns = match rendered {
            Ok(Some(columns)) => columns,
            // The schema has no line for it.
            Ok(None) => return,
            Err(payload) => {
                discard(payload);
                lines.discard_unended();
                return;
            }
        };
        lines.end_line(level, time, Some(meta), true);
        if let Some(columns) = columns {
            lines.add_columns(columns);
        }
        counts.notices += 1;
    }
}

/// Reads the ids of a record, and the value of a field.
fn columns(record: &Record<'_>, field: Option<&str>) -> Columns {
    let context = record.context();
    let mut columns = Columns {
        trace_id: context.and_then(Context::trace_id),
        span_id: context.and_then(Context::span_id),
        ..Columns::default()
    };
    let own = record.fields().filter(|(name, _)| *name == "request_id").last();
    columns.request_id = own.and_then(|(_, value)| text_of(value)).or_else(|| {
        let mut spans = context.into_iter().flat_map(Context::spans);
        spans.find_map(|span| span.fields().find(|(name, _)| *name == "request_id").and_then(|(_, id)| text_of(id)))
    });
    let chosen = field.and_then(|name| record.lookup(name));
    // A token names nothing: each line has another one.
    #[cfg(feature = "sealed")]
    let chosen = chosen.filter(|value| !is_sealed(value));
    columns.field = chosen.and_then(text_of);
    columns.log_target = record.is_log.then(|| record.target().into());
    columns
}

fn text_of(value: Value<'_>) -> Option<Box<str>> {
    value.to_text().map(|text| text.into())
}
