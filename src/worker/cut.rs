//! Lines that come out longer than they may be.

use crate::record::{Record, Value, put_named};
use crate::schema::Schema;
use crate::sink::Lines;

/// A line that is too long is rendered again with its values cut to this part of the limit, then to smaller ones, to
/// nothing at last.
const CUTS: [usize; 6] = [4, 16, 64, 512, 4096, usize::MAX];

/// Where the names alone are too long, the message stays, cut to this part of the limit.
const LAST_CUT: usize = 8;

/// Renders a line that came out too long again, with less and less in it; nothing when that does not help.
#[cold]
pub(super) fn render_cut(schema: &mut dyn Schema, mut record: Record<'_>, lines: &mut Lines, max_bytes: usize) {
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
    for part in CUTS {
        record.max_value_bytes = max_bytes / part;
        if fits(&record) {
            return;
        }
    }
    record.max_value_bytes = max_bytes / LAST_CUT;
    let mut fields = Vec::new();
    if let Some(message) = record.message() {
        put_named(&mut fields, "message", &message);
    }
    if record.is_log {
        put_named(&mut fields, "log.target", &Value::Str(record.target()));
    }
    fits(&Record { fields: &fields, context: None, ..record });
}
