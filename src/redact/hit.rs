//! HIT

use super::bounds::backslashes_at_end;

/// A piece of a text that is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) with: With,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum With {
    /// The replacement in quotes, each behind so many backslashes: for a value of JSON.
    Quoted(usize),
    Bare,
    /// Its last four characters, where that is wanted.
    LastFour,
}

impl Hit {
    /// Leaves the string of JSON whole that it is in: no escape is cut in two, and no quote is added that would close it.
    pub(super) fn fit(&mut self, text: &[u8]) {
        let odd = |from: usize, to: usize| backslashes_at_end(text.get(from..to).unwrap_or_default()) % 2;
        self.start -= odd(0, self.start);
        self.end -= odd(self.start, self.end);
        self.with =
            if matches!(self.with, With::Quoted(backslashes) if backslashes % 2 == 0) { With::Bare } else { self.with };
    }
}
