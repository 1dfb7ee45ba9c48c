//! The lines of several logs, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::source::Source;
use crate::entry::Entry;
use crate::report::Report;
use crate::scan::Passed;

/// Merges sources. Lines of the same time come in the order of the sources.
pub(crate) struct Merged {
    sources: Vec<Source>,
    /// The places of the lines that are next, and the numbers of their sources.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    /// The source of the line that was returned last.
    current: usize,
    is_begun: bool,
    are_several: bool,
}

impl Merged {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        let next = BinaryHeap::with_capacity(sources.len());
        let are_several = sources.len() > 1;
        Self { sources, next, current: 0, is_begun: false, are_several }
    }

    /// Returns lines that an engine or a search has merged. `are_several`: whether they are those of several logs.
    pub(crate) fn stored(lines: impl super::Stored + 'static, are_several: bool) -> Self {
        Self { are_several, ..Self::new(vec![Source::stored(lines)]) }
    }

    /// Returns whether there are several logs.
    pub(crate) fn are_several(&self) -> bool {
        self.are_several
    }

    /// Returns whether the next line can be read at once.
    pub(crate) fn is_ready(&self) -> bool {
        match self.sources.get(self.current).filter(|_| self.is_begun) {
            Some(source) => source.is_ready(),
            None => self.sources.iter().all(Source::is_ready),
        }
    }

    /// Returns how many lines were too long, so that only their beginnings were read.
    pub(crate) fn cut_lines(&self) -> u64 {
        self.sources.iter().map(Source::cut_lines).sum()
    }

    /// Returns how many lines a search has counted, instead of returning them.
    pub(crate) fn counted(&self) -> u64 {
        self.sources.iter().map(Source::counted).sum()
    }

    /// Returns how many lines were read so far that were not returned.
    pub(crate) fn passed(&self) -> Passed {
        self.sources.iter().map(Source::passed).sum()
    }

    /// Goes to the next line, and reports what cannot be read. Returns false after the last one.
    pub(crate) fn advance(&mut self, report: &mut Report) -> bool {
        if let [source] = self.sources.as_mut_slice() {
            return source.advance(report);
        }
        if self.is_begun {
            self.read(self.current, report);
        } else {
            self.is_begun = true;
            (0..self.sources.len()).for_each(|number| self.read(number, report));
        }
        match self.next.pop() {
            Some(Reverse((_, number))) => {
                self.current = number;
                true
            }
            None => false,
        }
    }

    /// Returns the line that was reached; `None` before the first.
    pub(crate) fn entry(&self) -> Option<Entry<'_>> {
        self.sources.get(self.current).map(Source::entry)
    }

    /// Returns the time of the line that was reached, or of the last line before it in its log that has one.
    pub(crate) fn time(&mut self) -> Option<i64> {
        self.sources.get_mut(self.current).map(Source::place).filter(|time| *time != i64::MIN)
    }

    fn read(&mut self, number: usize, report: &mut Report) {
        if let Some(source) = self.sources.get_mut(number)
            && source.advance(report)
        {
            self.next.push(Reverse((source.place(), number)));
        }
    }
}

/// Reports how many lines were too long, so that only their beginnings were read.
pub(crate) fn report_cut_lines(lines: u64, report: &Report) {
    match lines {
        0 => {}
        1 => report.note("1 line was longer than 1 MiB; only its first MiB was read"),
        lines => report.note(&format!("{lines} lines were longer than 1 MiB; only their first MiB was read")),
    }
}
