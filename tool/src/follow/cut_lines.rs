//! How many lines were too long.

use crate::entry::Entry;
use crate::report::Report;

/// Counts the lines of which only the first bytes are shown.
#[derive(Default)]
pub(crate) struct CutLines(u64);

impl CutLines {
    pub(crate) fn count(&mut self, entry: &Entry<'_>) {
        self.0 += u64::from(entry.is_cut());
    }

    /// Notes on stderr how many there were.
    pub(crate) fn report(&self, report: &Report) {
        match self.0 {
            0 => {}
            1 => report.note("1 line was longer than 1 MiB; only its first MiB was read"),
            lines => report.note(&format!("{lines} lines were longer than 1 MiB; only their first MiB was read")),
        }
    }
}
