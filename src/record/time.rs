//! The one clock: wall time in nanoseconds.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in wall time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads the system's wall clock. It can step backwards.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Self((since.as_secs() as i64).wrapping_mul(1_000_000_000) + i64::from(since.subsec_nanos())),
            Err(_) => Self(0),
        }
    }

    /// A timestamp of so many nanoseconds since 1970 began.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970 began.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The same instant as a [`chrono`] date and time.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Times outside the years 1677 to 2262 become 1970.
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_nanos_opt().unwrap_or(0))
    }
}

/// RFC 3339 in UTC with six decimals: `2026-11-20T10:15:38.123456Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Where timestamps come from: the system, or a function of the user's for tests.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>);

impl Clock {
    pub(crate) fn custom(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(now) => now(),
        }
    }
}

/// What [`Clock::elapsed`] counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    /// Nanoseconds from some moment on, for durations: they never step back, but where the clock is the user's.
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
