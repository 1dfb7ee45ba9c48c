//! When to look for segments that are too old, by the time of lines and ticks.
//!
//! That is when the oldest segment expires, and once an hour: other processes close segments, too.

use std::time::{Duration, Instant};

use crate::record::Timestamp;
use crate::sink::Next;
use crate::sync::after;

/// The longest time between two looks.
const LONGEST_NANOS: i64 = 3_600_000_000_000;
/// The shortest time between two looks.
const SHORTEST_NANOS: i64 = 1_000_000_000;

/// When to look for segments that are too old; never in a log that does not limit their age.
#[derive(Debug)]
pub(super) struct PruneTime {
    limits_age: bool,
    at: Option<Timestamp>,
}

impl PruneTime {
    pub(super) fn new(limits_age: bool) -> Self {
        Self { limits_age, at: None }
    }

    /// Returns whether to look now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.limits_age && self.left(now) == 0
    }

    /// Notes that the log has looked. `expiry`: when the oldest segment is too old.
    pub(super) fn looked(&mut self, now: Option<Timestamp>, expiry: Option<Timestamp>) {
        self.at = now.map(|now| {
            let left = expiry.map_or(LONGEST_NANOS, |at| at.as_nanos().saturating_sub(now.as_nanos()));
            Timestamp::from_nanos(now.as_nanos().saturating_add(left.clamp(SHORTEST_NANOS, LONGEST_NANOS)))
        });
    }

    /// Returns when the sink has to be called although no line comes.
    pub(super) fn next(&self, now: Option<Timestamp>) -> Next {
        let left = now.filter(|_| self.limits_age).and_then(|now| u64::try_from(self.left(now)).ok());
        left.map_or(Next::Done, |left| Next::Later(after(Instant::now(), Duration::from_nanos(left))))
    }

    /// Returns in how many nanoseconds to look. If the clock was set back, that is now.
    fn left(&self, now: Timestamp) -> i64 {
        let left = self.at.map(|at| at.as_nanos().saturating_sub(now.as_nanos()));
        left.filter(|left| (0..=LONGEST_NANOS).contains(left)).unwrap_or(0)
    }
}
