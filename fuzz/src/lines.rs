//! The tool's view of lines: what a parser that has read other lines sees in a line is what one sees that reads it first, and it
//! takes for JSON what serde_json does. Requests of OTLP are read record by record.

use serde::de::IgnoredAny;

use crate::entry::{Entry, Form, Parser, Part, Request, put_string};
use crate::query::Filter;

/// When the lines were written, in nanoseconds since 1970.
const WRITTEN: i64 = 1_795_169_738_000_000_000;

/// Reads each line of the input twice.
pub fn lines(data: &[u8]) {
    let (mut learned, mut request) = (Parser::default(), Request::default());
    // The year of a line without one must not depend on the clock.
    learned.written(Some(WRITTEN));
    for line in data.split(|byte| *byte == b'\n') {
        let mut first = Parser::settled_on(learned.settled());
        first.written(Some(WRITTEN));
        first.read(line);
        learned.read(line);
        let entries = (learned.entry(line), first.entry(line));
        assert_eq!(seen(&entries.0), seen(&entries.1));
        check_json(line, entries.0.form());
        assert!(Filter::default().matches(&entries.0));
        learned.read_cut(line);
        let _ = seen(&learned.entry(line));
        if request.open(line) {
            while let Some((record, _)) = request.next(line) {
                learned.read(record);
                let _ = seen(&learned.entry(record));
            }
        }
    }
}

/// All that an entry says.
fn seen(entry: &Entry<'_>) -> String {
    let view = entry.view();
    let mut seen = format!("{:?} {:?} {:?} {:?}", entry.form(), view.time, view.level, entry.repeated_key());
    for part in Part::ALL {
        seen.push_str(&format!(" {:?}", view.text(part)));
    }
    for field in entry.fields(&view) {
        put_string(&mut seen, &field.name);
        field.value.put_json(&mut seen);
    }
    seen
}

/// A line that begins as an object is JSON, or broken.
fn check_json(line: &[u8], form: Form) {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    if text.trim_ascii_start().starts_with('{') {
        let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        assert_eq!(form == Form::Json, is_json, "{text}");
    }
}
