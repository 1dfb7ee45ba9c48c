//! How many lines were no records.

use crate::entry::{Entry, Form};
use crate::report::Report;
use crate::scan::Passed;

/// Counts the lines that are no records.
#[derive(Clone, Copy, Default)]
pub(crate) struct Unparsed {
    text: u64,
    broken: u64,
}

impl Unparsed {
    pub(crate) fn count(&mut self, entry: &Entry<'_>) {
        match entry.form() {
            Form::Text => self.text += 1,
            Form::Broken => self.broken += 1,
            _ => {}
        }
    }

    /// Adds those of other lines.
    pub(super) fn add(&mut self, other: Self) {
        self.text += other.text;
        self.broken += other.broken;
    }

    /// Adds lines that were not returned.
    pub(crate) fn and_passed(mut self, passed: Passed) -> Self {
        self.add(Self { text: passed.text, broken: passed.broken });
        self
    }

    /// Notes on stderr how many there were.
    pub(crate) fn report(&self, report: &Report) {
        let Self { text, broken } = self;
        if text + broken > 0 {
            let of = text + broken;
            let (lines, were, records) =
                if of == 1 { ("line", "was", "no record") } else { ("lines", "were", "no records") };
            report.note(&format!("{of} {lines} {were} {records}: {broken} broken, {text} of plain text"));
        }
    }
}
