//! Counters: lines that came in, lines that went out, and lines that were lost, with the reason.
//!
//! The books balance at every moment: for each output and level,
//! `emitted + taken_over = written + dropped + queued + in_flight + held_back + spooled`. For monitoring systems, `series`
//! names the same numbers, and `prometheus` and `publish` export them.

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
    /// The queue was filling up, and [`Overflow::Shed`](crate::Overflow::Shed) drops less severe levels first.
    Shed,
    /// The record alone was larger than the queue.
    TooLarge,
    /// The line was logged on the output's own worker thread, by the sink for example.
    OwnThread,
    /// The sink had ended (a closed pipe), or the log was shut down before its worker answered.
    Closed,
    /// The sink refused the line permanently, or the schema rendered nothing.
    Rejected,
    /// The schema or the sink panicked on the line.
    Panicked,
    /// The shutdown deadline passed before the line was written.
    Shutdown,
    /// Its call site had reached the limit of the period: [`Builder::rate_limit`](crate::Builder::rate_limit).
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

    /// Returns the name that loss notices and exported metrics use.
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

/// The counters of one output.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OutputMetrics {
    /// The output's name.
    pub name: String,
    /// Lines meant for the output: each event that passed its filters or was held back from it.
    pub emitted: ByLevel,
    /// Lines that an earlier process left in the output's spool.
    pub taken_over: ByLevel,
    /// Lines that the sink has written. The docs of each sink say what that means.
    pub written: ByLevel,
    /// Lines lost, by reason.
    pub dropped: Dropped,
    /// Lines that wait, or that were offered to the sink and not taken.
    pub queued: ByLevel,
    /// Lines that the sink has handed over and that are not acknowledged yet. They are still in memory.
    pub in_flight: ByLevel,
    /// Lines on disk, in the output's spool, still to be written.
    pub spooled: ByLevel,
    /// Lines that were sent again because they were not acknowledged. The other counts have them once.
    pub resent: u64,
    /// Lines [held back](crate::Builder::flight_recorder) and not released: still in memory, freed with their request,
    /// or evicted.
    pub held_back: ByLevel,
    /// Lines that were held back and then released. Each is also queued, written or dropped.
    pub released: ByLevel,
    /// Lines of `held_back` that were evicted for newer ones. An error of their request no longer releases them.
    pub evicted: ByLevel,
    /// Memory of the queue, in bytes.
    pub queued_bytes: u64,
    /// The limit of `queued_bytes`: [`Output::queue_bytes`](crate::Output::queue_bytes).
    pub max_queued_bytes: u64,
    /// How long ago the oldest line that is queued or in flight was logged, by the log's own clock: how far the output is
    /// behind.
    ///
    /// `None` if there is no such line, and zero if the clock has stepped back since.
    pub oldest_queued: Option<Duration>,
    /// Bytes that the sink took.
    pub written_bytes: u64,
    /// Lines of the log about itself: notices of loss and of repeats. No other count includes them.
    pub notices: u64,
    /// Writes that failed and were retried.
    pub retries: u64,
    /// Caught panics of the sink and the schema.
    pub panics: u64,
    /// Successful syncs, by [`Durability`](crate::Durability) or [`Handle::sync`](crate::Handle::sync): each made all
    /// written lines durable.
    pub syncs: u64,
    /// Failed syncs. Each is retried, unless `Handle::sync` asked for it.
    pub failed_syncs: u64,
    /// Values and pieces of text that [`Redact`](crate::Redact) replaced.
    ///
    /// A value is counted when it is logged; a span's value once. A piece of text is counted when it is rendered; a
    /// span's once for each context that includes the span.
    pub redacted: u64,
    /// Calls to a [synchronous](crate::Output::synchronous) output that returned after `max_wait`, before their line
    /// was written or durable. The other counts include their lines.
    pub overdue: u64,
    /// The last error of the sink, with its causes.
    pub last_error: Option<String>,
}

/// A snapshot of all counters, from [`Handle::metrics`](crate::Handle::metrics).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry for each output, in the order of the builder.
    pub outputs: Vec<OutputMetrics>,
}

impl Metrics {
    /// Returns the counters of the output with this name.
    pub fn output(&self, name: &str) -> Option<&OutputMetrics> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Returns the number of lines that all outputs dropped.
    pub fn dropped(&self) -> u64 {
        self.outputs.iter().map(|output| output.dropped.total()).sum()
    }
}
