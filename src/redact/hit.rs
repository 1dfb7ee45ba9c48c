//! A match: which part of a text is replaced, and how.

use super::bounds::backslashes_at_end;

/// A part of a text to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) with: With,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum With {
    /// The replacement in quotes, each after this many backslashes: for a JSON value.
    Quoted(usize),
    Bare,
    /// The last four characters, where the rules ask for them.
    LastFour,
}

impl Hit {
    /// Keeps the JSON string around it intact: cuts no escape in two, and adds no quote that would close the string.
    pub(super) fn fit(&mut self, text: &[u8]) {
        let odd = |from: usize, to: usize| backslashes_at_end(text.get(from..to).unwrap_or_default()) % 2;
        self.start -= odd(0, self.start);
        self.end -= odd(self.start, self.end);
        self.with =
            if matches!(self.with, With::Quoted(backslashes) if backslashes % 2 == 0) { With::Bare } else { self.with };
    }
}
