//! What an index says of the lines that begin in a part of a file.

use super::filter::{self, Filter};

/// What lines have, one of which meets the conditions of a search. A line without it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    /// The first time, in nanoseconds since 1970.
    pub(crate) since: Option<i64>,
    /// The first time that is too late.
    pub(crate) until: Option<i64>,
    /// The hashes of ids: a line has one of each list.
    ids: Vec<Vec<u64>>,
}

impl Bounds {
    /// Adds that a line has one of these ids: of a trace, a request or a span.
    pub(crate) fn add_ids<'i>(&mut self, ids: impl IntoIterator<Item = &'i str>) {
        self.ids.push(ids.into_iter().map(filter::hash).collect());
    }

    /// Adds that a line has a time in a range.
    pub(crate) fn add_range(&mut self, since: Option<i64>, until: Option<i64>) {
        self.since = self.since.max(since);
        self.until = [self.until, until].into_iter().flatten().min();
    }

    /// Returns whether it says nothing: each line may be meant.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.ids.is_empty()
    }
}

/// The times of lines, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
    /// That of the last line with a time.
    pub(crate) last: i64,
}

/// The lines that begin in a part of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Whether a line begins in it.
    pub(super) has_lines: bool,
    /// `None`: no line has a time.
    pub(crate) spread: Option<Spread>,
    /// How many lines are plain text.
    pub(crate) text: u64,
    pub(crate) broken: u64,
    /// Whether it has to be read: what is known of it is not enough, or depends on more than its bytes.
    pub(super) is_doubtful: bool,
    /// Whether its lines may have any id: there are too many.
    pub(super) has_any_id: bool,
    /// The bits of the filter.
    pub(super) ids: Vec<u8>,
    /// The hash of some of its bytes.
    pub(super) samples: u64,
}

impl Block {
    /// Returns whether one of the lines may be in the bounds.
    pub(super) fn may_have(&self, bounds: &Bounds) -> bool {
        self.is_doubtful || self.has_time_in(bounds) && (self.has_any_id || self.has_ids_of(bounds))
    }

    /// Returns the same without what tells whether it has to be read.
    pub(super) fn summary(&self) -> Self {
        Self { spread: self.spread, text: self.text, broken: self.broken, ..Self::default() }
    }

    /// Adds the lines of the next block to a summary.
    pub(super) fn join(&mut self, next: &Self) {
        self.spread = match (self.spread, next.spread) {
            (Some(one), Some(next)) => Some(Spread {
                earliest: one.earliest.min(next.earliest),
                latest: one.latest.max(next.latest),
                last: next.last,
            }),
            (one, next) => next.or(one),
        };
        self.text += next.text;
        self.broken += next.broken;
    }

    fn has_time_in(&self, bounds: &Bounds) -> bool {
        if bounds.since.is_none() && bounds.until.is_none() {
            return true;
        }
        let Some(Spread { earliest, latest, .. }) = self.spread else { return false };
        bounds.since.is_none_or(|since| latest >= since) && bounds.until.is_none_or(|until| earliest < until)
    }

    fn has_ids_of(&self, bounds: &Bounds) -> bool {
        let filter = Filter::new(&self.ids);
        bounds.ids.iter().all(|list| list.iter().any(|id| filter.may_have(*id)))
    }
}
