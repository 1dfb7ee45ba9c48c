//! The one clock: wall time in nanoseconds.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in wall time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads the system's wall clock, which can step backwards.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self((since.as_secs() as i64).wrapping_mul(1_000_000_000) + i64::from(since.subsec_nanos())),
            Err(_) => Self(0),
        }
    }

    /// Makes a timestamp from nanoseconds since the start of 1970.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the start of 1970.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns the same instant as a [`chrono`] date and time.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Converts the time; times outside the years 1677 to 2262 become 1970.
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_nanos_opt().unwrap_or(0))
    }
}

/// Writes RFC 3339 in UTC with six decimals: `2026-11-20T10:15:38.123456Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// The source of timestamps: the system, or a user's function for tests.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

/// The origin of [`Clock::elapsed`].
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    pub(crate) fn custom(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Returns whether the clock is the user's, which may stand still or jump.
    pub(crate) fn is_custom(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(now) => now(),
        }
    }

    /// Returns nanoseconds since an arbitrary origin, for durations. They never step back unless the clock is the user's.
    pub(crate) fn elapsed(&self) -> u64 {
        match &self.0 {
            None => START.elapsed().as_nanos() as u64,
            Some(now) => now().as_nanos() as u64,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(custom)" } else { "Clock(system)" })
    }
}
