//! What is searched for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::entry::Entry;
use crate::index::{Bounds, Store};
use crate::query::{Filter, Needle};

/// Ids of which a line has one.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) ids: BTreeSet<String>,
    /// Returns whether an entry has one of the ids.
    pub(crate) has: fn(&Entry<'_>, &BTreeSet<String>) -> bool,
}

/// Which lines are found, and what is needed of them.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// What each line has that is found.
    pub(crate) needle: Option<Needle>,
    pub(crate) filter: Filter,
    /// Without it, the ids of a line do not matter.
    pub(crate) ids: Option<Ids>,
    /// What an index can say of each line that is found.
    pub(crate) bounds: Bounds,
    /// Where indexes are, if they are used.
    pub(crate) index: Option<Arc<Store>>,
    /// Whether lines are read that do not have it. Only those are counted that were read.
    pub(crate) reads_all: bool,
    /// Whether lines are only counted.
    pub(crate) is_count: bool,
    /// Whether the times of lines are needed that have none themselves: those of the lines before them.
    pub(crate) needs_times: bool,
}

impl Question {
    /// Returns whether an entry is found that has the needle.
    pub(super) fn is_met(&self, entry: &Entry<'_>) -> bool {
        self.filter.matches(entry) && self.ids.as_ref().is_none_or(|ids| (ids.has)(entry, &ids.ids))
    }

    /// Returns whether each line is found, and nothing more is needed of it.
    pub(super) fn takes_all(&self) -> bool {
        self.filter.is_empty() && self.ids.is_none() && !self.is_count && !self.needs_times
    }

    /// Finds the lines that meet conditions.
    pub(crate) fn of_filter(filter: Filter) -> Self {
        Self { needle: filter.needle(), bounds: filter.bounds(), filter, ..Self::default() }
    }
}
