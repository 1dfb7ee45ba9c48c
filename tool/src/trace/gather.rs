//! Reads logs, and collects the lines of a trace.
//!
//! The first pass collects the lines that have the id, and learns which traces and requests it belongs to. A second pass
//! collects the lines of those, if there can be any. Stdin cannot be read twice, so the lines of it that may belong to the
//! trace are kept in memory, up to [`STDIN_BYTES`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::line::{Ids, Told, ids_of};
use super::store::Store;
use super::wanted::Wanted;
use crate::counted::counted;
use crate::entry::{Entry, Parser};
use crate::index::{self, Bounds};
use crate::inputs::{Merged, searchable, sources};
use crate::query::Needle;
use crate::report::Report;
use crate::scan::{self, Question, Search};
use crate::sealed::Key;

/// The lines of stdin that are kept for a second pass.
const STDIN_BYTES: usize = 64 << 20;

/// The logs that are read.
#[derive(Debug)]
pub(crate) struct Logs<'k> {
    pub(crate) paths: Vec<PathBuf>,
    /// Opens those that are sealed.
    pub(crate) key: Option<&'k Key>,
    /// Where indexes are, if they are used.
    pub(crate) index: Option<Arc<index::Store>>,
}

/// Returns the spans and lines of the trace, the request or the span with this id.
pub(super) fn gather(id: &str, logs: &Logs<'_>, report: &mut Report) -> Store {
    let mut store = Store::default();
    let mut wanted = Wanted::new(id);
    let mut kept = Kept::default();
    let (stdin, files): (Vec<_>, Vec<_>) = logs.paths.iter().cloned().partition(|path| path == Path::new("-"));
    if !files.is_empty() {
        // A search passes over lines that do not have the id.
        wanted.pass_over();
        let lines = lines_with(&wanted.ids(), &files, logs, report);
        each_of(lines, report, |entry, time| learn(&mut store, &mut wanted, entry, time));
    }
    if !stdin.is_empty() {
        each_of(Merged::new(sources(&stdin, logs.key, report)), report, |entry, time| {
            let is_found = learn(&mut store, &mut wanted, entry, time);
            if !is_found && Ids::of(entry) != Ids::default() {
                kept.keep(entry.line());
            }
            is_found
        });
    }
    if !wanted.needs_more() {
        return store;
    }
    if !files.is_empty() {
        // What cannot be read was reported.
        let quiet = &mut Report::quiet();
        let lines = lines_with(&wanted.all_ids(), &files, logs, quiet);
        each_of(lines, quiet, |entry, time| add_other(&mut store, &mut wanted, entry, time));
    }
    kept.each(|entry, time| add_other(&mut store, &mut wanted, entry, time));
    if kept.left_out > 0 {
        let lines = counted(kept.left_out, "line", "lines");
        report.failure(&format!(
            "read stdin: above the limit of {STDIN_BYTES} bytes, {lines} may belong to the trace; pass a file"
        ));
    }
    store
}

/// Returns the lines of files that have one of these ids, and others if an id is spelled in a way that no search finds.
fn lines_with(ids: &[String], files: &[PathBuf], logs: &Logs<'_>, report: &mut Report) -> Merged {
    let needle = Needle::of_ids(ids.iter().map(String::as_str));
    match needle.filter(|_| logs.key.is_none()).and_then(|needle| Some((needle, searchable(files, report)?))) {
        Some((needle, found)) => {
            let are_several = found.len() > 1;
            let mut bounds = Bounds::default();
            bounds.add_ids(ids.iter().map(String::as_str));
            let index = logs.index.clone();
            let question = Question {
                needle: Some(needle),
                ids: Some(scan::Ids { ids: ids.iter().cloned().collect(), has: has_any }),
                bounds,
                index,
                needs_times: true,
                ..Question::default()
            };
            Merged::stored(Search::new(found, question), are_several)
        }
        None => Merged::new(sources(files, logs.key, report)),
    }
}

/// Returns whether a line has one of these ids. Others that only mention one would change where lines belong among those of other
/// logs.
fn has_any(entry: &Entry<'_>, ids: &BTreeSet<String>) -> bool {
    ids_of(entry).any(|id| ids.contains(&id))
}

/// Returns the same from lines that are at hand. `each`: passes all of them on.
#[cfg(all(unix, feature = "keys"))]
pub(super) fn gather_from(id: &str, mut each: impl FnMut(&mut dyn FnMut(&Entry<'_>, Option<i64>) -> bool)) -> Store {
    let mut store = Store::default();
    let mut wanted = Wanted::new(id);
    each(&mut |entry, time| learn(&mut store, &mut wanted, entry, time));
    if wanted.needs_more() {
        each(&mut |entry, time| add_other(&mut store, &mut wanted, entry, time));
    }
    store
}

/// Does the same with the lines of an engine. `open` returns those that have one of these ids, and maybe others; `None` if it
/// has reported why it cannot.
#[cfg(feature = "clickhouse")]
pub(super) fn gather_stored(
    id: &str,
    mut open: impl FnMut(&[String], &mut Report) -> Option<Merged>,
    report: &mut Report,
) -> Store {
    let mut store = Store::default();
    let mut wanted = Wanted::new(id);
    // The engine has passed over the others.
    wanted.pass_over();
    if let Some(lines) = open(&wanted.ids(), report) {
        each_of(lines, report, |entry, time| learn(&mut store, &mut wanted, entry, time));
    }
    if wanted.needs_more()
        && let Some(lines) = open(&wanted.all_ids(), report)
    {
        each_of(lines, report, |entry, time| add_other(&mut store, &mut wanted, entry, time));
    }
    store
}

/// Adds a line that has the id. Returns whether it does.
fn learn(store: &mut Store, wanted: &mut Wanted, entry: &Entry<'_>, time: Option<i64>) -> bool {
    if !wanted.may_be_in(entry.line()) {
        wanted.pass_over();
        return false;
    }
    let ids = Ids::all_of(entry);
    let is_found = wanted.learn(&ids);
    if is_found {
        store.add(Told::of(entry, ids), time);
    }
    is_found
}

/// Adds a line that belongs to the trace, and does not have the id. Returns whether it is one.
fn add_other(store: &mut Store, wanted: &mut Wanted, entry: &Entry<'_>, time: Option<i64>) -> bool {
    let ids = Ids::of(entry);
    if !wanted.has(&ids) {
        return false;
    }
    let ids = ids.with_spans(entry);
    let is_other = !wanted.learn(&ids);
    if is_other {
        store.add(Told::of(entry, ids), time);
    }
    is_other
}

/// Calls `take` with each line and its time, which is that of the line before in its log if it has none.
fn each_of(mut lines: Merged, report: &mut Report, mut take: impl FnMut(&Entry<'_>, Option<i64>) -> bool) {
    while lines.advance(report) {
        let time = lines.time();
        let Some(entry) = lines.entry() else { return };
        take(&entry, time);
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

    fn each(&self, mut take: impl FnMut(&Entry<'_>, Option<i64>) -> bool) {
        let mut parser = Parser::default();
        let mut last = None;
        for line in self.bytes.split(|byte| *byte == b'\n') {
            parser.read(line);
            let entry = parser.entry(line);
            last = entry.time().or(last);
            take(&entry, last);
        }
    }
}
