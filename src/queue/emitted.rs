//! Lines meant for the output, in two parts, so that the log can count each event once.
//!
//! An event that several outputs want is counted in each. The first of them counts it as `first`, all others as `again`.
//! The sum of `first` over all outputs has each event once, without a counter that all threads would share.

use crate::metrics::ByLevel;

/// Counts of lines meant for the output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Emitted<T> {
    /// Events that no output before this one counts.
    pub(super) first: T,
    pub(super) again: T,
}

impl<T> Emitted<T> {
    #[inline]
    pub(super) fn part(&self, is_first: bool) -> &T {
        if is_first { &self.first } else { &self.again }
    }

    #[inline]
    pub(super) fn part_mut(&mut self, is_first: bool) -> &mut T {
        if is_first { &mut self.first } else { &mut self.again }
    }

    pub(super) fn parts(&self) -> [&T; 2] {
        [&self.first, &self.again]
    }
}

impl Emitted<ByLevel> {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { first: self.first.plus(other.first), again: self.again.plus(other.again) }
    }

    pub(super) fn all(self) -> ByLevel {
        self.first.plus(self.again)
    }
}
