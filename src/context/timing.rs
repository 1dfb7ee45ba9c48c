//! How long a span has been open, and how much of that time somebody was inside: for its closing line.
//!
//! Several threads may be inside at once, and one may enter again what it is in; time counts once, from the first that
//! enters to the last that leaves. Both are sums, so it does not matter in which order two threads get to add theirs.

use std::sync::atomic::{AtomicU64, Ordering};

/// A span's clock. Times are nanoseconds from some common moment.
#[derive(Debug)]
pub(crate) struct Timing {
    opened: u64,
    /// How often it is entered now.
    inside: AtomicU64,
    /// The sum of the times somebody became the last to leave, less those somebody was the first to enter; it wraps.
    busy: AtomicU64,
}

/// What a span's clock says in the end, in microseconds; busy and idle make up the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) duration_us: u64,
    pub(crate) busy_us: u64,
    pub(crate) idle_us: u64,
}

impl Timing {
    pub(crate) fn new(now: u64) -> Self {
        Self { opened: now, inside: AtomicU64::new(0), busy: AtomicU64::new(0) }
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

    pub(crate) fn close(&self, now: u64) -> Times {
        let busy = self.busy.load(Ordering::Acquire);
        let busy = if self.inside.load(Ordering::Acquire) > 0 { busy.wrapping_add(now) } else { busy };
        let duration_us = now.saturating_sub(self.opened) / 1000;
        // Negative where a clock of the user's has stepped back.
        let busy_us = (u64::try_from(busy as i64).unwrap_or(0) / 1000).min(duration_us);
        Times { duration_us, busy_us, idle_us: duration_us - busy_us }
    }
}

#[cfg(test)]
mod tests {
    use super::{Times, Timing};

    fn times(duration_us: u64, busy_us: u64) -> Times {
        Times { duration_us, busy_us, idle_us: duration_us - busy_us }
    }

    #[test]
    fn time_inside_counts_once_however_many_are_inside() {
        let timing = Timing::new(1_000);
        timing.enter(2_000);
        timing.enter(3_000);
        timing.exit(4_000);
        timing.enter(5_000);
        timing.exit(6_000);
        timing.exit(10_000);
        timing.enter(20_000);
        timing.exit(21_000);
        assert_eq!(timing.close(101_000), times(100, 9));
    }

    #[test]
    fn two_threads_may_add_their_times_in_any_order() {
        let timing = Timing::new(0);
        timing.enter(5_000);
        // One leaves at 7 and another enters at 8, but that one adds his time first.
        timing.exit(8_000);
        timing.enter(7_000);
        timing.exit(9_000);
        assert_eq!(timing.close(10_000), times(10, 5));
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_nonsense() {
        let timing = Timing::new(9_000);
        timing.enter(9_000);
        timing.exit(3_000);
        timing.exit(3_000);
        assert_eq!(timing.close(4_000), times(0, 0));
        timing.enter(1_000);
        assert_eq!(timing.close(20_000), times(11, 11));
    }
}
