//! The rules: how many lines of a call site, or how many traces, pass.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::metrics::Reason;
use crate::values::Timestamp;

/// How often the lines that sampling suppressed are reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// How many lines of a call site pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A number of lines in a period.
    Window { lines: u64, period: Duration },
    /// One in this many.
    OneIn(u64),
    /// As many at once as the bucket holds, then one for each refill.
    TokenBucket { burst: u64, every: Duration },
}

impl Rule {
    /// Returns the time after which suppressed lines are reported.
    pub(super) fn period(self) -> Duration {
        match self {
            Self::Window { period, .. } => period,
            Self::OneIn(_) | Self::TokenBucket { .. } => REPORT_EVERY,
        }
    }

    /// Returns whether more than a period lies between two times.
    pub(super) fn is_over(self, since: Timestamp, now: Timestamp) -> bool {
        u128::from(now.as_nanos().abs_diff(since.as_nanos())) >= self.period().as_nanos()
    }

    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Window { .. } => Reason::RateLimited,
            Self::OneIn(_) | Self::TokenBucket { .. } => Reason::Sampled,
        }
    }
}

/// A bucket of tokens: the time at which it would be full again. It needs no lock, and a fork finds it whole.
#[derive(Debug)]
pub(crate) struct Bucket(AtomicI64);

impl Default for Bucket {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Bucket {
    /// Takes a token. Returns false if there is none.
    ///
    /// A clock that has stepped back by more than the bucket holds finds it full, so it suppresses nothing for long.
    pub(crate) fn take(&self, burst: u64, every: Duration, now: Timestamp) -> bool {
        let every = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
        let size = i64::try_from(burst).unwrap_or(i64::MAX).saturating_mul(every);
        let now = now.as_nanos();
        let take = |full_at: i64| {
            let missing = full_at.saturating_sub(now).max(0);
            let missing = if missing > size { 0 } else { missing };
            (missing <= size.saturating_sub(every)).then(|| now.saturating_add(missing).saturating_add(every))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_for_each_refill() {
        let bucket = Bucket::default();
        let take = |ms: i64| bucket.take(3, Duration::from_millis(100), Timestamp::from_nanos(ms * 1_000_000));
        assert_eq!([0, 0, 0, 0].map(take), [true, true, true, false]);
        assert_eq!([99, 100, 100, 150, 200].map(take), [false, true, false, false, true]);
        assert_eq!([10_000; 4].map(take), [true, true, true, false], "no more than its size after a rest");
        assert_eq!([0; 4].map(take), [true, true, true, false], "the clock has stepped back");
    }

    #[test]
    fn the_longest_settings_do_not_overflow() {
        let bucket = Bucket::default();
        assert!(bucket.take(u64::MAX, Duration::MAX, Timestamp::from_nanos(i64::MAX)));
        assert!(Bucket::default().take(1, Duration::MAX, Timestamp::from_nanos(i64::MIN)));
    }
}
