//! The lines that were found in a part of a log.

use std::iter::Sum;
use std::ops::AddAssign;

use crate::entry::{Entry, Form};
use crate::index::Block;

/// How many lines were read that were not found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) text: u64,
    pub(crate) broken: u64,
    /// Lines of which only the first bytes count.
    pub(crate) cut: u64,
}

impl Passed {
    pub(super) fn count(&mut self, entry: &Entry<'_>) {
        self.text += u64::from(entry.form() == Form::Text);
        self.broken += u64::from(entry.form() == Form::Broken);
        self.cut += u64::from(entry.is_cut());
    }
}

impl AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        self.text += other.text;
        self.broken += other.broken;
        self.cut += other.cut;
    }
}

impl Sum for Passed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// What is known of a line that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundLine {
    /// Whether only its first bytes are here.
    pub(crate) is_cut: bool,
    /// The form that decides how it is read if it is ambiguous.
    pub(crate) settled: Form,
    /// The time that it has itself, which may not be told again from its bytes.
    pub(crate) own_time: Option<i64>,
    /// Its time, or that of the line before it in its log, in nanoseconds since 1970.
    pub(crate) time: Option<i64>,
}

/// The lines that were found in a part of a log, in their order.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// Line behind line, without newlines.
    bytes: Vec<u8>,
    lines: Vec<Found>,
    /// How many were counted that are not here.
    pub(super) counted: u64,
    /// What was passed behind the last of the lines.
    pub(super) passed: Passed,
    /// The last time in the part, and the latest.
    pub(super) times: Times,
    /// What could not be read.
    pub(super) failures: Vec<String>,
}

#[derive(Debug)]
struct Found {
    line: FoundLine,
    /// Where it ends in `bytes`.
    end: usize,
    /// The latest time of the lines up to it.
    latest: Option<i64>,
    /// What was passed since the line that was found before.
    passed: Passed,
}

/// The times of the lines so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) last: Option<i64>,
    pub(super) latest: Option<i64>,
}

impl Times {
    pub(super) fn add(&mut self, time: Option<i64>) {
        self.last = time.or(self.last);
        self.latest = self.latest.max(time);
    }
}

impl Hits {
    /// Returns how much memory it takes, about.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.lines.len() * size_of::<Found>()
    }

    /// Returns whether there is a line, or what could not be read.
    pub(super) fn has_any(&self) -> bool {
        !self.lines.is_empty() || !self.failures.is_empty()
    }

    /// Returns what lines leave behind that are not found. `has_times`: whether their times are needed.
    pub(super) fn without(block: &Block, has_times: bool) -> Self {
        let spread = block.spread.filter(|_| has_times);
        let times = Times { last: spread.map(|spread| spread.last), latest: spread.map(|spread| spread.latest) };
        Self { passed: Passed { text: block.text, broken: block.broken, cut: 0 }, times, ..Self::default() }
    }

    /// Adds a line, whose time was added to the times.
    pub(super) fn push(&mut self, entry: &Entry<'_>, settled: Form) {
        let line = FoundLine { is_cut: entry.is_cut(), settled, own_time: entry.time(), time: self.times.last };
        self.put(entry.line(), line);
    }

    /// Adds a line whose times do not matter.
    pub(super) fn push_unread(&mut self, line: &[u8], is_cut: bool, settled: Form) {
        self.put(line, FoundLine { is_cut, settled, own_time: None, time: None });
    }

    fn put(&mut self, bytes: &[u8], line: FoundLine) {
        self.bytes.extend_from_slice(bytes);
        let passed = std::mem::take(&mut self.passed);
        self.lines.push(Found { line, end: self.bytes.len(), latest: self.times.latest, passed });
    }

    fn line(&self, number: usize) -> Option<(&Found, &[u8])> {
        let found = self.lines.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.lines.get(before)).map_or(0, |before| before.end);
        Some((found, self.bytes.get(start..found.end)?))
    }
}

/// The lines of a log that were found and not returned yet.
#[derive(Debug, Default)]
pub(super) struct Head {
    hits: Hits,
    next: usize,
    /// The times of the parts before.
    times: Times,
    /// What was reported last.
    pub(super) last_failure: Option<String>,
}

impl Head {
    /// Returns where the next line belongs among those of other logs: at the latest time up to it.
    pub(super) fn place(&self) -> Option<i64> {
        let (found, _) = self.hits.line(self.next)?;
        Some(self.times.latest.max(found.latest).unwrap_or(i64::MIN))
    }

    /// Copies the next line. Returns what is known of it, and what was passed before it.
    pub(super) fn take(&mut self, line: &mut Vec<u8>) -> Option<(FoundLine, Passed)> {
        let (found, bytes) = self.hits.line(self.next)?;
        line.clear();
        line.extend_from_slice(bytes);
        self.next += 1;
        Some((FoundLine { time: found.line.time.or(self.times.last), ..found.line }, found.passed))
    }

    /// Returns what was passed behind the last line, once.
    pub(super) fn take_passed(&mut self) -> Passed {
        std::mem::take(&mut self.hits.passed)
    }

    /// Goes on with the lines of the next part.
    pub(super) fn replace(&mut self, hits: Hits) {
        let before = std::mem::replace(&mut self.hits, hits).times;
        self.times.last = before.last.or(self.times.last);
        self.times.latest = self.times.latest.max(before.latest);
        self.next = 0;
    }
}
