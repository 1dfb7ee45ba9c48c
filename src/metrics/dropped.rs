//! Counts of dropped lines, by reason and level.

use tracing::Level;

use super::by_level::ByLevel;
use super::reason::Reason;

/// Counts dropped lines by reason and level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([ByLevel; Reason::ALL.len()]);

impl Dropped {
    /// Returns the lines dropped for one reason.
    pub fn reason(&self, reason: Reason) -> ByLevel {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// Returns the lines dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().map(ByLevel::total).sum()
    }

    /// Returns the reasons with a count.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, ByLevel)> + use<> {
        let dropped = *self;
        Reason::ALL.into_iter().map(move |reason| (reason, dropped.reason(reason))).filter(|(_, by)| by.total() > 0)
    }

    pub(crate) fn plus(mut self, reason: Reason, lines: ByLevel) -> Self {
        lines.levels().for_each(|(level, lines)| self.add(reason, level, lines));
        self
    }

    pub(crate) fn add(&mut self, reason: Reason, level: Level, lines: u64) {
        if let Some(by_level) = self.0.get_mut(reason as usize) {
            by_level.add(level, lines);
        }
    }
}
