//! Reads logs, and collects the lines of a trace.
//!
//! The first pass collects the lines that have the id, and learns which traces and requests it belongs to. A second pass
//! collects the lines of those, if there can be any. Stdin cannot be read twice, so the lines of it that may belong to the
//! trace are kept in memory, up to [`STDIN_BYTES`].

use std::path::{Path, PathBuf};

use super::line::{Ids, Told};
use super::store::Store;
use super::wanted::Wanted;
use crate::entry::{Entry, Parser};
use crate::inputs::{Merged, sources};
use crate::report::Report;

/// The lines of stdin that are kept for a second pass.
const STDIN_BYTES: usize = 64 << 20;

/// Returns the spans and lines of the trace, the request or the span with this id.
pub(super) fn gather(id: &str, paths: Vec<PathBuf>, report: &mut Report) -> Store {
    let mut store = Store::default();
    let mut wanted = Wanted::new(id);
    let mut kept = Kept::default();
    let (stdin, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path == Path::new("-"));
    if !files.is_empty() {
        each(&files, report, |entry, ids, time| {
            if wanted.learn(&ids) {
                store.add(Told::of(entry, ids), time);
            }
        });
    }
    if !stdin.is_empty() {
        each(&stdin, report, |entry, ids, time| {
            if wanted.learn(&ids) {
                store.add(Told::of(entry, ids), time);
            } else if ids.trace.is_some() || ids.request.is_some() {
                kept.keep(entry.line());
            }
        });
    }
    if !wanted.needs_more() {
        return store;
    }
    let mut add_others = |entry: &Entry<'_>, ids: Ids, time| {
        if wanted.has(&ids) && !wanted.learn(&ids) {
            store.add(Told::of(entry, ids), time);
        }
    };
    if !files.is_empty() {
        // What cannot be read was reported.
        each(&files, &mut Report::quiet(), &mut add_others);
    }
    kept.each(add_others);
    if kept.left_out > 0 {
        let lines = kept.left_out;
        report.failure(&format!(
            "read stdin: {lines} lines may belong to the trace and are above the limit of {STDIN_BYTES} bytes; pass a file"
        ));
    }
    store
}

/// Calls `take` with each line, its ids and its time, which is that of the line before if it has none.
fn each(paths: &[PathBuf], report: &mut Report, mut take: impl FnMut(&Entry<'_>, Ids, Option<i64>)) {
    let mut lines = Merged::new(sources(paths, report));
    let mut last = None;
    while lines.advance(report) {
        let Some(entry) = lines.entry() else { return };
        last = entry.time().or(last);
        take(&entry, Ids::of(&entry), last);
    }
}

/// Lines of stdin.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    left_out: u64,
}

impl Kept {
    fn keep(&mut self, line: &[u8]) {
        if self.bytes.len() + line.len() < STDIN_BYTES {
            self.bytes.extend_from_slice(line);
            self.bytes.push(b'\n');
        } else {
            self.left_out += 1;
        }
    }

    fn each(&self, mut take: impl FnMut(&Entry<'_>, Ids, Option<i64>)) {
        let mut parser = Parser::default();
        let mut last = None;
        for line in self.bytes.split(|byte| *byte == b'\n') {
            parser.read(line);
            let entry = parser.entry(line);
            last = entry.time().or(last);
            take(&entry, Ids::of(&entry), last);
        }
    }
}
