//! Counters: what came in, what went out, what was lost and why.
//!
//! The books balance: for each output, by level,
//! `emitted + taken_over = written + dropped + queued + in_flight + held_back + spooled`. The same numbers for monitoring
//! systems: `series` names them, `prometheus` and `publish` hand them over.

mod delivered;
mod dropped_line;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg(feature = "metrics")]
mod publish;
#[cfg(any(feature = "metrics", feature = "prometheus"))]
mod series;

pub(crate) use delivered::{Delivered, DeliveredCounts};
pub(crate) use dropped_line::DroppedLine;

use std::fmt;
use std::time::Duration;

use tracing::Level;

/// Why a line was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// The queue was filling up, and lines of this level give way first: [`Overflow::Shed`](crate::Overflow::Shed).
    Shed,
    /// The record alone is larger than the queue.
    TooLarge,
    /// It was logged on the output's own worker thread, by the sink itself for example.
    OwnThread,
    /// The sink has ended (a closed pipe), or the log was shut down before its worker could answer.
    Closed,
    /// The sink refused the line for good, or the schema made nothing of it.
    Rejected,
    /// The schema or the sink panicked on it.
    Panicked,
    /// The deadline of the shutdown ran out before it was written.
    Shutdown,
    /// Its call site had logged as many lines in the period as it may:
    /// [`Builder::rate_limit`](crate::Builder::rate_limit).
    RateLimited,
}

impl Reason {
    pub(crate) const ALL: [Reason; 9] = [
        Reason::QueueFull,
        Reason::Shed,
        Reason::TooLarge,
        Reason::OwnThread,
        Reason::Closed,
        Reason::Rejected,
        Reason::Panicked,
        Reason::Shutdown,
        Reason::RateLimited,
    ];

    /// The name used in loss notices.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue_full",
            Reason::Shed => "shed",
            Reason::TooLarge => "too_large",
            Reason::OwnThread => "own_thread",
            Reason::Closed => "closed",
            Reason::Rejected => "rejected",
            Reason::Panicked => "panicked",
            Reason::Shutdown => "shutdown",
            Reason::RateLimited => "rate_limited",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A count of lines for each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByLevel([u64; 5]);

impl ByLevel {
    /// Lines of one level.
    pub fn level(&self, level: Level) -> u64 {
        self.0.get(index(level)).copied().unwrap_or(0)
    }

    /// Lines of all levels.
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

    /// The levels with a count, the gravest first.
    pub(crate) fn levels(self) -> impl Iterator<Item = (Level, u64)> {
        LEVELS.into_iter().map(move |level| (level, self.level(level))).filter(|(_, count)| *count > 0)
    }
}

/// Of one for each level, the level's.
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

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

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

/// Counts for each reason and level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([ByLevel; Reason::ALL.len()]);

impl Dropped {
    /// Lines dropped for one reason.
    pub fn reason(&self, reason: Reason) -> ByLevel {
        self.0.get(reason as usize).copied().unwrap_or_default()
    }

    /// Lines dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().map(ByLevel::total).sum()
    }

    /// The reasons with a count.
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

/// What one output has done so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OutputMetrics {
    /// The output's name.
    pub name: String,
    /// Lines meant for it: each event that passed its filters, or was held back from it.
    pub emitted: ByLevel,
    /// Lines that an earlier process left in the output's spool.
    pub taken_over: ByLevel,
    /// Lines that its sink has written: what that means, each sink's docs say.
    pub written: ByLevel,
    /// Lines lost, each with its reason.
    pub dropped: Dropped,
    /// Lines waiting, or offered to the sink and not taken.
    pub queued: ByLevel,
    /// Lines that the sink has handed over and that are not acknowledged. They are still in memory.
    pub in_flight: ByLevel,
    /// Lines on disk, in the output's spool, still to be written.
    pub spooled: ByLevel,
    /// Lines that were sent once more, as they were not acknowledged. They are in the other counts once.
    pub resent: u64,
    /// Lines [held back](crate::Builder::flight_recorder) from it and not released: still in memory, gone with their request, or
    /// evicted.
    pub held_back: ByLevel,
    /// Lines that were held back and released since; each is also queued, written or dropped.
    pub released: ByLevel,
    /// Lines of `held_back` that gave way to others, so that an error of their request would not bring them.
    pub evicted: ByLevel,
    /// Memory that the queue accounts for, in bytes.
    pub queued_bytes: u64,
    /// What that may come to: [`Output::queue_bytes`](crate::Output::queue_bytes).
    pub max_queued_bytes: u64,
    /// How long ago the oldest line was logged that is queued or in flight, by the log's own clock: how far the output is
    /// behind. `None` when there is none, zero when the clock has stepped back since.
    pub oldest_queued: Option<Duration>,
    /// Bytes its sink took.
    pub written_bytes: u64,
    /// Lines of the log about itself, notices of loss and of repeats; in no other count.
    pub notices: u64,
    /// Writes that failed and were tried again.
    pub retries: u64,
    /// Panics of the sink or the schema that were caught.
    pub panics: u64,
    /// Times that all written lines were made durable: by [`Durability`](crate::Durability) or
    /// [`Handle::sync`](crate::Handle::sync).
    pub syncs: u64,
    /// Times that this failed. Each is tried again, unless it was `Handle::sync` that asked for it.
    pub failed_syncs: u64,
    /// Values and pieces of texts that were replaced: [`Redact`](crate::Redact). A value is counted as it is logged, one
    /// of a span once; a piece of text as it is rendered, one of a span for each context with that span in it.
    pub redacted: u64,
    /// Calls of a [synchronous](crate::Output::synchronous) output that returned before their line was written, or
    /// durable, because that took longer than `max_wait`. The lines are in the other counts as well.
    pub overdue: u64,
    /// What the sink said when it failed last.
    pub last_error: Option<String>,
}

/// A snapshot of all counters.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry for each output, in the order of the builder.
    pub outputs: Vec<OutputMetrics>,
}

impl Metrics {
    /// The output of that name.
    pub fn output(&self, name: &str) -> Option<&OutputMetrics> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Lines dropped by all outputs.
    pub fn dropped(&self) -> u64 {
        self.outputs.iter().map(|output| output.dropped.total()).sum()
    }
}
