//! How far an output's lines have come, which the sink's side updates while a write is under way.
//!
//! A line goes from in flight to spooled to written, never back to an earlier count without leaving the later one first.
//! The writer lowers the earlier count before it raises the later one. [`Delivered::counts`] reads them in the opposite
//! order, so no line counts twice.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tracing::Level;

use super::{ByLevel, of_level};
use crate::record::Timestamp;

/// Counts the lines that one output has delivered or handed over, by level and without notices.
///
/// The holder of the engine's lock is the only writer. Any thread may read.
#[derive(Debug)]
pub(crate) struct Delivered {
    written: Count,
    in_flight: Count,
    spooled: Count,
    taken_over: Count,
    resent: AtomicU64,
    /// The time of the first undelivered line, in nanoseconds; `NO_LINE` before one was delivered.
    next_time: AtomicI64,
    spool: SpoolState,
}

/// What a spool has on disk.
#[derive(Debug)]
pub(crate) struct SpoolState {
    bytes: AtomicU64,
    /// When it began to hold lines; `NO_LINE` while it holds none.
    since: AtomicI64,
    /// Bytes of lines that were written from it.
    replayed_bytes: AtomicU64,
}

impl Default for SpoolState {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), since: AtomicI64::new(NO_LINE), replayed_bytes: AtomicU64::new(0) }
    }
}

impl SpoolState {
    #[cfg(feature = "spool")]
    pub(crate) fn set(&self, bytes: u64, since: Option<Timestamp>, replayed_bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.since.store(since.map_or(NO_LINE, Timestamp::as_nanos), Ordering::Relaxed);
        self.replayed_bytes.store(replayed_bytes, Ordering::Relaxed);
    }

    /// Returns the bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns since when it holds lines.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        let nanos = self.since.load(Ordering::Relaxed);
        (nanos != NO_LINE).then(|| Timestamp::from_nanos(nanos))
    }

    /// Returns the bytes of lines that were written from it.
    pub(crate) fn replayed_bytes(&self) -> u64 {
        self.replayed_bytes.load(Ordering::Relaxed)
    }
}

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DeliveredCounts {
    pub(crate) written: ByLevel,
    pub(crate) in_flight: ByLevel,
    pub(crate) spooled: ByLevel,
    pub(crate) taken_over: ByLevel,
}

const NO_LINE: i64 = i64::MIN;

impl Default for Delivered {
    fn default() -> Self {
        Self {
            written: Count::default(),
            in_flight: Count::default(),
            spooled: Count::default(),
            taken_over: Count::default(),
            resent: AtomicU64::new(0),
            next_time: AtomicI64::new(NO_LINE),
            spool: SpoolState::default(),
        }
    }
}

impl Delivered {
    /// Returns all counts, none of them with a line that another one has.
    pub(crate) fn counts(&self) -> DeliveredCounts {
        let written = self.written.by_level();
        let spooled = self.spooled.by_level();
        let in_flight = self.in_flight.by_level();
        let taken_over = self.taken_over.by_level();
        DeliveredCounts { written, in_flight, spooled, taken_over }
    }

    /// Returns how many lines were sent more than once.
    pub(crate) fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    /// Adds written lines.
    #[inline]
    pub(crate) fn add(&self, lines: ByLevel) {
        self.written.add(lines);
    }

    /// Adds lines that were handed over.
    pub(crate) fn hand_over(&self, lines: ByLevel) {
        self.in_flight.add(lines);
    }

    /// Takes lines out of those in flight.
    pub(crate) fn land(&self, lines: ByLevel) {
        self.in_flight.subtract(lines);
    }

    /// Adds lines that were moved to a spool.
    pub(crate) fn spool(&self, lines: ByLevel) {
        self.spooled.add(lines);
    }

    /// Takes lines out of those in a spool.
    pub(crate) fn unspool(&self, lines: ByLevel) {
        self.spooled.subtract(lines);
    }

    /// Adds lines that an earlier process left in a spool.
    pub(crate) fn take_over(&self, lines: ByLevel) {
        self.taken_over.add(lines);
        self.spooled.add(lines);
    }

    /// Returns what a spool has on disk.
    pub(crate) fn spool_state(&self) -> &SpoolState {
        &self.spool
    }

    /// Counts lines that were sent once more.
    pub(crate) fn resend(&self, lines: u64) {
        self.resent.store(self.resent.load(Ordering::Relaxed) + lines, Ordering::Relaxed);
    }

    /// Returns the time of the first undelivered line of the running write; `None` before one was delivered.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let nanos = self.next_time.load(Ordering::Relaxed);
        (nanos != NO_LINE).then(|| Timestamp::from_nanos(nanos))
    }

    /// Sets the time of the first undelivered line; `None` when the write is over.
    #[inline]
    pub(crate) fn set_next_time(&self, time: Option<Timestamp>) {
        self.next_time.store(time.map_or(NO_LINE, Timestamp::as_nanos), Ordering::Relaxed);
    }

    /// Starts again at zero, in a forked child.
    pub(crate) fn reset(&self) {
        [&self.written, &self.in_flight, &self.spooled, &self.taken_over].into_iter().for_each(Count::reset);
        self.resent.store(0, Ordering::Relaxed);
        self.set_next_time(None);
        let SpoolState { bytes, since, replayed_bytes } = &self.spool;
        bytes.store(0, Ordering::Relaxed);
        since.store(NO_LINE, Ordering::Relaxed);
        replayed_bytes.store(0, Ordering::Relaxed);
    }
}

/// A count for each level. There is one writer, so no atomic addition is needed.
#[derive(Debug, Default)]
struct Count([AtomicU64; 5]);

impl Count {
    fn by_level(&self) -> ByLevel {
        ByLevel::of(|level| self.at(level).load(Ordering::Acquire))
    }

    #[inline]
    fn add(&self, lines: ByLevel) {
        for (level, lines) in lines.levels() {
            let count = self.at(level);
            count.store(count.load(Ordering::Relaxed) + lines, Ordering::Release);
        }
    }

    fn subtract(&self, lines: ByLevel) {
        for (level, lines) in lines.levels() {
            let count = self.at(level);
            count.store(count.load(Ordering::Relaxed).saturating_sub(lines), Ordering::Release);
        }
    }

    fn reset(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Release));
    }

    fn at(&self, level: Level) -> &AtomicU64 {
        of_level(&self.0, level)
    }
}
