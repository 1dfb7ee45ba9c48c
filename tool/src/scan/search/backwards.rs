//! The time of a line that has none: that of a line before it.

use std::ops::Range;

use spanline::read::PlainFile;

use super::super::pieces::written_at;
use crate::entry::{Form, Parser, Request};

/// No line further back is looked at.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the time of the last line with one in a part of a file, which ends where a line begins. `settled`: as the lines of
/// the file are read.
pub(super) fn last_time(file: &PlainFile, part: Range<u64>, settled: Form) -> Option<i64> {
    let least = part.start.max(part.end.saturating_sub(MAX_BYTES));
    let mut parser = Parser::settled_on(settled);
    parser.written(written_at(file));
    let mut request = Request::default();
    let mut size = 16 << 10;
    loop {
        let start = part.end.saturating_sub(size).max(least);
        let bytes = read(file, start..part.end)?;
        let mut lines: Vec<_> = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n').collect();
        if start > part.start {
            // It may begin further ahead.
            lines.remove(0);
        }
        let mut time = |line: &&[u8]| {
            let mut last = None;
            parser.each(line, false, &mut request, |entry, _| last = entry.time().or(last));
            last
        };
        let found = lines.iter().rev().find_map(&mut time);
        if found.is_some() || start == least {
            return found;
        }
        size *= 8;
    }
}

/// Reads a part of a file; `None` if it is not there any more.
fn read(file: &PlainFile, part: Range<u64>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(part.end.saturating_sub(part.start)).ok()?];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, part.start + filled as u64) {
            Ok(0) | Err(_) => return None,
            Ok(read) => filled += read,
        }
    }
    Some(bytes)
}
