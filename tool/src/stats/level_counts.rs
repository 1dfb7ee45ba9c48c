//! How many lines there are of each level.

use std::ops::AddAssign;

use crate::loggers::LineLevel;

/// Lines by level; those without one are separate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LevelCounts {
    levels: [u64; LineLevel::ALL.len()],
    pub(crate) without: u64,
}

impl LevelCounts {
    pub(crate) fn add(&mut self, level: Option<LineLevel>) {
        self.add_lines(level, 1);
    }

    /// Adds this many lines of a level.
    pub(crate) fn add_lines(&mut self, level: Option<LineLevel>, lines: u64) {
        match level.and_then(|level| self.levels.get_mut(level as usize)) {
            Some(count) => *count += lines,
            None => self.without += lines,
        }
    }

    pub(crate) fn of(&self, level: LineLevel) -> u64 {
        self.levels.get(level as usize).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> u64 {
        self.levels.iter().sum::<u64>() + self.without
    }

    /// Returns how many are errors, or more severe.
    pub(crate) fn errors(&self) -> u64 {
        self.levels.iter().skip(LineLevel::Error as usize).sum()
    }
}

impl AddAssign for LevelCounts {
    fn add_assign(&mut self, other: Self) {
        self.levels.iter_mut().zip(other.levels).for_each(|(one, other)| *one += other);
        self.without += other.without;
    }
}
