//! The errors of the last minutes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

#[cfg(all(unix, feature = "follow"))]
use spanline::record::Timestamp;

use crate::entry::{Entry, Parser};
use crate::loggers::time::NANOS;
use crate::scan::Place;

/// How much a thread keeps of entries, in bytes.
pub(crate) const MAX_RECENT_BYTES: usize = 4 << 20;

const FIRST_PRUNE: usize = 1024;

/// The newest errors, and how many there are in each of the last seconds.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    window: Window,
    most: usize,
    by_second: BTreeMap<i64, u64>,
    /// The oldest first.
    entries: BinaryHeap<Reverse<RecentEntry>>,
    bytes: usize,
    /// With this many seconds, those that are not recent are removed.
    next_prune: usize,
    /// The newest entry that had no place, because the others took too many bytes: older ones would not be the newest.
    evicted: Option<(i64, Place)>,
}

/// What is recent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Window {
    /// This many seconds up to the last line of all.
    OfLogs(i64),
    /// What is of this second since 1970, or later.
    Since(i64),
    /// This many seconds up to now, which moves on.
    #[cfg(all(unix, feature = "follow"))]
    UpToNow(i64),
}

impl RecentEntry {
    /// Reads the line again.
    pub(crate) fn entry<'e>(&'e self, parser: &'e mut Parser) -> Entry<'e> {
        parser.stored(Some(self.time));
        parser.read_line(&self.line, self.is_cut);
        parser.entry(&self.line)
    }
}

impl Window {
    /// Returns the first recent second. `newest`: that of the last line.
    pub(crate) fn since(self, newest: i64) -> i64 {
        match self {
            Self::OfLogs(seconds) => newest.saturating_sub(seconds).saturating_add(1),
            Self::Since(second) => second,
            #[cfg(all(unix, feature = "follow"))]
            Self::UpToNow(seconds) => Timestamp::now().as_nanos().div_euclid(NANOS).saturating_sub(seconds),
        }
    }
}

/// A line that is an error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecentEntry {
    /// Nanoseconds since 1970.
    pub(crate) time: i64,
    pub(crate) place: Place,
    pub(crate) line: Vec<u8>,
    /// Whether the line goes on behind its last byte.
    pub(crate) is_cut: bool,
}

/// The errors since a second.
#[derive(Debug, Default)]
pub(crate) struct RecentErrors {
    pub(crate) count: u64,
    /// The newest first.
    pub(crate) entries: Vec<RecentEntry>,
}

impl Recent {
    /// `most`: how many entries are kept.
    pub(super) fn new(window: Window, most: usize) -> Self {
        Self {
            window,
            most,
            by_second: BTreeMap::new(),
            entries: BinaryHeap::new(),
            bytes: 0,
            next_prune: FIRST_PRUNE,
            evicted: None,
        }
    }

    pub(super) fn add(&mut self, time: i64, place: Place, line: &[u8], is_cut: bool) {
        let second = match self.window {
            Window::Since(since) if time.div_euclid(NANOS) < since => return,
            // All in one: nothing decides later which of them is recent.
            Window::Since(since) => since,
            _ => time.div_euclid(NANOS),
        };
        *self.by_second.entry(second).or_default() += 1;
        if self.by_second.len() >= self.next_prune {
            self.prune();
        }
        let is_newer = |oldest: &Reverse<RecentEntry>| (oldest.0.time, oldest.0.place) < (time, place);
        let has_place = self.entries.len() < self.most || self.entries.peek().is_some_and(is_newer);
        if has_place && self.evicted < Some((time, place)) {
            self.bytes += line.len();
            self.entries.push(Reverse(RecentEntry { time, place, line: line.to_vec(), is_cut }));
        }
        while self.entries.len() > self.most || self.bytes > MAX_RECENT_BYTES && self.entries.len() > 1 {
            let Some(Reverse(oldest)) = self.entries.pop() else { break };
            self.bytes -= oldest.line.len();
            self.evicted = self.evicted.max(Some((oldest.time, oldest.place)));
        }
    }

    /// Removes the seconds that are not recent, whatever comes.
    fn prune(&mut self) {
        if let Some((newest, _)) = self.by_second.last_key_value() {
            self.by_second = self.by_second.split_off(&self.window.since(*newest));
        }
        self.next_prune = 2 * self.by_second.len() + FIRST_PRUNE;
    }

    /// Returns the errors of all threads since a second.
    pub(super) fn merge(all: Vec<Self>, since: i64) -> RecentErrors {
        let most = all.iter().map(|one| one.most).max().unwrap_or(0);
        let mut recent = RecentErrors::default();
        // What is older than an entry that one thread has lost would leave a gap.
        let lost = all.iter().filter_map(|one| one.evicted.filter(|_| one.entries.len() < one.most)).max();
        for one in all {
            recent.count += one.by_second.range(since..).map(|(_, count)| count).sum::<u64>();
            recent.entries.extend(one.entries.into_iter().map(|Reverse(entry)| entry));
        }
        let is_shown =
            |entry: &RecentEntry| entry.time.div_euclid(NANOS) >= since && lost < Some((entry.time, entry.place));
        recent.entries.retain(is_shown);
        recent.entries.sort_unstable_by(|one, other| other.cmp(one));
        recent.entries.truncate(most);
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(window: Window, seconds: &[i64], since: i64) -> (u64, Vec<i64>) {
        let mut threads = [(); 2].map(|()| Recent::new(window, 2));
        for (number, second) in seconds.iter().enumerate() {
            let place = Place { input: 0, at: number as u64 };
            threads[number % 2].add(second * NANOS, place, b"{}", false);
        }
        let recent = Recent::merge(threads.into(), since);
        (recent.count, recent.entries.iter().map(|entry| entry.time / NANOS).collect())
    }

    #[test]
    fn the_newest_errors_are_kept_and_all_recent_ones_counted() {
        let seconds = [10, 400, 401, 90, 101, 400, 402];
        assert_eq!(merged(Window::OfLogs(300), &seconds, Window::OfLogs(300).since(402)), (4, vec![402, 401]));
        assert_eq!(merged(Window::Since(101), &seconds, 101), (5, vec![402, 401]));
        assert_eq!(merged(Window::Since(500), &seconds, 500), (0, vec![]));
    }

    #[test]
    fn seconds_that_are_long_past_take_no_memory() {
        let mut recent = Recent::new(Window::OfLogs(60), 2);
        for second in (0..100_000).rev().chain(0..100_000) {
            recent.add(second * NANOS, Place::default(), b"{}", false);
        }
        assert!(recent.by_second.len() < 3 * FIRST_PRUNE, "{}", recent.by_second.len());
        assert_eq!(Recent::merge(vec![recent], 99_940).count, 120);
    }
}
