//! How long a span has been open, and how long it was entered: for the lines of its life.
//!
//! Several threads may be in a span at once, and one thread may enter it again. Busy time counts once, from the first enter
//! to the last exit. It is a sum, so two threads may add their parts in any order.

use std::sync::atomic::{AtomicU64, Ordering};

use super::span_moment::{SpanMoment, SpanMoments};

/// A span's clock. Times are nanoseconds since a common origin.
#[derive(Debug)]
pub(crate) struct Timing {
    /// When it logs a line.
    moments: SpanMoments,
    opened: u64,
    /// The number of times it is entered now.
    inside: AtomicU64,
    /// The times of all last exits minus the times of all first enters; wraps.
    busy: AtomicU64,
}

/// A span's times so far, in microseconds. Busy and idle add up to the duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) duration_us: u64,
    pub(crate) busy_us: u64,
    pub(crate) idle_us: u64,
}

impl Timing {
    pub(crate) fn new(now: u64, moments: SpanMoments) -> Self {
        Self { moments, opened: now, inside: AtomicU64::new(0), busy: AtomicU64::new(0) }
    }

    /// Returns whether the span logs a line at this moment.
    pub(crate) fn logs(&self, moment: SpanMoment) -> bool {
        self.moments.contains(moment)
    }

    pub(crate) fn enter(&self, now: u64) {
        if self.inside.fetch_add(1, Ordering::AcqRel) == 0 {
            self.busy.fetch_sub(now, Ordering::AcqRel);
        }
    }

    pub(crate) fn exit(&self, now: u64) {
        let left = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| inside.checked_sub(1));
        if left == Ok(1) {
            self.busy.fetch_add(now, Ordering::AcqRel);
        }
    }

    pub(crate) fn times(&self, now: u64) -> Times {
        let busy = self.busy.load(Ordering::Acquire);
        let busy = if self.inside.load(Ordering::Acquire) > 0 { busy.wrapping_add(now) } else { busy };
        let duration_us = now.saturating_sub(self.opened) / 1000;
        // Negative when a user's clock has stepped back.
        let busy_us = (u64::try_from(busy as i64).unwrap_or(0) / 1000).min(duration_us);
        Times { duration_us, busy_us, idle_us: duration_us - busy_us }
    }
}

#[cfg(test)]
mod tests {
    use super::{SpanMoments, Times, Timing};

    fn times(duration_us: u64, busy_us: u64) -> Times {
        Times { duration_us, busy_us, idle_us: duration_us - busy_us }
    }

    #[test]
    fn busy_time_counts_once_for_several_threads() {
        let timing = Timing::new(1_000, SpanMoments::default());
        timing.enter(2_000);
        timing.enter(3_000);
        timing.exit(4_000);
        timing.enter(5_000);
        timing.exit(6_000);
        timing.exit(10_000);
        timing.enter(20_000);
        timing.exit(21_000);
        assert_eq!(timing.times(101_000), times(100, 9));
    }

    #[test]
    fn two_threads_may_add_their_times_in_any_order() {
        let timing = Timing::new(0, SpanMoments::default());
        timing.enter(5_000);
        // One thread leaves at 7 and another enters at 8, but the latter adds its time first.
        timing.exit(8_000);
        timing.enter(7_000);
        timing.exit(9_000);
        assert_eq!(timing.times(10_000), times(10, 5));
    }

    #[test]
    fn a_clock_that_steps_back_gives_valid_times() {
        let timing = Timing::new(9_000, SpanMoments::default());
        timing.enter(9_000);
        timing.exit(3_000);
        timing.exit(3_000);
        assert_eq!(timing.times(4_000), times(0, 0));
        timing.enter(1_000);
        assert_eq!(timing.times(20_000), times(11, 11));
    }
}
