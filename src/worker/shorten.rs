//! Renders a line that is too long again, with less in it.

use crate::record::{Record, Value, put_named};
use crate::schema::Schema;
use crate::sink::Lines;

/// The parts of the limit that values are cut to, one try after the other; nothing in the end.
const PARTS: [usize; 6] = [4, 16, 64, 512, 4096, usize::MAX];

/// When the names alone are too long, only the message stays, cut to this part of the limit.
const LAST_PART: usize = 8;

/// Renders a record whose line was too long again, with less and less in it; renders nothing when that does not help.
#[cold]
pub(super) fn render_shortened(schema: &mut dyn Schema, mut record: Record<'_>, lines: &mut Lines, max_bytes: usize) {
    record.original_bytes = Some(record.all_bytes());
    let mut fits = |record: &Record<'_>| {
        lines.discard_unended();
        let start = lines.len();
        schema.render(record, lines.buffer());
        let fits = lines.len() - start <= max_bytes;
        if !fits {
            lines.discard_unended();
        }
        fits
    };
    for part in PARTS {
        record.max_value_bytes = max_bytes / part;
        if fits(&record) {
            return;
        }
    }
    record.max_value_bytes = max_bytes / LAST_PART;
    let mut fields = Vec::new();
    if let Some(message) = record.message() {
        put_named(&mut fields, "message", &message);
    }
    if record.is_log {
        put_named(&mut fields, "log.target", &Value::Str(record.target()));
    }
    fits(&Record { fields: &fields, context: None, ..record });
}
