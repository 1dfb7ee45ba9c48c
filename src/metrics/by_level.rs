//! Counts by level.

use tracing::Level;

/// Counts lines by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByLevel([u64; 5]);

impl ByLevel {
    /// Returns the lines of one level.
    pub fn level(&self, level: Level) -> u64 {
        self.0.get(index(level)).copied().unwrap_or(0)
    }

    /// Returns the lines of all levels.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    #[inline]
    pub(crate) fn add(&mut self, level: Level, lines: u64) {
        if let Some(count) = self.0.get_mut(index(level)) {
            *count += lines;
        }
    }

    /// The counts that `count` gives.
    pub(crate) fn of(count: impl Fn(Level) -> u64) -> Self {
        Self(LEVELS.map(count))
    }

    pub(crate) fn minus(mut self, other: Self) -> Self {
        for (count, less) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_sub(less);
        }
        self
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
        self
    }

    /// The levels with a count, most severe first.
    pub(crate) fn levels(self) -> impl Iterator<Item = (Level, u64)> {
        LEVELS.into_iter().map(move |level| (level, self.level(level))).filter(|(_, count)| *count > 0)
    }
}

/// The element of an array by level, most severe first.
#[inline]
pub(crate) fn of_level<T>(all: &[T; 5], level: Level) -> &T {
    let [error, warn, info, debug, trace] = all;
    match level {
        Level::ERROR => error,
        Level::WARN => warn,
        Level::INFO => info,
        Level::DEBUG => debug,
        Level::TRACE => trace,
    }
}

/// The level's name in metrics.
pub(super) fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

pub(super) const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

#[inline]
fn index(level: Level) -> usize {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}
