//! Records → lines in the engine's buffer, and the lines of the log about itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::Metadata;

use super::{CHUNK_BYTES, Engine, Lost};
use crate::context::Bound;
use crate::limit::{SAMPLE_CUT_BYTES, Summary};
use crate::metrics::Reason;
use crate::queue::{Batch, Block, Head, Loss};
use crate::record::{Record, Value, discard, notice_metadata, put_named};
use crate::worker::{Lane, cut};

impl Engine {
    /// Renders records from `next` on until a chunk is full; returns the first one not rendered.
    pub(super) fn render(
        &mut self,
        batch: &Batch,
        block: &Block,
        mut next: usize,
        lane: &Lane,
        lost: &mut Vec<Lost>,
    ) -> usize {
        while next < block.len() && self.lines.len() < CHUNK_BYTES {
            let rendered = catch_unwind(AssertUnwindSafe(|| {
                while next < block.len() && self.lines.len() < CHUNK_BYTES {
                    self.render_one(batch, block, next, lost);
                    next += 1;
                }
            }));
            if let Err(payload) = rendered {
                discard(payload);
                self.lines.discard_unended();
                self.tally.panics += 1;
                if let Some((entry, _)) = block.get(next) {
                    lost.push((Reason::Panicked, entry.head.level(), entry.time));
                }
                lane.complain("schema panicked", "the schema panicked; the line is counted as dropped");
                next += 1;
            }
        }
        next
    }

    fn render_one(&mut self, batch: &Batch, block: &Block, index: usize, lost: &mut Vec<Lost>) {
        let Some((entry, bytes)) = block.get(index) else { return };
        let (level, time) = (entry.head.level(), entry.time);
        match entry.head {
            Head::Line(_) => self.lines.buffer().extend_from_slice(bytes),
            Head::Event { meta, is_log } => {
                let mut record = Record {
                    meta,
                    time,
                    fields: bytes,
                    context: batch.context(entry).map(Bound::context),
                    statics: &self.statics,
                    is_log,
                    max_value_bytes: usize::MAX,
                    original_bytes: None,
                };
                if let Some(redactor) = &mut self.redactor {
                    redactor.pass(&mut record, usize::MAX);
                }
                let start = self.lines.len();
                self.schema.render(&record, self.lines.buffer());
                if self.lines.len() - start > self.max_line_bytes {
                    cut::render_cut(&mut *self.schema, record, &mut self.lines, self.max_line_bytes);
                }
                if self.lines.len() == start {
                    lost.push((Reason::Rejected, level, time));
                    return;
                }
            }
        }
        self.lines.end_line(level, time, false);
    }

    /// Says what was lost, in the output's own schema.
    pub(super) fn render_notice(&mut self, loss: &Loss) {
        let mut fields = Vec::new();
        put_named(&mut fields, "message", &Value::Str("log lines were dropped"));
        put_named(&mut fields, "dropped", &Value::U64(loss.by_level.total()));
        put_named(&mut fields, "reason", &Value::Str(loss.reason.as_str()));
        put_named(&mut fields, "first", &Value::Str(&loss.first.to_string()));
        put_named(&mut fields, "last", &Value::Str(&loss.last.to_string()));
        for (level, lines) in loss.by_level.levels() {
            let name = format!("dropped_{}", level.as_str().to_ascii_lowercase());
            put_named(&mut fields, &name, &Value::U64(lines));
        }
        self.render_own(notice_metadata(), false, &fields);
    }

    /// Says how many lines of a call site were suppressed, as a line of that call site.
    pub(super) fn render_repeats(&mut self, summary: &Summary) {
        let mut fields = summary.sample.clone();
        put_named(&mut fields, "suppressed", &Value::U64(summary.lines));
        put_named(&mut fields, "reason", &Value::Str(Reason::RateLimited.as_str()));
        put_named(&mut fields, "first", &Value::Str(&summary.first.to_string()));
        put_named(&mut fields, "last", &Value::Str(&summary.last.to_string()));
        self.render_own(summary.meta, summary.is_log, &fields);
    }

    /// Renders a line of the log about itself.
    fn render_own(&mut self, meta: &'static Metadata<'static>, is_log: bool, fields: &[u8]) {
        let (level, time) = (*meta.level(), self.clock.now());
        let record = Record {
            meta,
            time,
            fields,
            context: None,
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
            self.schema.render(&record, self.lines.buffer());
        }));
        if let Err(payload) = rendered {
            discard(payload);
            self.lines.discard_unended();
            return;
        }
        self.lines.end_line(level, time, true);
        self.tally.notices += 1;
    }
}
