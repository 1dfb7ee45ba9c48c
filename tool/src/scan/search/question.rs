//! What is searched for.

use crate::query::{Filter, Needle};

/// Which lines are found, and what is needed of them.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// What each line has that is found.
    pub(crate) needle: Option<Needle>,
    pub(crate) filter: Filter,
    /// Whether lines are read that do not have it. Only those are counted that were read.
    pub(crate) reads_all: bool,
    /// Whether lines are only counted.
    pub(crate) is_count: bool,
    /// Whether the times of lines are needed that have none themselves: those of the lines before them.
    pub(crate) needs_times: bool,
}

impl Question {
    /// Finds the lines that meet conditions.
    pub(crate) fn of_filter(filter: Filter) -> Self {
        Self { needle: filter.needle(), filter, ..Self::default() }
    }
}
