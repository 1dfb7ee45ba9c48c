//! The matcher: the text being scanned, with what all matching functions need.
//!
//! `assigned`, `indirect` and `triggers` add their functions to it.

use std::ops::Range;

use super::bounds::{byte, run, run_back, starts};
use super::hit::{Hit, With};
use super::rules::Rules;

pub(super) struct Matcher<'t> {
    pub(super) rules: &'t Rules,
    pub(super) text: &'t [u8],
    pub(super) cut: bool,
    /// No JSON web token begins before this position.
    pub(super) jwt_until: usize,
}

impl<'t> Matcher<'t> {
    #[inline]
    pub(super) fn within(&mut self, text: &'t [u8]) -> &mut Self {
        self.text = text;
        self
    }

    /// Returns the string that begins at `at`: where its content starts, its quote, and how many backslashes precede
    /// that.
    pub(super) fn quoted(&self, at: usize) -> Option<(usize, u8, usize)> {
        let quote = run(self.text, at, |byte| byte == b'\\');
        match byte(self.text, quote) {
            b'"' => Some((quote + 1, b'"', quote - at)),
            b'\'' if quote == at => Some((quote + 1, b'\'', 0)),
            _ => None,
        }
    }

    pub(super) fn back(&self, end: usize, most: usize, of: fn(u8) -> bool) -> usize {
        let from = end.saturating_sub(most);
        from + run_back(self.text.get(from..end).unwrap_or_default(), of)
    }

    pub(super) fn inside(&self, start: usize, end: usize) -> Option<Hit> {
        (start < end && !self.is_replaced(start)).then_some(Hit { start, end, with: With::Bare })
    }

    /// Returns a match for a token. The last four characters of a long one may be shown.
    #[inline]
    pub(super) fn shown(&self, range: Option<Range<usize>>) -> Option<Hit> {
        let with = |length| if length >= 20 { With::LastFour } else { With::Bare };
        let hit = range.map(|range| Hit { start: range.start, end: range.end, with: with(range.len()) });
        hit.filter(|hit| !self.is_replaced(hit.start))
    }

    #[inline]
    pub(super) fn is_replaced(&self, at: usize) -> bool {
        !self.rules.replacement.is_empty() && starts(self.text, at, self.rules.replacement.as_bytes())
    }
}
