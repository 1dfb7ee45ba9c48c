//! The lines around those that match.

use std::collections::VecDeque;

/// A line that was not printed.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) line: Vec<u8>,
    pub(super) is_cut: bool,
}

/// Remembers the lines before, and counts those behind.
#[derive(Debug, Default)]
pub(super) struct Around {
    lines: usize,
    /// The last lines that were not printed, at most `lines`.
    before: VecDeque<Before>,
    /// How many of the next lines are printed.
    behind: usize,
    /// Whether lines were left out since the last one that was printed.
    has_gap: bool,
    is_begun: bool,
}

impl Around {
    pub(super) fn new(lines: usize) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Takes a line that does not match. Returns whether it is printed.
    pub(super) fn pass(&mut self, line: &[u8], is_cut: bool) -> bool {
        if self.behind > 0 {
            self.behind -= 1;
            return true;
        }
        if self.before.len() < self.lines {
            self.before.push_back(Before { line: line.to_vec(), is_cut });
        } else {
            self.has_gap = true;
            // The oldest line's memory is used again.
            if let Some(mut oldest) = self.before.pop_front() {
                oldest.line.clear();
                oldest.line.extend_from_slice(line);
                oldest.is_cut = is_cut;
                self.before.push_back(oldest);
            }
        }
        false
    }

    /// Takes a line that matches. Returns whether a separator is printed, and the lines before it.
    pub(super) fn meet(&mut self) -> (bool, VecDeque<Before>) {
        let has_separator = self.lines > 0 && self.is_begun && self.has_gap;
        self.is_begun = true;
        self.has_gap = false;
        self.behind = self.lines;
        (has_separator, std::mem::take(&mut self.before))
    }

    /// Returns whether lines behind the last match are still to be printed.
    pub(super) fn is_open(&self) -> bool {
        self.behind > 0
    }
}
