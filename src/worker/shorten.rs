//! Renders a line that is too long again, with texts cut so that it uses nearly all of its limit.
//!
//! How long a line becomes depends on the schema and on what its texts escape. Between two lines that were rendered, the
//! length grows with the *weight* of the texts, their length as escaped JSON. So a line without texts and the whole line
//! tell where to cut, and each further attempt corrects the last.

use crate::record::{Fields, Key, Record, SERVICE, Value, put_named};
use crate::schema::Schema;
use crate::sink::Lines;

/// After the line without texts, this many more are rendered at most.
const ATTEMPTS: usize = 3;

/// When the names alone are too long, only the message stays, cut to this part of the limit.
const LAST_PART: usize = 8;

/// Renders a record whose line was too long again, with shorter texts; renders nothing when that does not help.
#[cold]
pub(super) fn render_shortened(schema: &mut dyn Schema, mut record: Record<'_>, lines: &mut Lines, max_bytes: usize) {
    record.original_bytes = Some(record.all_bytes());
    let texts = Texts::of(&record);
    let whole = lines.len();
    lines.discard_unended();
    let out = lines.buffer();
    let start = out.len();
    let mut over = Cut { limit: texts.longest(), weight: texts.weight(0, usize::MAX), line_bytes: whole - start };
    let mut fitting = Cut { limit: 0, weight: 0, line_bytes: 0 };
    fitting.line_bytes = render(schema, record, fitting.limit, out);
    if fitting.line_bytes > max_bytes {
        out.truncate(start);
        return render_message(schema, record, out, max_bytes);
    }
    for _ in 0..ATTEMPTS {
        if fitting.line_bytes >= max_bytes - max_bytes / 20 {
            break;
        }
        let mut cut = texts.between(&fitting, &over, max_bytes - max_bytes / 100);
        if cut.limit == fitting.limit {
            break;
        }
        let end = out.len();
        cut.line_bytes = render(schema, record, cut.limit, out);
        if cut.line_bytes <= max_bytes {
            out.drain(start..end);
            fitting = cut;
        } else {
            out.truncate(end);
            over = cut;
        }
    }
}

/// Renders a line with texts of at most `limit` bytes. Returns its length.
fn render(schema: &mut dyn Schema, mut record: Record<'_>, limit: usize, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    record.max_value_bytes = limit;
    schema.render(&record, out);
    out.len() - start
}

/// Renders only the message, or nothing if that is too long as well.
fn render_message(schema: &mut dyn Schema, mut record: Record<'_>, out: &mut Vec<u8>, max_bytes: usize) {
    let start = out.len();
    record.max_value_bytes = max_bytes / LAST_PART;
    let mut fields = Vec::new();
    if let Some(message) = record.message() {
        put_named(&mut fields, "message", &message);
    }
    if record.is_log {
        put_named(&mut fields, "log.target", &Value::Str(record.target()));
    }
    if let Some(service) = record.service().filter(|_| record.is_relayed()) {
        put_named(&mut fields, SERVICE, &Value::Str(service));
    }
    let limit = record.max_value_bytes;
    if render(schema, Record { fields: &fields, context: None, ..record }, limit, out) > max_bytes {
        out.truncate(start);
    }
}

/// A line whose texts were cut.
struct Cut {
    /// The longest text in bytes.
    limit: usize,
    /// The weight of all texts.
    weight: usize,
    line_bytes: usize,
}

/// The texts of a record and of its spans.
struct Texts<'a>(Vec<Text<'a>>);

enum Text<'a> {
    Escaped(&'a [u8]),
    Base64(&'a [u8]),
}

impl<'a> Texts<'a> {
    fn of(record: &Record<'a>) -> Self {
        let own = Fields::new(record.fields).filter(|(key, _)| *key != Key::Thread).map(|(_, value)| value);
        let spans = record.context.iter().flat_map(|context| context.spans());
        let inherited = spans.flat_map(|span| span.all_fields().map(|(_, value)| value));
        Self(own.chain(inherited).filter_map(Text::of).collect())
    }

    fn longest(&self) -> usize {
        self.0.iter().map(|text| text.bytes().len()).max().unwrap_or_default()
    }

    /// Returns the weight of the bytes from `start` to `end` of all texts.
    fn weight(&self, start: usize, end: usize) -> usize {
        self.0.iter().map(|text| text.weight(start, end)).sum()
    }

    /// Returns where to cut the texts for a line of `goal` bytes, between one that fits and one that does not.
    ///
    /// Halves the distance again and again, and looks at each byte between the two only once.
    fn between(&self, fitting: &Cut, over: &Cut, goal: usize) -> Cut {
        let share = |part: usize, of: usize, whole: usize| part as u128 * of as u128 / (whole as u128).max(1);
        let more_bytes = goal.saturating_sub(fitting.line_bytes);
        let weights = over.weight.saturating_sub(fitting.weight);
        let more = share(more_bytes, weights, over.line_bytes.saturating_sub(fitting.line_bytes));
        let mut left = usize::try_from(more).unwrap_or(usize::MAX);
        let (mut limit, mut beyond, mut weight) = (fitting.limit, over.limit, fitting.weight);
        while beyond - limit > 1 {
            let middle = limit + (beyond - limit) / 2;
            let added = self.weight(limit, middle);
            if added <= left {
                (limit, left, weight) = (middle, left - added, weight + added);
            } else {
                beyond = middle;
            }
        }
        Cut { limit, weight, line_bytes: 0 }
    }
}

impl<'a> Text<'a> {
    fn of(value: Value<'a>) -> Option<Self> {
        Some(match value {
            Value::Str(text) | Value::Json(text) => Self::Escaped(text.as_bytes()),
            Value::Error(chain) => Self::Escaped(chain.encoded()),
            Value::Bytes(bytes) => Self::Base64(bytes),
            _ => return None,
        })
    }

    fn bytes(&self) -> &'a [u8] {
        let (Self::Escaped(bytes) | Self::Base64(bytes)) = self;
        bytes
    }

    fn weight(&self, start: usize, end: usize) -> usize {
        let bytes = self.bytes();
        let part = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
        match self {
            Self::Escaped(_) => part.iter().map(|byte| usize::from(escaped_bytes(*byte))).sum(),
            Self::Base64(_) => part.len().div_ceil(3) * 4,
        }
    }
}

/// Returns how many bytes a byte of a text becomes in JSON.
fn escaped_bytes(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        ..0x20 | 0x7f => 6,
        _ => 1,
    }
}
