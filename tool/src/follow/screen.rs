//! What becomes of each line: it is filtered and printed.

use std::io::{self, Write};

use super::cut_lines::CutLines;
use super::show::Show;
use crate::entry::Entry;
use crate::query::Filter;
use crate::report::Report;
use crate::show::{Printer, Unparsed};

/// Filters entries, and prints those that are found.
pub(crate) struct Screen<'a, W> {
    filter: Filter,
    printer: Printer<'a, W>,
    unparsed: Unparsed,
    cut: CutLines,
    found: u64,
    limit: u64,
    counts_only: bool,
}

impl<'a, W: Write> Screen<'a, W> {
    /// `limit`: how many lines are found at most. `counts_only`: nothing is printed.
    pub(crate) fn new(filter: Filter, printer: Printer<'a, W>, limit: u64, counts_only: bool) -> Self {
        Self { filter, printer, unparsed: Unparsed::default(), cut: CutLines::default(), found: 0, limit, counts_only }
    }

    /// Notes what was no record. Returns how many lines were found.
    pub(crate) fn end(self, report: &Report) -> u64 {
        self.cut.report(report);
        self.unparsed.report(report);
        self.found
    }
}

impl<W: Write> Show for Screen<'_, W> {
    fn wants(&self, entry: &Entry<'_>) -> bool {
        self.filter.matches(entry)
    }

    fn take(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        if self.is_done() {
            return Ok(());
        }
        self.unparsed.count(entry);
        self.cut.count(entry);
        if self.found >= self.limit || !self.filter.matches(entry) {
            return self.printer.passed(entry);
        }
        self.found += 1;
        if self.counts_only { Ok(()) } else { self.printer.found(entry) }
    }

    fn is_done(&self) -> bool {
        self.found >= self.limit && !self.printer.is_open()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.printer.flush()
    }
}
